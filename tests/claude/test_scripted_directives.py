import pytest

from apps.claude.scripted.directives import BadDirective, Failure, ToolCall, parse


def test_a_prompt_without_directives_is_only_text() -> None:
    script = parse("  what is [[this]] about? a[0][[1]] ")
    assert script.plain == "what is [[this]] about? a[0][[1]]"
    assert script == type(script)(plain=script.plain)


def test_directives_are_found_in_the_middle_of_other_text() -> None:
    script = parse("<note>read me</note> before [[say: yes]] after")
    assert script.say == ("yes",)
    assert script.plain == "<note>read me</note> before  after"


def test_text_may_hold_further_brackets() -> None:
    assert parse("[[say: a [[tool: Bash {}]] b]] c").say == ("a [[tool: Bash {}]] b",)


def test_json_may_hold_brackets_in_strings_and_lists() -> None:
    script = parse('[[tool: Bash {"command": "[[ -f x ]] && echo ]]", "list": [[1], [2]]}]] [[say: done]]')
    assert script.tool_turns == ((ToolCall("Bash", {"command": "[[ -f x ]] && echo ]]", "list": [[1], [2]]}),),)
    assert script.say == ("done",)


def test_tools_are_turns_in_their_order_and_may_be_parallel() -> None:
    script = parse(
        '[[tool: Read {"file_path": "a"}]] [[tools: [{"name": "Bash", "input": {}}, {"name": "X"}]]] [[tool: Y]]'
    )
    names = [[call.name for call in turn] for turn in script.tool_turns]
    assert names == [["Read"], ["Bash", "X"], ["Y"]]


def test_a_failure_takes_options() -> None:
    text = '[[fail: 529 retry-after=7 type=overloaded_error message="So busy" after=10 times=2]]'
    assert parse(text).failure == Failure(529, "overloaded_error", "So busy", "7", 10, 2)


def test_times_and_counts_are_numbers() -> None:
    script = parse("[[tokens: 200]][[rate: 50]][[first: 1.5]][[delay: 0.25]][[cut: 10]][[ping: 0.5]][[piece: 3]]")
    assert (script.tokens, script.rate, script.first_seconds, script.delay_seconds) == (200, 50.0, 1.5, 0.25)
    assert (script.cut_after_tokens, script.ping_seconds, script.piece) == (10, 0.5, 3)


@pytest.mark.parametrize(("text", "tokens"), [("[[hang]]", 1), ("[[hang: 0]]", 0), ("[[hang: 12]]", 12)])
def test_a_hang_comes_after_the_first_token_unless_told_otherwise(text: str, tokens: int) -> None:
    assert parse(text).hang_after_tokens == tokens


@pytest.mark.parametrize(
    "text",
    [
        "[[tokens: many]]",
        "[[tokens: -1]]",
        "[[rate: inf]]",
        "[[fail: now]]",
        "[[tool: {}]]",
        "[[tool: Bash ls]]",
        '[[tools: {"name": "Bash"}]]',
        '[[tools: [{"input": {}}]]]',
        "[[usage: 5]]",
        "[[json: {]]",
        "[[say: no end",
    ],
)
def test_a_directive_that_makes_no_sense_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadDirective, match=r"cannot read \[\[\w+: …\]\]"):
        parse(text)
