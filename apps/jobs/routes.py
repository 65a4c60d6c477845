"""Which model answers a request for `auto`: what the router decides, with what it has to know about the key."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.budgets import services as budgets
from apps.claude import catalog, pricing
from apps.claude.outcomes import OVERLOADED
from apps.claude.spec import Outcome, Usage
from apps.jobs import valkey
from apps.jobs.events import Event
from apps.jobs.models import Job
from apps.jobs.requests import Request, names
from apps.keys.models import ApiKey
from apps.permissions.models import Profile
from apps.permissions.policy import models_allowed
from apps.routing import services as router
from apps.routing.deciding import Decision, Purse, decide
from apps.routing.question import Question
from apps.routing.scoring import TIERS, Tier

AUTO = "auto"
"""The name of the model that means: choose one."""
MEMORY_SECONDS = 6 * 3600
"""How long after its last turn a conversation keeps its tier."""
_CHARS_PER_TOKEN = 4
_USUAL_ANSWER_TOKENS = 700

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """A decision with the models that stand behind the tiers."""

    decision: Decision
    models: dict[Tier, str]
    costs: dict[Tier, int]
    """Micro-dollars that the request is reckoned to cost on each tier."""
    usable: tuple[Tier, ...]

    @property
    def model(self) -> str:
        """Full id of the one that answers."""
        return self.models[self.decision.tier]

    def to_json(self) -> dict[str, Any]:
        """What is kept with the job."""
        return self.decision.to_json(self.models)


def route(*, key: ApiKey, request: Request, now: datetime) -> Route:
    """Who should answer the request, if its key asks. Reads only."""
    question = request.question()
    models = {tier: catalog.resolve(tier) or tier for tier in TIERS}
    policy = (key.profile or Profile.objects.default()).policy()
    allowed = {each[0] for each in models_allowed(policy, [names(model) for model in models.values()])}
    usable = tuple(tier for tier in TIERS if models[tier] in allowed)
    costs = {tier: _cost(models[tier], question, request) for tier in TIERS}
    decision = decide(
        weights=router.in_force(),
        question=question,
        usable=usable,
        inherited=_remembered(key, question),
        purse=_purse(key, now),
        costs=costs,
    )
    return Route(decision, models, costs, usable)


def remember(*, key: ApiKey, decision: Decision) -> None:
    """Let the conversation's next turns go to the same tier."""
    if decision.conversation:
        try:
            valkey.client().set(_place(key, decision.conversation), decision.tier, ex=MEMORY_SECONDS)
        except valkey.ERRORS as error:
            logger.warning("a conversation's tier could not be remembered: %s", error)


def estimated_tokens(question: Question, answer_tokens: int | None) -> tuple[int, int]:
    """How many tokens the request is reckoned to read and to write."""
    return question.prompt_chars // _CHARS_PER_TOKEN + 1, answer_tokens or _USUAL_ANSWER_TOKENS


def should_fall_back(job: Job, outcome: Outcome, events: Sequence[Event]) -> bool:
    """Whether a routed job found its tier overloaded before anything was said, and another one may answer."""
    silent = not outcome.text and all(event.type == "started" for event in events)
    route = job.route or {}
    return outcome.error_code == OVERLOADED and silent and route.get("fallback_model") not in (None, job.model)


def fall_back(job: Job, worker: str) -> bool:
    """Give a worker's running job to its fallback model, which is on its row from then on. False if it lost the job."""
    route = dict(job.route or {})
    model = route["fallback_model"]
    reason = f"{job.model} is overloaded: {model} answers."
    route |= {"model": model, "overloaded_model": job.model, "reasons": [*route["reasons"], reason]}
    if not Job.objects.held_by(worker).filter(pk=job.pk).update(model=model, route=route):
        return False
    job.model, job.route = model, route
    return True


def _cost(model: str, question: Question, request: Request) -> int:
    read, written = estimated_tokens(question, request.wanted_tokens())
    return pricing.cost_microusd(model, Usage(input_tokens=read, output_tokens=written)) or 0


def _purse(key: ApiKey, now: datetime) -> Purse | None:
    """The tightest of the key's budgets in dollars; None where it has none."""
    states = budgets.state(project_id=key.project_id, key_id=key.pk, now=now)
    counts = [state.microusd for state in states if state.microusd.limit]
    if not counts:
        return None
    shares = [1 - count.spent / (count.limit or 1) for count in counts]
    return Purse(min(shares), min(count.remaining or 0 for count in counts))


def _remembered(key: ApiKey, question: Question) -> Tier | None:
    """What answered the conversation until now. Without Valkey nobody knows, and the turn is judged by itself."""
    if not question.conversation or not question.follows:
        return None
    try:
        tier = valkey.client().get(_place(key, question.conversation))
    except valkey.ERRORS as error:
        logger.warning("a conversation's tier could not be looked up: %s", error)
        return None
    known: Sequence[Tier] = [each for each in TIERS if each == tier]
    return known[0] if known else None


def _place(key: ApiKey, conversation: str) -> str:
    return valkey.conversation(f"{key.project_id}:{conversation}")
