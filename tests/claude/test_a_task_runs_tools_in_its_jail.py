from apps.claude.engine import Engine
from apps.claude.scripted.server import ScriptedModel
from apps.claude.spec import Started, Usage
from apps.claude.taskspec import File
from tests.claude.conftest import requests
from tests.claude.tasks import bash, call, do, task


def test_a_tool_runs_in_the_workspace_and_its_result_goes_back_to_the_model(
    engine: Engine, model: ScriptedModel, marker: str
) -> None:
    done = do(
        engine,
        task(
            bash("pwd; cat notes/in.txt; id -u; echo made > out.txt"),
            call("Read", file_path="/workspace/out.txt"),
            f"[[say: all done]] {marker}",
            files=(File(name="notes/in.txt", content=b"from outside\n"),),
        ),
    )
    outcome = done.outcome
    assert (outcome.status, outcome.error_code, outcome.text) == ("completed", None, "all done"), outcome
    assert isinstance(done.events[0], Started) or isinstance(done.events[1], Started)
    assert [(used.name, used.parent_id) for used in done.calls] == [("Bash", None), ("Read", None)]
    assert done.calls[0].input == {"command": "pwd; cat notes/in.txt; id -u; echo made > out.txt"}
    assert done.result_of(0).content == "/workspace\nfrom outside\n1000"
    assert "made" in done.result_of(1).content
    assert not [result for result in done.results if result.is_error]
    assert done.text == "all done"
    assert outcome.tools_used == ("Bash", "Read")
    assert outcome.denials == ()
    assert (outcome.stop_reason, outcome.num_turns) == ("end_turn", 3)
    sent = requests(model, marker)
    assert len(sent) == len(outcome.calls) == 3
    assert "from outside" in str(sent[1]["messages"])
    assert {tool["name"] for tool in sent[0]["tools"]} <= {"Bash", "Read", "DeferredToolPlaceholder"}


def test_the_bill_is_the_sum_of_all_calls_and_the_clis_own_reckoning(
    engine: Engine, model: ScriptedModel, marker: str
) -> None:
    outcome = do(engine, task(bash("true"), bash("true"), marker)).outcome
    assert len(outcome.calls) == 3
    used = [entry["usage"] for entry in model.journal.entries(marker)]
    assert outcome.usage.output_tokens == sum(usage["output_tokens"] for usage in used)  # type: ignore[index]
    assert outcome.usage != Usage()
    assert outcome.cli_cost_microusd is not None
    assert abs(outcome.cost_microusd - outcome.cli_cost_microusd) <= len(outcome.calls)
    assert not outcome.estimated
    assert 0 < outcome.attribution["tool:Bash"] < outcome.cost_microusd


def test_web_searches_have_a_price_of_their_own(engine: Engine) -> None:
    plain = do(engine, task('[[usage: {"output_tokens": 5}]] hello')).outcome
    usage = '{"output_tokens": 5, "server_tool_use": {"web_search_requests": 3}}'
    searched = do(engine, task(f"[[usage: {usage}]] hello")).outcome
    assert 30_000 <= searched.cost_microusd - plain.cost_microusd <= 30_100
