"""`bin/bench fit-routing`: fit the router's weights on the training part of the data and write them where they ship.

A logistic regression with an L2 penalty, by gradient descent with momentum, in plain Python. An exam question pulls
towards what the strong model was worth there (0, ½ or 1), an example towards its tier. The thresholds are then the two
scores that give the examples of the training part their tiers best.
"""

import json
from collections import Counter, defaultdict
from itertools import pairwise
from math import exp, sqrt

from apps.routing.features import NAMES, features, words
from apps.routing.question import Question
from apps.routing.scoring import TIERS, Tier, Weights
from bench.routing_data import examples, exams, is_test

EXAMPLE_WEIGHT = 8.0
TARGETS: dict[Tier, float] = {"haiku": 0.12, "sonnet": 0.55, "opus": 0.95}
MIN_COUNT = 20
"""Prompts that a word must occur in to have a weight; an example counts eightfold."""
PENALTY, WORD_PENALTY = 1.0, 3.0
STEPS, RATE, MOMENTUM = 300, 0.6, 0.9

Row = tuple[list[tuple[str, float]], float, float]
"""Inputs, target, weight."""


def fit() -> Weights:
    """Weights from everything that is not in the test split."""
    own = [each for each in examples() if not is_test(each.prompt)]
    asked = [each for each in exams() if not is_test(each.prompt)]
    counts = Counter(word for exam in asked for word in words(exam.prompt))
    for each in own:
        counts.update(dict.fromkeys(words(each.prompt), 8))
    vocabulary = {word for word, count in counts.items() if count >= MIN_COUNT}
    rows = [(_inputs(Question(text=exam.prompt), vocabulary), (exam.gain + 1) / 2, 1.0) for exam in asked]
    rows += [(_inputs(each.question, vocabulary), TARGETS[each.tier], EXAMPLE_WEIGHT) for each in own]
    fitted = _descend(rows)
    rounded = {name: round(value, 3) for name, value in fitted.items()}
    draft = Weights(
        bias=rounded.pop("", 0.0),
        features={name: rounded.get(name, 0.0) for name in NAMES},
        words={name[5:]: value for name, value in sorted(rounded.items()) if name.startswith("word:") and value},
        thresholds=(0.4, 0.6),
    )
    scored = [(draft.score(each.question).value, TIERS.index(each.tier)) for each in own]
    return Weights.from_json(draft.to_json() | {"thresholds": _thresholds(scored)})


def _inputs(question: Question, vocabulary: set[str]) -> list[tuple[str, float]]:
    known = words(question.text) & vocabulary
    share = 1 / sqrt(len(known)) if known else 0.0
    return [("", 1.0), *features(question).items(), *((f"word:{word}", share) for word in sorted(known))]


def _descend(rows: list[Row]) -> dict[str, float]:
    weights: dict[str, float] = {}
    speed: dict[str, float] = {}
    mass: dict[str, float] = defaultdict(float)
    for inputs, _, weight in rows:
        for name, value in inputs:
            mass[name] += weight * value * value / 4  # bounds the curvature along this weight
    for _ in range(STEPS):
        slope: dict[str, float] = defaultdict(float)
        for inputs, target, weight in rows:
            total = sum(weights.get(name, 0.0) * value for name, value in inputs)
            error = weight * (1 / (1 + exp(-total)) - target)
            for name, value in inputs:
                slope[name] += error * value
        for name, steep in slope.items():
            penalty = WORD_PENALTY if name.startswith("word:") else PENALTY if name else 0.0
            before = weights.get(name, 0.0)
            step = (steep + penalty * before) / (mass[name] + penalty)
            speed[name] = MOMENTUM * speed.get(name, 0.0) - RATE / 10 * step
            weights[name] = before + speed[name]
    return weights


def _thresholds(scored: list[tuple[float, int]]) -> dict[str, float]:
    """The two cuts with the fewest wrong tiers, a tier too cheap counting double; in the middle of their gaps."""
    values = sorted(value for value, _ in scored)
    cuts = [(low + high) / 2 for low, high in pairwise(values) if low < high]
    best = min(
        ((low, high) for low in cuts for high in cuts if low < high),
        key=lambda cut: sum(_badness((value >= cut[0]) + (value >= cut[1]), tier) for value, tier in scored),
    )
    return {"sonnet": round(best[0], 3), "opus": round(best[1], 3)}


def _badness(given: int, wanted: int) -> int:
    return 2 * (wanted - given) if given < wanted else given - wanted


def main() -> None:
    """Fit and write."""
    from apps.routing import scoring

    text = json.dumps(fit().to_json(), indent=1)
    scoring._SHIPPED.write_text(text + "\n")
    print(f"wrote {scoring._SHIPPED.name}")
