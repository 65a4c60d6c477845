"""Whether a request would be taken, and all that decides it: `submit` without the deed. Writes nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.budgets import services as budgets
from apps.budgets.fitting import Amounts, BudgetState, Shortfall, fit
from apps.claude import pricing
from apps.claude.spec import Usage
from apps.jobs import admission, naming, routes
from apps.jobs.engines import credential
from apps.jobs.requests import Request
from apps.keys import ratelimit
from apps.keys.models import ApiKey
from apps.keys.rates import Limited, RateState
from apps.permissions.models import Profile
from apps.permissions.policy import decide
from apps.permissions.trial import Row, trial
from apps.permissions.verdict import Grant, Reason, Refusal

NO_CREDENTIAL = "The service has no credential for the Claude API; only its operator can change that"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All that `submit` would look at, at one moment."""

    kind: str
    model: str
    requested_model: str
    route: dict[str, Any] | None
    """Why that model, where the request asks for `auto`."""
    profile: str
    profile_version: int
    grant: Grant | None
    """What the job would run with; None if the profile refuses it."""
    reasons: tuple[Reason, ...]
    """Why the profile refuses it, all of them."""
    things: tuple[Row, ...]
    """Each thing that is asked for, with the rule that decides."""
    input_tokens: int
    """Reckoned from its size."""
    output_tokens: int
    """Reckoned from what it asks for."""
    estimated_microusd: int | None
    """One call of that size; None where the model has no price."""
    cap_microusd: int
    """The most that the job could spend: what it would hold, and what it would want if it does not fit."""
    budgets: tuple[BudgetState, ...]
    shortfalls: tuple[Shortfall, ...]
    rate: RateState
    limited: Limited | None
    has_credential: bool

    @property
    def allowed(self) -> bool:
        """Whether `submit` would take it."""
        return not any(self.objections())

    def objections(self) -> Iterator[str]:
        """Everything in the way, in words."""
        yield from (reason.message for reason in self.reasons)
        if self.shortfalls:
            yield str(budgets.BudgetExceeded(self.shortfalls)).rstrip(".")
        if self.limited:
            yield f"The key's limit of {_LIMITS[self.limited]} is reached"
        if not self.has_credential:
            yield NO_CREDENTIAL


_LIMITS: dict[Limited, str] = {
    "requests": "requests per minute",
    "tokens": "tokens per minute",
    "concurrent_jobs": "jobs at a time",
}


def explain(*, key: ApiKey, request: Request, now: datetime) -> Explanation:
    """What would become of the request. Raises UnknownNames, and nothing for a refusal."""
    chosen = routes.route(key=key, request=request, now=now) if request.model == routes.AUTO else None
    if chosen:
        request = request.answered_by(chosen.model)
    policy = (key.profile or Profile.objects.default()).policy()
    ask = admission.asked(policy, request)
    naming.check(policy, ask)
    verdict = decide(policy, ask)
    grant = verdict if isinstance(verdict, Grant) else None
    output_tokens = request.answer_tokens()
    tokens = admission.reckoned_tokens(request, admission.size_of(request.to_json()))
    wanted = admission.wanted(grant.max_cost_microusd if grant else policy.limits.max_cost_microusd, tokens)
    states = budgets.state(project_id=key.project_id, key_id=key.pk, now=now)
    fitted = fit(states, wanted=wanted, minimum=admission.MINIMUM)
    rate = ratelimit.peek(key=key)
    return Explanation(
        kind=request.kind,
        model=request.model,
        requested_model=request.requested_model,
        route=chosen.to_json() if chosen else None,
        profile=policy.profile,
        profile_version=policy.version,
        grant=grant,
        reasons=verdict.reasons if isinstance(verdict, Refusal) else (),
        things=trial(policy, ask).rows,
        input_tokens=tokens - output_tokens,
        output_tokens=output_tokens,
        estimated_microusd=pricing.cost_microusd(request.model, Usage(tokens - output_tokens, output_tokens)),
        cap_microusd=(fitted if isinstance(fitted, Amounts) else wanted).microusd,
        budgets=states,
        shortfalls=_only_short(fitted),
        rate=rate,
        limited=rate.refuses(tokens=tokens),
        has_credential=credential() is not None,
    )


def _only_short(fitted: Amounts | Sequence[Shortfall]) -> tuple[Shortfall, ...]:
    return () if isinstance(fitted, Amounts) else tuple(fitted)
