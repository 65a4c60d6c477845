from apps.dashboard import stories
from apps.dashboard.timeline import Step, Timeline, summary
from apps.jobs.events import Event
from apps.jobs.models import Call


def told(*events: tuple[str, dict[str, object]]) -> Timeline:
    return Timeline(Event(number, kind, data) for number, (kind, data) in enumerate(events, 1))


def used(tool_id: str, name: str, given: object, parent: str | None = None) -> tuple[str, dict[str, object]]:
    return "tool_use", {"id": tool_id, "name": name, "input": given, "parent_id": parent}


def got(tool_id: str, content: object, *, is_error: bool = False) -> tuple[str, dict[str, object]]:
    return "tool_result", {"id": tool_id, "content": content, "is_error": is_error, "parent_id": None}


def kinds(steps: list[Step]) -> list[str]:
    return [step.kind for step in steps]


def test_pieces_of_text_are_one_step() -> None:
    story = told(("started", {"model": "m"}), ("token", {"text": "Hel"}), ("token", {"text": "lo"}))
    assert [(step.kind, step.text, step.anchor) for step in story.steps] == [("text", "Hello", "s2")]


def test_thinking_text_and_tools_come_in_their_order() -> None:
    story = told(
        ("thinking", {"text": "hm"}),
        ("token", {"text": "I look."}),
        used("t1", "Bash", {"command": "ls"}),
        got("t1", "a.txt"),
        ("token", {"text": "There is one."}),
    )
    assert kinds(story.steps) == ["thinking", "text", "tool", "text"]
    assert (story.steps[2].summary, story.steps[2].result, story.turns) == ("ls", "a.txt", 2)


def test_a_tool_runs_until_its_result_comes() -> None:
    story = told(used("t1", "Bash", {"command": "ls"}))
    assert story.steps[0].running
    story.take(Event(2, *got("t1", [{"type": "text", "text": "a"}, {"type": "image"}], is_error=True)))
    assert (story.steps[0].running, story.steps[0].is_error, story.steps[0].result) == (False, True, "a\n[image]")


def test_input_that_streams_is_put_together() -> None:
    story = told(used("t1", "Write", None), ("tool_input", {"id": "t1", "partial_json": '{"file_path":'}))
    story.take(Event(3, "tool_input", {"id": "t1", "partial_json": '"x"}'}))
    assert story.steps[0].summary == "x"


def test_what_a_subagent_does_is_inside_of_it() -> None:
    story = told(
        used("a", "Agent", {"subagent_type": "auditor", "prompt": "look"}),
        used("b", "Read", {"file_path": "x"}, parent="a"),
        got("b", "1"),
        got("a", "fine"),
    )
    assert kinds(story.steps) == ["agent"]
    assert story.steps[0].title == "auditor"
    assert [(step.title, step.result) for step in story.steps[0].steps] == [("Read", "1")]


def test_a_refusal_says_why() -> None:
    story = told(("denied", {"id": "t", "name": "Bash", "input": {}, "reason": "not allowed", "parent_id": None}))
    assert (story.steps[0].kind, story.steps[0].reason) == ("denied", "not allowed")


def test_a_refused_connection_is_told_and_takes_no_turn() -> None:
    place = {"host": "inside.example", "port": 443, "address": "127.0.0.1"}
    story = told(
        used("t1", "WebFetch", {"url": "https://inside.example/"}),
        ("network", {**place, "allowed": False, "reason": "that is not a public address"}),
        got("t1", "refused", is_error=True),
        ("network", {**place, "allowed": True, "reason": None}),
        ("token", {"text": "It would not let me."}),
    )
    assert kinds(story.steps) == ["tool", "denied", "text"]
    assert (story.steps[1].reason, story.turns) == ("that is not a public address", 2)
    assert "inside.example" in story.steps[1].summary


def test_an_approval_waits_until_it_is_decided() -> None:
    story = told(("approval", {"id": "t", "name": "Bash", "input": {}, "expires_at": 9.0, "parent_id": None}))
    assert [step.tool_use_id for step in story.waiting()] == ["t"]
    story.take(Event(2, "approval_decided", {"id": "t", "decision": "approved", "by": "user:alice"}))
    assert (story.waiting(), story.steps[0].decided_by) == ([], "user:alice")


def test_a_result_without_its_tool_changes_nothing() -> None:
    assert told(got("nobody", "x")).steps == []


def test_a_summary_is_one_short_line() -> None:
    assert summary('{"other": 1, "thing": 2}') == "other: 1, thing: 2"
    assert len(summary("word " * 100)) == 160


def with_a_subagent() -> Timeline:
    """The main thread looks, then starts an auditor, who uses a tool and answers; then the main thread answers."""
    return told(
        ("token", {"text": "I look, and ask."}),
        used("l", "Bash", {"command": "ls"}),
        got("l", "x"),
        used("a", "Agent", {"subagent_type": "auditor"}),
        used("b", "Read", {"file_path": "x"}, parent="a"),
        got("b", "1"),
        got("a", "fine"),
        ("token", {"text": "All is fine."}),
    )


def calls(*costs: int) -> list[Call]:
    return [Call(cost_microusd=cost, duration_seconds=1.0) for cost in costs]


def test_each_turn_has_the_price_of_its_call_those_of_subagents_too() -> None:
    story = with_a_subagent()
    stories._price(story, calls(1, 7, 20, 300, 4000))
    looked, listed, agent, answered = story.steps
    assert [step.cost_microusd for step in (looked, listed, agent, answered)] == [1, None, 7, 4000]
    assert (agent.steps[0].cost_microusd, agent.inside_microusd) == (20, 320)


def test_nothing_is_priced_where_calls_and_turns_differ() -> None:
    story = with_a_subagent()
    stories._price(story, calls(1, 7, 20, 300))
    assert [step.cost_microusd for step in story.steps] == [None] * 4


def test_nothing_is_priced_where_subagents_ran_at_once() -> None:
    story = told(
        used("a", "Agent", {}),
        used("b", "Agent", {}),
        used("c", "Read", {}, parent="a"),
        used("d", "Read", {}, parent="b"),
        *(got(each, "1") for each in "cdab"),
    )
    stories._price(story, calls(*range(story.turns)))
    assert story.at_once
    assert story.steps[0].cost_microusd is None
