"""`bin/bench routing`: what the shipped weights are worth on the part of the data that they were never fitted on.

Exams: APGR as RouteLLM defines it, the average, over all shares of calls that go to the strong model, of the recovered
part of the gap between weak and strong; sending at random recovers half. Requests of our own: confusion of tiers, and
what they cost beside always asking sonnet.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence

from apps.claude import catalog, pricing
from apps.claude.spec import Usage
from apps.routing.question import Question
from apps.routing.scoring import TIERS, Weights, shipped
from bench.report import Report
from bench.routing_data import Exam, Example, examples, exams, is_test

_ANSWER_TOKENS = {"chat": 400, "code": 700, "agent": 3_000}
_AGENT_TOKENS = 30_000
"""Read by a task besides its description."""


def measure(report: Report) -> None:
    """All of it."""
    weights = shipped()
    asked = [each for each in exams() if is_test(each.prompt)]
    own = [each for each in examples() if is_test(each.prompt)]
    report.add("routing: unseen questions and requests", f"{len(asked)} and {len(own)}")
    _exams(asked, weights, report)
    _requests(own, weights, report)
    _speed([*(each.prompt for each in asked), *(each.prompt for each in own)], weights, report)


def apgr(asked: Sequence[Exam], key: Callable[[Exam], float]) -> float:
    """The average recovered gap when the strong model gets the questions with the highest keys first."""
    gap = sum(exam.gain for exam in asked)
    recovered, total = 0, 0
    for exam in sorted(asked, key=key, reverse=True):
        recovered += exam.gain
        total += recovered
    return total / gap / len(asked)


def _by_chance(asked: Sequence[Exam], seed: int) -> float:
    chance = random.Random(seed)
    return apgr(asked, lambda _: chance.random())


def share_for(asked: Sequence[Exam], key: Callable[[Exam], float], part: float) -> float:
    """The smallest share of calls to the strong model from which on at least `part` of the gap is recovered."""
    gap = sum(exam.gain for exam in asked)
    recovered, needed = 0, 0
    for count, exam in enumerate(sorted(asked, key=key, reverse=True), 1):
        recovered += exam.gain
        if recovered < part * gap:
            needed = count
    return (needed + 1) / len(asked)


def _exams(asked: Sequence[Exam], weights: Weights, report: Report) -> None:
    scores = {exam.prompt: weights.score(Question(text=exam.prompt)).value for exam in asked}
    by_score, by_length = (lambda exam: scores[exam.prompt]), (lambda exam: len(exam.prompt))
    at_random = sum(_by_chance(asked, seed) for seed in range(20)) / 20
    ours, length = apgr(asked, by_score), apgr(asked, by_length)
    report.add("routing: APGR, random", f"{at_random:.3f}")
    report.add("routing: APGR, length only", f"{length:.3f}")
    report.add("routing: APGR, shipped weights", f"{ours:.3f}", "≥ length only + 0.03", ours >= length + 0.03)
    for part in (0.5, 0.8):
        router, by_len = (share_for(asked, key, part) for key in (by_score, by_length))
        figure = f"{router:.0%} of the calls (length only {by_len:.0%}, random {part:.0%})"
        report.add(f"routing: strong calls for {part:.0%} of the gap", figure)


def _cost(example: Example, tier: int) -> int:
    """Micro-dollars of the request on that tier, at list prices and a typical answer."""
    model = catalog.resolve(TIERS[tier]) or ""
    agent = _AGENT_TOKENS if example.kind == "agent" else 0
    usage = Usage(input_tokens=len(example.prompt) // 4 + agent, output_tokens=_ANSWER_TOKENS[example.kind])
    return pricing.cost_microusd(model, usage) or 0


def _requests(own: Sequence[Example], weights: Weights, report: Report) -> None:
    wanted = [TIERS.index(each.tier) for each in own]
    scores = [weights.score(each.question).value for each in own]
    given = [TIERS.index(weights.tier(score)) for score in scores]
    lengths = [len(each.prompt) for each in own]
    table = Counter(zip(wanted, given, strict=True))
    for tier, name in enumerate(TIERS):
        row = ", ".join(f"{table[tier, other]} {TIERS[other]}" for other in range(3))
        report.add(f"routing: requests for {name} went to", row)
    right = sum(a == b for a, b in zip(wanted, given, strict=True)) / len(own)
    by_length = _best_by_length(wanted, lengths)
    sonnet = sum(tier == 1 for tier in wanted) / len(own)
    figure = f"{right:.0%} (length only {by_length:.0%} with its best cuts, always sonnet {sonnet:.0%}, random 33%)"
    report.add("routing: requests on the right tier", figure, "≥ length only + 10 points", right >= by_length + 0.1)
    always = sum(_cost(each, 1) for each in own)
    served = sum(tier <= 1 for tier in wanted) / len(own)
    good = sum(b >= a for a, b in zip(wanted, given, strict=True)) / len(own)
    cost = sum(_cost(each, tier) for each, tier in zip(own, given, strict=True))
    report.add(
        "routing: served well enough", f"{good:.0%} (always sonnet {served:.0%}), cost {cost / always:.2f} × sonnet"
    )
    equal = _cheapest(own, wanted, scores, served)
    random_cost = sum(_cost(each, tier) for each in own for tier in range(3)) / 3
    figure = f"{1 - equal / always:.0%} (random: serves less and costs {random_cost / always:.2f} × sonnet)"
    report.add("routing: saved at the quality of always sonnet", figure)


def _cheapest(own: Sequence[Example], wanted: Sequence[int], scores: Sequence[float], served: float) -> int:
    """The lowest cost of any two cuts that serve as many requests well enough."""
    cuts = [*sorted(scores), 2.0]
    costs = [[_cost(each, tier) for tier in range(3)] for each in own]
    found = []
    for low in cuts:
        for high in (cut for cut in cuts if cut >= low):
            tiers = [(score >= low) + (score >= high) for score in scores]
            if sum(b >= a for a, b in zip(wanted, tiers, strict=True)) >= served * len(own):
                found.append(sum(cost[tier] for cost, tier in zip(costs, tiers, strict=True)))
    return min(found)


def _best_by_length(wanted: Sequence[int], lengths: Sequence[int]) -> float:
    """The share of right tiers with the two cuts of length that suit these very requests best."""
    cuts = sorted(set(lengths))
    rights = (
        sum((length >= low) + (length >= high) == tier for length, tier in zip(lengths, wanted, strict=True))
        for low in cuts
        for high in cuts
        if low <= high
    )
    return max(rights) / len(lengths)


def _speed(prompts: Sequence[str], weights: Weights, report: Report) -> None:
    times = []
    for prompt in prompts:
        began = time.perf_counter()
        weights.score(Question(text=prompt))
        times.append(time.perf_counter() - began)
    times.sort()
    mean, p99 = sum(times) / len(times) * 1000, times[len(times) * 99 // 100] * 1000
    report.add("routing: time for a prompt", f"{mean:.2f} ms (p99 {p99:.2f} ms)", "< 1 ms", mean < 1)
