"""Whether a job may start: how often its key may ask, what it is granted, and what its budgets still hold."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from apps.budgets import services as budgets
from apps.budgets.fitting import Amounts
from apps.budgets.reserving import MINIMUM_MICROUSD
from apps.capabilities import services as capabilities
from apps.claude import catalog
from apps.jobs import naming
from apps.jobs.batches.places import Place
from apps.jobs.models import Job, Lane
from apps.jobs.requests import Request, names
from apps.jobs.taskrequests import HARMLESS_TOOLS, TaskRequest
from apps.keys import ratelimit
from apps.keys.models import ApiKey
from apps.keys.rates import RateState
from apps.permissions.models import Profile
from apps.permissions.policy import Ask, Policy, allowed, decide, models_allowed
from apps.permissions.verdict import Grant, Refusal

HOLD_GRACE = timedelta(minutes=2)
"""How much longer than its job a hold lives, so that the sweep has settled it before it expires by itself."""
MINIMUM = Amounts(MINIMUM_MICROUSD, 1)
"""A job holds what is left in its budgets, if it is no less. Tokens are counted after they were used."""
_BYTES_PER_TOKEN = 3
_PARAMS = {
    "model": "model",
    "tool": "allow_tools",
    "agent": "allow_agents",
    "skill": "allow_skills",
    "max_cost_microusd": "max_cost",
    "max_seconds": "timeout",
    "max_turns": "max_turns",
}
"""The parameter of the wire that a reason speaks of, by the kind of its ref."""


class Denied(Exception):
    """The key's profile does not allow the request; `refusal` has every reason."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(f"{refusal}.")

    @property
    def code(self) -> str:
        """What clients tell it by: `model_not_allowed` if the model is among the reasons, else `not_allowed`."""
        return "model_not_allowed" if self.param == "model" else "not_allowed"

    @property
    def param(self) -> str | None:
        """The part of the request that is in the way, if it is only one; the model before all others."""
        params = {_PARAMS.get(reason.ref.partition(":")[0]) for reason in self.refusal.reasons}
        return "model" if "model" in params else params.pop() if len(params) == 1 else None


@contextmanager
def paced(*, key: ApiKey, job: Job, tokens: int) -> Iterator[RateState]:
    """Count the request against its key's rate limits; what is charged goes back if the job is not made after all.

    A batch's items wait for each other anyway: they are counted as requests and tokens, and take no slot:
    no person is refused because of a batch (`batches.places.room` bounds what of batches is open). Raises RateLimited.
    """
    state = ratelimit.admit(key=key, job_id=job.id, tokens=tokens, slot=job.lane != Lane.BATCH)
    try:
        yield state
    except BaseException:
        ratelimit.settle_tokens(key_id=key.pk, job_id=job.id, tokens=0)
        raise


def asked(policy: Policy, request: Request) -> Ask:
    """What the request asks for; a task that says nothing of tools, for the harmless ones that the policy allows."""
    ask = request.ask()
    if isinstance(request, TaskRequest) and request.tools is None:
        return replace(ask, tools=tuple(allowed(policy, "tool", HARMLESS_TOOLS)))
    return ask


def completed(*, key: ApiKey, request: Request) -> Request:
    """The request with what only rows know: the models that a task's agents want, as far as its key may use them."""
    if not isinstance(request, TaskRequest) or not request.agents:
        return request
    wanted = dict.fromkeys(filter(None, map(catalog.resolve, capabilities.models(names=request.agents))))
    policy = (key.profile or Profile.objects.default()).policy()
    usable = models_allowed(policy, [names(model) for model in wanted if model != request.model])
    return replace(request, agent_models=tuple(model[0] for model in usable))


def permit(*, key: ApiKey, request: Request) -> Grant:
    """What the key's profile grants this request. Raises UnknownNames or Denied."""
    policy = (key.profile or Profile.objects.default()).policy()
    ask = asked(policy, request)
    naming.check(policy, ask)
    verdict = decide(policy, ask)
    if isinstance(verdict, Refusal):
        raise Denied(verdict)
    return verdict


def size_of(stored: Mapping[str, Any]) -> int:
    """About how many bytes of a stored request the model reads: not a task's files, of which it reads what it likes."""
    return len(str({name: said for name, said in stored.items() if name != "files"}))


def reckoned_tokens(request: Request, size: int) -> int:
    """What it may use, for limits that have to be asked before anything is known. size: bytes as it is stored."""
    return size // _BYTES_PER_TOKEN + request.answer_tokens()


def wanted(max_cost_microusd: int, tokens: int) -> Amounts:
    """What a job would like to hold: all it may cost, by its grant and by the operator's limit for any job."""
    return Amounts(min(max_cost_microusd, settings.JOB_MAX_COST_MICROUSD), tokens)


def hold(*, key: ApiKey, grant: Grant, tokens: int, job_id: str, place: Place | None = None, now: datetime) -> int:
    """Hold the job's cap in every budget above it, or what is left where that is less; the micro-dollars that are held.

    An item of a batch has its share in the batch's hold. Call it in the transaction that makes the job. Raises
    BudgetExceeded.
    """
    amounts = wanted(grant.max_cost_microusd, tokens)
    time_limit = timedelta(seconds=settings.JOB_TIMEOUT_SECONDS)
    reservation = budgets.reserve(
        project_id=key.project_id,
        key_id=key.pk,
        job_id=job_id,
        amount_microusd=amounts.microusd,
        tokens=amounts.tokens,
        expires_at=(place.expires_at if place else now + time_limit) + time_limit + HOLD_GRACE,
        now=now,
        shrink=True,
        minimum_microusd=min(MINIMUM.microusd, place.share.microusd) if place else MINIMUM.microusd,
        minimum_tokens=MINIMUM.tokens,
        out_of=budgets.Envelope(place.batch_id, place.share) if place else None,
    )
    return reservation.amount_microusd
