"""`bin/manage set_budget`: makes a budget, changes it when run again, says what is wrong."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.budgets.models import Budget
from apps.keys.models import ApiKey, Project
from tests.budgets.conftest import USD, MakeBudget


def set_budget(*arguments: str) -> str:
    out = StringIO()
    call_command("set_budget", *arguments, stdout=out)
    return out.getvalue()


def as_json(*arguments: str) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(set_budget(*arguments, "--json"))
    return facts


def test_it_makes_a_budget_and_says_so(atlas: Project) -> None:
    printed = set_budget("atlas", "--usd", "25", "--period", "month", "--tz", "Europe/Berlin", "--anchor", "15")
    budget = Budget.objects.get()
    assert printed == f"Budget {budget.pk} of atlas: $25.00 a month (created).\n"
    assert (budget.time_zone, budget.anchor, budget.api_key) == ("Europe/Berlin", 15, None)


def test_a_key_gets_a_budget_of_its_own(atlas: Project, ci: ApiKey) -> None:
    set_budget("atlas", "--usd", "25", "--period", "day")
    facts = as_json("atlas", "--key", ci.public_id, "--tokens", "100000", "--period", "day", "--rolling")
    assert facts["deed"] == "created"
    assert (facts["key"], facts["limit_microusd"], facts["limit_tokens"]) == (ci.public_id, None, 100_000)
    assert facts["rolling"] is True
    assert Budget.objects.active().count() == 2


def test_running_it_again_changes_the_limit_and_keeps_the_rest(atlas: Project) -> None:
    first = as_json("atlas", "--usd", "25", "--period", "month", "--tz", "Asia/Tokyo")
    again = as_json("atlas", "--usd", "30.5", "--period", "month")
    tokens = as_json("atlas", "--tokens", "7", "--period", "month")
    same = as_json("atlas", "--usd", "30.50", "--period", "month", "--tz", "Asia/Tokyo")
    assert [facts["deed"] for facts in (first, again, tokens, same)] == ["created", "changed", "changed", "unchanged"]
    budget = Budget.objects.get()
    assert (budget.limit_microusd, budget.limit_tokens, budget.time_zone) == (30_500_000, 7, "Asia/Tokyo")


def test_another_time_zone_replaces_the_budget(atlas: Project) -> None:
    old = as_json("atlas", "--usd", "25", "--period", "month", "--anchor", "3")
    new = as_json("atlas", "--usd", "25", "--period", "month", "--tz", "Asia/Tokyo")
    assert new["deed"] == "replaced"
    assert (new["anchor"], new["time_zone"]) == (3, "Asia/Tokyo")
    assert list(Budget.objects.active().values_list("pk", flat=True)) == [new["id"]] != [old["id"]]


def test_where_several_could_be_meant_it_changes_none(atlas: Project, budget: MakeBudget) -> None:
    budget(USD, name="one")
    budget(USD, name="two")
    with pytest.raises(CommandError, match="Several budgets"):
        set_budget("atlas", "--usd", "2", "--period", "day")
    assert set(Budget.objects.values_list("limit_microusd", flat=True)) == {USD}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["atlas", "--period", "day"], "Give a limit"),
        (
            ["nowhere", "--usd", "1", "--period", "day"],
            "no project 'nowhere'. `bin/manage issue_key nowhere` makes one",
        ),
        (["atlas", "--key", "zzzzzzzzzzzz", "--usd", "1", "--period", "day"], "no key 'zzzzzzzzzzzz'"),
        (["atlas", "--usd", "-1", "--period", "day"], "invalid amount in dollars value: '-1'"),
        (["atlas", "--usd", "0.0000001", "--period", "day"], "invalid amount in dollars value"),
        (["atlas", "--usd", "NaN", "--period", "day"], "invalid amount in dollars value"),
        (["atlas", "--usd", "1e99", "--period", "day"], "less than or equal"),
        (["atlas", "--tokens", "many", "--period", "day"], "invalid number of tokens value"),
        (["atlas", "--usd", "1", "--period", "year"], "invalid choice: 'year'"),
        (["atlas", "--usd", "1", "--period", "week", "--anchor", "8"], "first day"),
        (["atlas", "--usd", "1", "--period", "total", "--rolling"], "cannot roll"),
        (["atlas", "--usd", "1", "--period", "day", "--tz", "Mars/Olympus"], "not a time zone"),
    ],
)
def test_what_is_wrong_is_said(atlas: Project, arguments: list[str], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        set_budget(*arguments)
    assert not Budget.objects.exists()


def test_a_key_of_another_project_is_not_found(atlas: Project, foreign: ApiKey) -> None:
    with pytest.raises(CommandError, match="Project atlas has no key"):
        set_budget("atlas", "--key", foreign.public_id, "--usd", "1", "--period", "day")
