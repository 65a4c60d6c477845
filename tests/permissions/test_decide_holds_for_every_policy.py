"""Laws of `decide`, for policies and requests made at random."""

import json
from dataclasses import replace

from hypothesis import event, given
from hypothesis import strategies as st

from apps.permissions.policy import Ask, Policy, allowed, decide, judge, models_allowed
from apps.permissions.refs import Pattern, ref
from apps.permissions.verdict import Grant, Permit, Refusal
from tests.permissions.casts import ASKS, HAIKU, NAMES, OPUS, PATTERNS, POLICIES, SONNET

MODELS = [HAIKU, SONNET, OPUS, ("claude-haiku-4-5",)]


@given(POLICIES, ASKS, PATTERNS)
def test_another_allow_rule_never_takes_a_grant_away(policy: Policy, ask: Ask, rule: Pattern) -> None:
    before, after = decide(policy, ask), decide(replace(policy, allow=(*policy.allow, rule)), ask)
    event(type(before).__name__)
    if isinstance(before, Grant):
        assert after == before


@given(POLICIES, ASKS, PATTERNS)
def test_another_deny_rule_never_adds_a_grant(policy: Policy, ask: Ask, rule: Pattern) -> None:
    before, after = decide(policy, ask), decide(replace(policy, deny=(*policy.deny, rule)), ask)
    if isinstance(before, Refusal):
        assert isinstance(after, Refusal)
        assert {reason.ref for reason in before.reasons} <= {reason.ref for reason in after.reasons}


@given(POLICIES, ASKS, st.builds(Pattern, st.just("tool"), NAMES))
def test_another_ask_rule_changes_nothing_but_who_must_approve(policy: Policy, ask: Ask, rule: Pattern) -> None:
    before, after = decide(policy, ask), decide(replace(policy, ask=(*policy.ask, rule)), ask)
    if isinstance(before, Grant) and isinstance(after, Grant):
        assert set(before.ask_tools) <= set(after.ask_tools)
        assert replace(after, ask_tools=(), permits=()) == replace(before, ask_tools=(), permits=())
    else:
        assert before == after


@given(POLICIES, ASKS)
def test_a_grant_never_holds_more_than_the_ask_or_the_limits(policy: Policy, ask: Ask) -> None:
    verdict = decide(policy, ask)
    if isinstance(verdict, Grant):
        assert verdict.model == ask.model[0]
        assert set(verdict.tools) <= set(ask.tools)
        assert set(verdict.agents) <= set(ask.agents)
        assert set(verdict.skills) <= set(ask.skills)
        for limit in ("max_cost_microusd", "max_seconds", "max_turns"):
            assert getattr(verdict, limit) == (getattr(ask, limit) or getattr(policy.limits, limit))
            assert getattr(verdict, limit) <= getattr(policy.limits, limit)


@given(POLICIES, ASKS)
def test_a_grant_names_for_each_thing_an_allow_rule_that_matches_it(policy: Policy, ask: Ask) -> None:
    verdict = decide(policy, ask)
    if isinstance(verdict, Grant):
        rules = {str(rule): rule for rule in policy.allow}
        assert [permit.ref for permit in verdict.permits] == [str(thing) for thing in ask.refs()]
        assert all(rules[permit.rule].matches(thing) for permit, thing in zip(verdict.permits, ask.refs(), strict=True))


@given(POLICIES, ASKS)
def test_nothing_that_a_deny_rule_matches_is_ever_granted(policy: Policy, ask: Ask) -> None:
    if isinstance(decide(policy, ask), Grant):
        assert not any(rule.matches(thing) for rule in policy.deny for thing in ask.refs())


@given(POLICIES, ASKS)
def test_a_refusal_has_one_reason_for_each_thing_that_may_not_be_used(policy: Policy, ask: Ask) -> None:
    verdict = decide(policy, ask)
    reasons = verdict.reasons if isinstance(verdict, Refusal) else ()
    unusable = [str(thing) for thing in ask.refs() if not isinstance(judge(policy, thing), Permit)]
    assert [reason.ref for reason in reasons if reason.code != "over_limit"] == unusable
    assert isinstance(verdict, Refusal) == bool(reasons)


@given(POLICIES, ASKS)
def test_asking_for_less_is_never_worse(policy: Policy, ask: Ask) -> None:
    if isinstance(decide(policy, ask), Grant):
        assert isinstance(decide(policy, replace(ask, tools=ask.tools[1:], agents=(), max_turns=None)), Grant)


@given(POLICIES, ASKS)
def test_a_grant_survives_being_kept_as_json(policy: Policy, ask: Ask) -> None:
    verdict = decide(policy, ask)
    if isinstance(verdict, Grant):
        assert Grant.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict


@given(POLICIES, st.lists(NAMES, max_size=5))
def test_what_is_listed_as_allowed_is_what_would_be_granted(policy: Policy, names: list[str]) -> None:
    assert allowed(policy, "agent", names) == [
        name for name in names if isinstance(judge(policy, ref("agent", name)), Permit)
    ]


@given(POLICIES)
def test_the_models_listed_are_those_that_a_bare_chat_is_granted(policy: Policy) -> None:
    granted = [names for names in MODELS if isinstance(decide(policy, Ask(model=names)), Grant)]
    assert models_allowed(policy, MODELS) == granted
