"""Which tier answers: the score, what the conversation had, what is left to spend and what the key may use. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.routing.question import Question
from apps.routing.scoring import TIERS, Part, Score, Tier, Weights

_SHOWN = 3
"""Features that a reason names."""
_STORED = 8
"""Parts of a score that are kept with a decision."""


@dataclass(frozen=True, slots=True)
class Purse:
    """What is left in the tightest of the budgets that a request must fit into."""

    share: float
    """Of its limit, not spent yet."""
    remaining_microusd: int
    """Neither spent nor held by jobs that run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A tier and why."""

    tier: Tier
    fallback: Tier | None
    """Who answers when that tier is overloaded."""
    score: float
    version: int
    """Of the weights; 0 for those that are shipped."""
    reasons: tuple[str, ...]
    parts: tuple[Part, ...]
    conversation: str
    """Under what the tier is remembered for follow-ups."""

    def to_json(self, models: Mapping[Tier, str]) -> dict[str, Any]:
        """As it is kept with a job and shown to its owner. `models`: the full id of each tier's model."""
        return {
            "tier": self.tier,
            "model": models[self.tier],
            "fallback_model": models[self.fallback] if self.fallback else None,
            "score": round(self.score, 3),
            "version": self.version,
            "reasons": list(self.reasons),
            "features": {part.name: round(part.adds, 3) for part in self.parts[:_STORED] if part.adds},
        }


def decide(
    *,
    weights: Weights,
    question: Question,
    usable: Sequence[Tier],
    inherited: Tier | None = None,
    purse: Purse | None = None,
    costs: Mapping[Tier, int] | None = None,
) -> Decision:
    """The tier for a request.

    usable: the tiers that the key may use; without any, the choice is by score alone and will be refused by name.
    inherited: what answers this conversation so far. costs: micro-dollars that the request is reckoned to cost on each.
    """
    score = weights.score(question)
    wanted = inherited or weights.tier(score.value)
    reasons = [
        f"Continues a conversation that {inherited} answers." if inherited else _by_score(score, wanted, weights)
    ]
    tier = _affordable(wanted, weights, purse, costs or {})
    if tier != wanted:
        reasons.append(f"Little of the budget is left: {tier} instead of {wanted}.")
    allowed = [each for each in TIERS if each in usable] or [*TIERS]
    granted = _nearest(tier, allowed)
    if granted != tier:
        reasons.append(f"The key may not use {tier}: {granted} instead.")
    others = [each for each in allowed if each != granted]
    return Decision(
        tier=granted,
        fallback=_nearest(granted, others) if others else None,
        score=score.value,
        version=weights.version,
        reasons=tuple(reasons),
        parts=score.parts,
        conversation=question.conversation,
    )


def _by_score(score: Score, tier: Tier, weights: Weights) -> str:
    low, high = (0.0, *weights.thresholds, 1.0)[TIERS.index(tier) :][:2]
    weighty = [part for part in score.parts[:_SHOWN] if abs(part.adds) >= 0.05]
    why = ", ".join(f"{part.label} ({part.adds:+.2f})" for part in weighty)
    return (
        f"Score {score.value:.2f} lies between {low:.2f} and {high:.2f}: {tier}. Mostly by {why or 'nothing at all'}."
    )


def _affordable(tier: Tier, weights: Weights, purse: Purse | None, costs: Mapping[Tier, int]) -> Tier:
    if purse is None:
        return tier
    index = TIERS.index(tier)
    if purse.share < weights.low_budget / 3:
        index = 0
    elif purse.share < weights.low_budget:
        index = max(0, index - 1)
    while index and costs.get(TIERS[index], 0) > purse.remaining_microusd:
        index -= 1
    return TIERS[index]


def _nearest(tier: Tier, allowed: Sequence[Tier]) -> Tier:
    """The tier, else the dearest of those that are cheaper, else the cheapest of those that are dearer."""
    cheaper = [each for each in allowed if TIERS.index(each) <= TIERS.index(tier)]
    return cheaper[-1] if cheaper else allowed[0]
