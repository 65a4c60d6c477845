"""Patterns and names: what can be written, and what it matches."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apps.permissions.refs import KINDS, BadPattern, Pattern, parse, parse_all, ref

GLOBS = st.text("ab*", min_size=1, max_size=12)


@given(st.text("ab*", min_size=1, max_size=6), st.text("ab", min_size=1, max_size=4))
@example("a*a", "a")
@example("*a*a*", "ba")
@example("ab*ba", "aba")
@example("a*b*b", "ab")
def test_a_star_is_any_run_of_characters_and_everything_else_is_itself(glob: str, name: str) -> None:
    model = re.fullmatch(glob.replace("*", ".*"), name)
    assert Pattern("tool", glob).matches(ref("tool", name)) == bool(model)


def test_a_pattern_of_many_stars_is_still_quick() -> None:
    assert not parse("tool:" + "a*" * 90 + "b").matches(ref("tool", "a" * 200))


@pytest.mark.parametrize("kind", KINDS)
def test_a_pattern_speaks_of_its_own_kind_only(kind: str) -> None:
    matched = [other for other in KINDS if parse(f"{kind}:*").matches(ref(other, "reviewer"))]
    assert matched == [kind]


def test_case_counts() -> None:
    assert not parse("tool:bash").matches(ref("tool", "Bash"))


def test_a_model_is_matched_under_its_id_and_under_its_short_name() -> None:
    haiku = ref("model", "claude-haiku-5-5", "haiku")
    assert all(parse(text).matches(haiku) for text in ("model:haiku", "model:claude-haiku-*", "model:claude-haiku-5-5"))
    assert not parse("model:sonnet").matches(haiku)


@pytest.mark.parametrize(("rule", "asked"), [("Task", "Agent"), ("Agent", "Task"), ("KillShell", "TaskStop")])
def test_a_rule_catches_a_tool_under_the_other_names_the_cli_has_for_it(rule: str, asked: str) -> None:
    assert parse(f"tool:{rule}").matches(ref("tool", asked))


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "must not be empty"),
        ("Bash", "write for instance tool:Bash"),
        ("tools:Bash", "use tool, agent, skill or model"),
        ("Tool:Bash", "write tool:Bash"),
        ("tool:", r"write tool:\* for every tool"),
        ("tool:Bash(git:*)", "write tool:Bash"),
        ("tool:Read Bash", "one pattern for each"),
        ("tool:Read,Bash", "one pattern for each"),
        ("tool:Read\n", "one pattern for each"),
        (" tool:Read", "there is no kind ' tool'"),
        ("tool:Ba?h", r"wild card \*"),
        ("tool:[BR]*", r"wild card \*"),
        ("tool:{Read}", r"wild card \*"),
        ("tool:!Read", r"wild card \*"),
        ("tool:-Read", r"wild card \*"),
        ("tool:Réad", r"wild card \*"),
        ("tool:Read\x00", r"wild card \*"),
        ("tool:" + "a" * 200, "longer than 200"),
    ],
)
def test_what_cannot_be_read_is_refused_with_advice(text: str, advice: str) -> None:
    with pytest.raises(BadPattern, match=advice):
        parse(text)


def test_patterns_keep_their_order_and_lose_their_repetitions() -> None:
    assert [str(rule) for rule in parse_all(["tool:Read", "model:*", "tool:Read"])] == ["tool:Read", "model:*"]


@given(st.sampled_from(KINDS), GLOBS)
def test_a_pattern_reads_back_as_it_was_written(kind: str, glob: str) -> None:
    assert str(parse(f"{kind}:{glob}")) == f"{kind}:{glob}"


def test_a_thing_without_a_name_is_no_thing() -> None:
    with pytest.raises(ValueError, match="needs a name"):
        ref("agent")
