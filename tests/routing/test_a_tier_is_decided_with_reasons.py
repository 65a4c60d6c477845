from typing import Any

import pytest

from apps.routing.deciding import Purse, decide
from apps.routing.question import Question
from apps.routing.scoring import TIERS, Tier, Weights

WEIGHTS = Weights(bias=0.0, features={"prove": 5.0, "small": -5.0}, thresholds=(0.3, 0.8))
EASY, MIDDLE, HARD = (Question(text=text) for text in ("hi, just one thing please", "Tell me about it", "Prove it"))
PLENTY = Purse(share=0.9, remaining_microusd=10**9)


def tier(question: Question, **facts: Any) -> tuple[Tier, Tier | None]:
    decision = decide(weights=WEIGHTS, question=question, **{"usable": TIERS, **facts})
    return decision.tier, decision.fallback


def test_the_score_decides() -> None:
    assert [tier(question)[0] for question in (EASY, MIDDLE, HARD)] == ["haiku", "sonnet", "opus"]


def test_the_reason_names_score_bounds_and_what_weighed_most() -> None:
    [reason] = decide(weights=WEIGHTS, question=HARD, usable=TIERS).reasons
    assert reason == "Score 0.99 lies between 0.80 and 1.00: opus. Mostly by proving or deriving (+5.00)."


def test_a_follow_up_stays_where_its_conversation_is() -> None:
    decision = decide(weights=WEIGHTS, question=EASY, usable=TIERS, inherited="opus", purse=PLENTY)
    assert decision.tier == "opus"
    assert decision.reasons == ("Continues a conversation that opus answers.",)


@pytest.mark.parametrize(
    ("usable", "given"),
    [(("haiku", "sonnet"), "sonnet"), (("haiku",), "haiku"), (("sonnet", "opus"), "opus"), ((), "opus")],
)
def test_a_key_is_never_given_more_than_it_may_use(usable: tuple[Tier, ...], given: Tier) -> None:
    assert tier(HARD, usable=usable)[0] == given
    assert tier(EASY, usable=usable, inherited="opus")[0] == given


def test_a_key_without_the_cheap_tiers_gets_the_cheapest_it_has() -> None:
    decision = decide(weights=WEIGHTS, question=EASY, usable=("opus",))
    assert (decision.tier, decision.fallback) == ("opus", None)
    assert decision.reasons[-1] == "The key may not use haiku: opus instead."


@pytest.mark.parametrize(
    ("share", "given"),
    [(0.5, "opus"), (0.1, "opus"), (0.09, "sonnet"), (0.04, "sonnet"), (0.03, "haiku"), (0, "haiku")],
)
def test_little_money_goes_to_cheaper_tiers(share: float, given: Tier) -> None:
    assert tier(HARD, purse=Purse(share, 10**9))[0] == given


def test_what_the_budget_cannot_pay_goes_to_a_tier_that_it_can() -> None:
    costs: dict[Tier, int] = {"haiku": 10, "sonnet": 100, "opus": 1000}
    assert [tier(HARD, purse=Purse(0.9, left), costs=costs)[0] for left in (1000, 999, 99, 0)] == [
        "opus", "sonnet", "haiku", "haiku",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("question", "usable", "fallback"),
    [
        (HARD, TIERS, "sonnet"),
        (MIDDLE, TIERS, "haiku"),
        (EASY, TIERS, "sonnet"),
        (EASY, ("haiku", "opus"), "opus"),
        (EASY, ("haiku",), None),
    ],
)
def test_an_overloaded_tier_is_replaced_by_its_neighbour(
    question: Question, usable: tuple[Tier, ...], fallback: Tier | None
) -> None:
    assert tier(question, usable=usable)[1] == fallback
