"""What `decide` answers, by example."""

import math

import pytest

from apps.permissions.policy import Ask, decide
from apps.permissions.verdict import Permit, Reason
from tests.permissions.casts import HAIKU, OPUS, granted, policy, refused


def test_the_grant_is_exactly_what_was_asked_for_and_within_the_limits() -> None:
    rules = policy("tool:Read", "tool:Gr*", "agent:security-*", "skill:pdf")
    ask = Ask(model=HAIKU, tools=("Read", "Grep"), agents=("security-audit",), skills=("pdf",), max_turns=5)
    grant = granted(decide(rules, ask))
    assert (grant.model, grant.tools) == ("claude-haiku-5-5", ("Read", "Grep"))
    assert (grant.agents, grant.skills) == (("security-audit",), ("pdf",))
    assert (grant.max_cost_microusd, grant.max_seconds, grant.max_turns) == (1_000_000, 600, 5)
    assert (grant.max_concurrency, grant.profile, grant.version) == (8, "team", 3)


def test_the_grant_names_for_each_thing_the_rule_that_allowed_it() -> None:
    grant = granted(decide(policy("tool:*", "tool:Read"), Ask(model=HAIKU, tools=("Read",))))
    assert grant.permits == (Permit("model:claude-haiku-5-5", "model:haiku"), Permit("tool:Read", "tool:*"))


def test_silence_is_no() -> None:
    (reason,) = refused(decide(policy("tool:Read"), Ask(model=HAIKU, tools=("Bash",)))).reasons
    why = "This key may not use Bash: no rule of profile 'team' allows tool:Bash"
    assert reason == Reason("not_allowed", "tool:Bash", None, why)


def test_deny_wins_over_every_allow_and_is_named() -> None:
    rules = policy("tool:Bash", "tool:*", deny=("tool:B*",))
    (reason,) = refused(decide(rules, Ask(model=HAIKU, tools=("Bash",)))).reasons
    why = "This key may not use Bash: rule tool:B* of profile 'team' denies it"
    assert reason == Reason("denied", "tool:Bash", "tool:B*", why)


def test_denying_one_name_of_a_model_denies_the_model() -> None:
    rules = policy("model:claude-*", deny=("model:opus",))
    (reason,) = refused(decide(rules, Ask(model=OPUS))).reasons
    assert reason.message.startswith("This key may not use model claude-opus-5-5 (opus): rule model:opus")


def test_every_reason_is_given_at_once_in_the_order_of_the_request() -> None:
    ask = Ask(
        model=OPUS,
        tools=("Bash", "Read", "*"),
        agents=("reviewer",),
        skills=("pdf",),
        max_cost_microusd=2_000_000,
        max_seconds=600.5,
        max_turns=51,
    )
    reasons = refused(decide(policy("tool:Read", deny=("skill:pdf",)), ask)).reasons
    assert [(reason.code, reason.ref) for reason in reasons] == [
        ("not_allowed", "model:claude-opus-5-5"),
        ("not_allowed", "tool:Bash"),
        ("bad_name", "tool:*"),
        ("not_allowed", "agent:reviewer"),
        ("denied", "skill:pdf"),
        ("over_limit", "max_cost_microusd"),
        ("over_limit", "max_seconds"),
        ("over_limit", "max_turns"),
    ]


@pytest.mark.parametrize(
    ("wish", "message", "rule"),
    [
        (
            {"max_cost_microusd": 1_000_001},
            "A task of this key may spend at most $1.00, not $1.000001 (profile 'team')",
            "max_cost_microusd=1000000",
        ),
        (
            {"max_seconds": 600.5},
            "A task of this key may run for at most 600 seconds, not 600.5 (profile 'team')",
            "max_seconds=600",
        ),
        (
            {"max_turns": 1_000_000},
            "A task of this key may take at most 50 turns, not 1,000,000 (profile 'team')",
            "max_turns=50",
        ),
    ],
)
def test_a_wish_beyond_a_limit_is_refused_with_both_numbers(wish: dict[str, int], message: str, rule: str) -> None:
    (reason,) = refused(decide(policy(), Ask(model=HAIKU, **wish))).reasons  # type: ignore[arg-type]
    assert (reason.message, reason.rule) == (message, rule)


