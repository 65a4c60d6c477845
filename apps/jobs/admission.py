"""Whether a job may start: what its key is granted, and what its budgets still hold."""

from datetime import datetime, timedelta

from django.conf import settings

from apps.budgets import services as budgets
from apps.claude import catalog
from apps.jobs.requests import ChatRequest
from apps.keys.models import ApiKey
from apps.permissions.models import Profile
from apps.permissions.policy import Ask, decide
from apps.permissions.verdict import Grant, Refusal

HOLD_GRACE = timedelta(minutes=2)
"""How much longer than its job a hold lives, so that the sweep has settled it before it expires by itself."""
_BYTES_PER_TOKEN = 3
_ANSWER_TOKENS = 4_096
"""What a chat without max_tokens is reckoned with in a budget of tokens."""


class Denied(Exception):
    """The key's profile does not allow the request; `refusal` has every reason."""

    param = "model"

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(f"{refusal}.")


def permit(*, key: ApiKey, request: ChatRequest) -> Grant:
    """What the key's profile grants this request. Raises Denied."""
    policy = (key.profile or Profile.objects.default()).policy()
    model = catalog.find(request.model)
    names = (request.model, model.alias) if model and model.alias else (request.model,)
    verdict = decide(policy, Ask(model=names))
    if isinstance(verdict, Refusal):
        raise Denied(verdict)
    return verdict


def hold(*, key: ApiKey, grant: Grant, request: ChatRequest, job_id: str, size: int, now: datetime) -> int:
    """Hold the job's cap in every budget above it, or what is left where that is less; the micro-dollars that are held.

    size: bytes of the stored request. Call it in the transaction that makes the job. Raises BudgetExceeded.
    """
    reservation = budgets.reserve(
        project_id=key.project_id,
        key_id=key.pk,
        job_id=job_id,
        amount_microusd=min(grant.max_cost_microusd, settings.JOB_MAX_COST_MICROUSD),
        tokens=size // _BYTES_PER_TOKEN + (request.max_tokens or _ANSWER_TOKENS),
        expires_at=now + 2 * timedelta(seconds=settings.JOB_TIMEOUT_SECONDS) + HOLD_GRACE,
        now=now,
        shrink=True,
        minimum_tokens=1,
    )
    return reservation.amount_microusd
