"""How hard a request is, as a number from 0 to 1, and by which weights. Pure, and well below a millisecond."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import exp, isfinite, sqrt
from pathlib import Path
from typing import Any, Literal, Self, get_args

from apps.routing.features import NAMES, features, words
from apps.routing.question import Question

Tier = Literal["haiku", "sonnet", "opus"]
TIERS: tuple[Tier, ...] = get_args(Tier)
"""Cheapest first. A tier's name is the alias of the model that serves it."""

_SHIPPED = Path(__file__).parent / "shipped.json"


class BadWeights(ValueError):
    """The weights cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one feature, or all words together, adds to a score."""

    name: str
    label: str
    value: float
    adds: float
    """To the sum before it is pressed into 0 … 1; negative speaks for a cheaper model."""


@dataclass(frozen=True, slots=True)
class Score:
    """A score and everything that it is made of, the weightiest first."""

    value: float
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """One version of what the router goes by."""

    version: int = 0
    bias: float
    features: Mapping[str, float]
    words: Mapping[str, float] = field(default_factory=dict)
    thresholds: tuple[float, float]
    """Scores from the first on go to sonnet, from the second on to opus."""
    low_budget: float = 0.1
    """With less than this share of a budget left, requests go one tier down; with less than a third of it to haiku."""

    def __post_init__(self) -> None:
        numbers = [self.bias, self.low_budget, *self.features.values(), *self.words.values(), *self.thresholds]
        if not all(isinstance(n, int | float) and not isinstance(n, bool) and isfinite(n) for n in numbers):
            raise BadWeights("Every weight is a finite number.")
        if unknown := sorted(self.features.keys() - NAMES.keys()):
            raise BadWeights(f"There is no feature {', '.join(unknown)}; there are {', '.join(NAMES)}.")
        if not 0 < self.thresholds[0] < self.thresholds[1] < 1:
            raise BadWeights("The thresholds are two numbers with 0 < sonnet < opus < 1.")
        if not 0 <= self.low_budget < 1:
            raise BadWeights("The share of a low budget is a number from 0 to below 1.")

    def score(self, question: Question) -> Score:
        """How hard the request is."""
        parts = [
            Part(name, NAMES[name], round(value, 3), self.features.get(name, 0.0) * value)
            for name, value in features(question).items()
        ]
        known = [self.words[word] for word in words(question.text) if word in self.words]
        if known:
            parts.append(Part("words", "its words", len(known), sum(known) / sqrt(len(known))))
        total = self.bias + sum(part.adds for part in parts)
        parts.sort(key=lambda part: -abs(part.adds))
        return Score(1 / (1 + exp(-max(-50.0, min(50.0, total)))), tuple(parts))

    def tier(self, score: float) -> Tier:
        """The tier that a score belongs to."""
        return TIERS[sum(score >= threshold for threshold in self.thresholds)]

    @classmethod
    def from_json(cls, data: Mapping[str, Any], *, version: int = 0) -> Self:
        """Weights as they are shipped and stored. Raises BadWeights."""
        try:
            limits = data["thresholds"]
            return cls(
                version=version,
                bias=data["bias"],
                features=dict(data["features"]),
                words=dict(data.get("words", {})),
                thresholds=(limits["sonnet"], limits["opus"]),
                low_budget=data.get("low_budget", 0.1),
            )
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, BadWeights):
                raise
            raise BadWeights("Weights have bias, features, words and thresholds of sonnet and opus.") from error

    def to_json(self) -> dict[str, Any]:
        """The inverse of `from_json`, without the version."""
        sonnet, opus = self.thresholds
        return {
            "bias": self.bias,
            "features": dict(self.features),
            "words": dict(self.words),
            "thresholds": {"sonnet": sonnet, "opus": opus},
            "low_budget": self.low_budget,
        }


@lru_cache(maxsize=1)
def shipped() -> Weights:
    """The weights that come with this release: version 0."""
    return Weights.from_json(json.loads(_SHIPPED.read_text()))