def test_a_wish_of_just_the_limit_is_granted() -> None:
    grant = granted(decide(policy(), Ask(model=HAIKU, max_cost_microusd=1_000_000, max_seconds=600, max_turns=50)))
    assert (grant.max_cost_microusd, grant.max_seconds, grant.max_turns) == (1_000_000, 600, 50)


@pytest.mark.parametrize("name", ["*", "Read Bash", "Bash(*)", "Bash,Read", "--tools", "", "Re\nad", "../x", "a" * 201])
@pytest.mark.parametrize("kind", ["tools", "agents", "skills"])
def test_what_cannot_be_a_name_is_refused_even_where_everything_is_allowed(kind: str, name: str) -> None:
    everything = policy("tool:*", "agent:*", "skill:*", "model:*")
    (reason,) = refused(decide(everything, Ask(model=HAIKU, **{kind: (name,)}))).reasons  # type: ignore[arg-type]
    assert reason.code == "bad_name"
    assert len(reason.message) < 200


@pytest.mark.parametrize(("tool", "kind"), [("Agent", "agents"), ("Task", "agents"), ("Skill", "skills")])
def test_denying_the_tool_that_starts_agents_or_skills_denies_them_all(tool: str, kind: str) -> None:
    rules = policy("tool:*", "agent:*", "skill:*", deny=(f"tool:{tool}",))
    (reason,) = refused(decide(rules, Ask(model=HAIKU, **{kind: ("reviewer",)}))).reasons  # type: ignore[arg-type]
    assert (reason.code, reason.rule) == ("denied", f"tool:{tool}")
    assert "denies the tool that starts every" in reason.message


def test_agents_and_skills_need_no_rule_for_the_tool_that_starts_them() -> None:
    grant = granted(decide(policy("agent:*", "skill:*"), Ask(model=HAIKU, agents=("reviewer",), skills=("pdf",))))
    assert grant.tools == ()


def test_an_ask_rule_marks_the_tools_that_wait_for_an_approval() -> None:
    rules = policy("tool:*", "agent:*", ask=("tool:B*", "tool:Agent"))
    grant = granted(decide(rules, Ask(model=HAIKU, tools=("Read", "Bash"), agents=("reviewer",))))
    assert grant.ask_tools == ("Bash", "Agent")
    assert grant.permits[2] == Permit("tool:Bash", "tool:*", ("Bash",))


def test_an_ask_rule_allows_nothing_by_itself() -> None:
    assert refused(decide(policy(ask=("tool:Bash",)), Ask(model=HAIKU, tools=("Bash",)))).reasons[0].rule is None


def test_asking_twice_is_asking_once() -> None:
    rules = policy("tool:Read")
    assert decide(rules, Ask(model=HAIKU, tools=("Read", "Read"))) == decide(rules, Ask(model=HAIKU, tools=("Read",)))


@pytest.mark.parametrize("wish", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("limit", ["max_cost_microusd", "max_seconds", "max_turns"])
def test_a_limit_that_is_no_positive_number_cannot_even_be_asked_for(limit: str, wish: float) -> None:
    with pytest.raises(ValueError, match=f"{limit} must be a positive number"):
        Ask(model=HAIKU, **{limit: wish})  # type: ignore[arg-type]


def test_an_ask_names_its_model() -> None:
    with pytest.raises(ValueError, match="names its model"):
        Ask(model=())


def test_a_refusal_reads_as_one_line() -> None:
    text = str(refused(decide(policy(), Ask(model=HAIKU, tools=("Bash", "Read")))))
    assert text.count("This key may not use") == 2
    assert "; " in text
