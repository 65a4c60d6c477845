"""WebSearch with the real CLI: the provider searches, each search is paid for, and only where it was granted."""

from apps.claude import pricing
from apps.claude.engine import Engine
from apps.claude.scripted.server import ScriptedModel
from tests.claude.conftest import requests
from tests.claude.tasks import call, do, task


def test_a_granted_search_runs_whole_and_is_billed(engine: Engine, model: ScriptedModel, marker: str) -> None:
    done = do(engine, task(call("WebSearch", query=f"bottles {marker}"), "[[say: done]]", tools=("WebSearch",)))

    result, outcome = done.result_of(0), done.outcome
    assert not result.is_error, result
    assert f"Two made-up pages tell of: bottles {marker}" in result.content
    assert "https://page-2.example/" in result.content
    searching = [sent for sent in requests(model, marker) if _searches(sent)]
    assert [tool["max_uses"] for sent in searching for tool in sent["tools"]] == [8]
    assert (outcome.status, outcome.web_search_requests, outcome.tools_used) == ("completed", 1, ("WebSearch",))
    (paid,) = [each for each in outcome.calls if each.cost_microusd >= pricing.SEARCH_MICROUSD]
    assert paid.cost_microusd == pricing.SEARCH_MICROUSD + (pricing.cost_microusd(paid.model, paid.usage) or 0)
    assert outcome.cli_cost_microusd is not None
    assert abs(outcome.cost_microusd - outcome.cli_cost_microusd) <= len(outcome.calls), "the CLI reckons the same"
    assert outcome.attribution["tool:WebSearch"] > pricing.SEARCH_MICROUSD


def test_a_search_that_was_not_granted_is_never_made(engine: Engine, model: ScriptedModel, marker: str) -> None:
    done = do(engine, task(call("WebSearch", query=f"bottles {marker}"), "[[say: done]]", tools=("Read",)))

    assert done.result_of(0).is_error
    assert [denied.name for denied in done.outcome.denials] == ["WebSearch"]
    assert not [sent for sent in requests(model, marker) if _searches(sent)]
    assert done.outcome.web_search_requests == 0


def test_searches_that_do_not_fit_into_the_cap_are_not_made(engine: Engine, model: ScriptedModel, marker: str) -> None:
    """One call may search eight times: all of them are set aside before it is made."""
    cap = 8 * pricing.SEARCH_MICROUSD
    spec = task(call("WebSearch", query=f"bottles {marker}"), "[[say: done]]", tools=("WebSearch",), cap_microusd=cap)
    done = do(engine, spec)

    assert done.calls, "the model did ask"
    assert not [sent for sent in requests(model, marker) if _searches(sent)]
    assert done.outcome.cost_microusd <= cap


def _searches(sent: dict[str, object]) -> bool:
    """Whether this was a call with a search in it, and not only the question how long it is."""
    tools = sent.get("tools") if "max_tokens" in sent else None
    return isinstance(tools, list) and any(str(tool.get("type", "")).startswith("web_search_") for tool in tools)
