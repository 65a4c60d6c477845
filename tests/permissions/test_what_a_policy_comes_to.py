"""The overview and the trial: what people are shown is what `decide` would say."""

import pytest
from hypothesis import given

from apps.permissions import known
from apps.permissions.overview import overview
from apps.permissions.policy import Ask, Policy, decide
from apps.permissions.trial import trial
from apps.permissions.verdict import Grant
from apps.permissions.words import dollars, duration
from tests.permissions.casts import ASKS, HAIKU, OPUS, POLICIES, policy

NAMES = known.names()


@given(POLICIES)
def test_what_is_shown_as_allowed_is_what_a_request_is_granted(policy: Policy) -> None:
    models = {section.title: section for section in overview(policy, NAMES).sections}["Models"]
    shown = {name.partition(" ")[0]: group.verdict for group in models.groups for name in group.names}
    granted = {names[0]: isinstance(decide(policy, Ask(model=names)), Grant) for names in NAMES["model"]}
    assert {name: verdict == "Allowed" for name, verdict in shown.items()} == granted


def test_things_that_one_rule_decides_stand_together_the_usable_ones_first() -> None:
    rules = policy("tool:Read", "tool:G*", deny=("tool:Write", "tool:Glob"))
    tools = overview(rules, NAMES).sections[0].groups
    assert [(group.verdict, group.rule, group.names) for group in tools[:4]] == [
        ("Allowed", "tool:Read", ("Read",)),
        ("Allowed", "tool:G*", ("Grep",)),
        ("Denied", "tool:Glob", ("Glob",)),
        ("Denied", "tool:Write", ("Write",)),
    ]
    assert (tools[4].verdict, tools[4].rule) == ("Not allowed", "")


@pytest.mark.parametrize(
    ("rules", "note"),
    [
        (policy("tool:Bahs"), "tool:Bahs matches no known tool."),
        (policy("model:hiaku"), "model:hiaku matches no known model."),
        (policy(deny=("model:*",)), "No known model is allowed: every request would be refused."),
        (policy(ask=("tool:Edit",)), "tool:Edit would ask first, but nothing allows it: it is refused instead."),
        (
            policy("agent:*", deny=("tool:Task",)),
            "The tool Agent is denied, so no agent can start, whatever is allowed.",
        ),
        (
            policy("skill:*", deny=("tool:Skill",)),
            "The tool Skill is denied, so no skill can start, whatever is allowed.",
        ),
    ],
)
def test_what_looks_like_a_slip_is_pointed_at(rules: Policy, note: str) -> None:
    assert note in overview(rules, NAMES).notes


def test_a_shell_is_pointed_at_because_no_other_rule_binds_it() -> None:
    assert overview(policy("tool:*"), NAMES).notes[0].startswith("Bash is allowed. A shell can read, write and fetch")


def test_rules_that_mean_what_they_say_are_not_remarked_on() -> None:
    assert overview(policy("tool:Read", "tool:mcp__tickets__*", "agent:reviewer", "skill:*"), NAMES).notes == ()


@given(POLICIES, ASKS)
def test_a_trial_is_a_grant_exactly_when_no_row_is_refused(policy: Policy, ask: Ask) -> None:
    found = trial(policy, ask)
    refused = [row for row in found.rows if row.verdict == "Refused"]
    assert found.refusals == len(refused)
    assert (found.grant is not None) == (not refused)


def test_a_trial_shows_what_would_be_granted_beside_what_is_refused() -> None:
    rows = trial(policy("tool:Read"), Ask(model=OPUS, tools=("Read",), max_turns=51)).rows
    assert [(row.asked, row.verdict) for row in rows] == [
        ("model:claude-opus-5-5", "Refused"),
        ("tool:Read", "Allowed"),
        ("max_turns", "Refused"),
    ]


def test_a_granted_trial_names_the_limits() -> None:
    assert trial(policy(), Ask(model=HAIKU, max_seconds=90)).limits == "$1.00, 1 min 30 s and 50 turns"


@pytest.mark.parametrize(
    ("microusd", "text"),
    [(1, "$0.000001"), (4_200, "$0.0042"), (100_000, "$0.10"), (12_400_000, "$12.40"), (1_234_500_000, "$1,234.50")],
)
def test_money_is_written_exactly(microusd: int, text: str) -> None:
    assert dollars(microusd) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (45, "45 s"), (600, "10 min"), (5_400, "1 h 30 min"), (3_605, "1 h 5 s")]
)
def test_times_are_written_in_their_own_units(seconds: int, text: str) -> None:
    assert duration(seconds) == text
