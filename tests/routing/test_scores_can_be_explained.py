import json
import time
from dataclasses import replace

import pytest

from apps.routing.features import NAMES, features
from apps.routing.question import Question
from apps.routing.scoring import BadWeights, Weights, shipped
from bench import routing
from bench.report import Report
from bench.routing_data import examples, exams, is_test

WEIGHTS = Weights(bias=-1.0, features={"prove": 3.0, "very_short": -1.0}, words={"ring": 1.0}, thresholds=(0.4, 0.7))


def test_a_score_is_the_sum_of_its_parts() -> None:
    score = WEIGHTS.score(Question(text="Prove that every finite ring without zero divisors is a field, if you can."))
    assert {part.name: part.adds for part in score.parts if part.adds} == {"prove": 3.0, "words": 1.0}
    assert score.value == pytest.approx(0.9526, abs=1e-4)
    assert [part.name for part in score.parts[:2]] == ["prove", "words"]


def test_the_thresholds_begin_their_tiers() -> None:
    assert [WEIGHTS.tier(score) for score in (0.0, 0.399, 0.4, 0.699, 0.7, 1.0)] == [
        "haiku", "haiku", "sonnet", "sonnet", "opus", "opus",
    ]  # fmt: skip


def test_every_feature_lies_between_0_and_1_and_has_a_name() -> None:
    prompts = [each.prompt for each in exams()[::40]] + ["", "x" * 100_000, "a\0\ud800 ```def f(): {};\n" * 900]
    for prompt in prompts:
        question = Question(text=prompt, context_chars=10**7, earlier_turns=99, tools=50, images=9, task=True)
        found = features(question)
        assert found.keys() <= NAMES.keys()
        assert all(0 < value <= 1 for value in found.values())


def test_weights_survive_being_stored() -> None:
    assert Weights.from_json(json.loads(json.dumps(WEIGHTS.to_json()))) == WEIGHTS


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"thresholds": (0.7, 0.4)}, "thresholds"),
        ({"thresholds": (0.0, 0.4)}, "thresholds"),
        ({"features": {"charm": 1.0}}, "no feature charm"),
        ({"bias": float("nan")}, "finite"),
        ({"words": {"ring": True}}, "finite"),
        ({"low_budget": 1.0}, "low budget"),
    ],
)
def test_weights_that_make_no_sense_are_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(BadWeights, match=said):
        replace(WEIGHTS, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [{}, {"bias": 1}, {"bias": 0, "features": {}, "thresholds": {"sonnet": 0.3}}])
def test_what_is_no_weights_at_all_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(BadWeights):
        Weights.from_json(data)


def test_the_shipped_weights_beat_length_on_questions_they_were_not_fitted_on() -> None:
    unseen = [each for each in exams() if is_test(each.prompt)]
    scores = {each.prompt: shipped().score(Question(text=each.prompt)).value for each in unseen}
    by_length = routing.apgr(unseen, lambda each: len(each.prompt))
    assert routing.apgr(unseen, lambda each: scores[each.prompt]) > by_length + 0.04 > 0.54


def test_the_bench_prints_its_figures_from_a_fresh_clone() -> None:
    report = Report()
    routing.measure(report)
    asked = {name: verdict for name, _, target, verdict in report.rows if target and "time" not in name}
    assert len(asked) == 2
    assert set(asked.values()) == {"met"}


def test_there_are_enough_examples_of_every_kind_in_every_tier() -> None:
    count: dict[tuple[str, str], int] = {}
    for each in examples():
        count[each.tier, each.kind] = count.get((each.tier, each.kind), 0) + 1
    assert len(count) == 9
    assert min(count.values()) >= 30
    assert len({each.prompt for each in examples()}) == sum(count.values()) >= 300


def test_a_long_prompt_costs_no_more_than_a_short_one() -> None:
    """Only its beginning and end are read: ten times the text is not ten times the work."""

    def work(text: str) -> float:
        began = time.thread_time()
        for _ in range(20):
            shipped().score(Question(text=text))
        return time.thread_time() - began

    line = "Explain how the lock in cache.py works and why 3 + 4 = 7 (see f(x)).\n"
    assert work(line * 10_000) < 5 * max(work(line * 60), 0.001)
