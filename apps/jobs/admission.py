"""Whether a job may start: what its key is granted, and what its budgets still hold."""

from datetime import datetime, timedelta

from django.conf import settings

from apps.budgets import services as budgets
from apps.jobs.requests import Request
from apps.keys.models import ApiKey
from apps.permissions.models import Profile
from apps.permissions.policy import decide
from apps.permissions.verdict import Grant, Refusal

HOLD_GRACE = timedelta(minutes=2)
"""How much longer than its job a hold lives, so that the sweep has settled it before it expires by itself."""
_BYTES_PER_TOKEN = 3


class Denied(Exception):
    """The key's profile does not allow the request; `refusal` has every reason."""

    param = "model"

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(f"{refusal}.")


def permit(*, key: ApiKey, request: Request) -> Grant:
    """What the key's profile grants this request. Raises Denied."""
    verdict = decide((key.profile or Profile.objects.default()).policy(), request.ask())
    if isinstance(verdict, Refusal):
        raise Denied(verdict)
    return verdict


def hold(*, key: ApiKey, grant: Grant, request: Request, job_id: str, size: int, now: datetime) -> int:
    """Hold the job's cap in every budget above it, or what is left where that is less; the micro-dollars that are held.

    size: bytes of the stored request. Call it in the transaction that makes the job. Raises BudgetExceeded.
    """
    reservation = budgets.reserve(
        project_id=key.project_id,
        key_id=key.pk,
        job_id=job_id,
        amount_microusd=min(grant.max_cost_microusd, settings.JOB_MAX_COST_MICROUSD),
        tokens=size // _BYTES_PER_TOKEN + request.answer_tokens(),
        expires_at=now + 2 * timedelta(seconds=settings.JOB_TIMEOUT_SECONDS) + HOLD_GRACE,
        now=now,
        shrink=True,
        minimum_tokens=1,
    )
    return reservation.amount_microusd
