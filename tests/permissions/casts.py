"""Policies, asks and names that tests share, made by hand or by hypothesis."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from apps.audit.models import AuditEvent
from apps.permissions.models import Profile
from apps.permissions.policy import Ask, Limits, Policy
from apps.permissions.refs import Kind, Pattern, parse_all
from apps.permissions.services import Rules, create_profile
from apps.permissions.verdict import Grant, Refusal

HAIKU = ("claude-haiku-5-5", "haiku")
SONNET = ("claude-sonnet-5-5", "sonnet")
OPUS = ("claude-opus-5-5", "opus")
LIMITS = Limits(max_cost_microusd=1_000_000, max_seconds=600, max_turns=50, max_concurrency=8)
KINDS: tuple[Kind, ...] = ("tool", "agent", "skill", "model")


def policy(*allow: str, deny: tuple[str, ...] = (), ask: tuple[str, ...] = (), limits: Limits = LIMITS) -> Policy:
    """A policy of profile 'team'. Haiku is always allowed, so that tests can speak of other things."""
    rules = {"allow": parse_all(("model:haiku", *allow)), "deny": parse_all(deny), "ask": parse_all(ask)}
    return Policy(profile="team", version=3, limits=limits, **rules)


def granted(verdict: Grant | Refusal) -> Grant:
    """The grant. Fails the test for a refusal."""
    assert isinstance(verdict, Grant), str(verdict)
    return verdict


def refused(verdict: Grant | Refusal) -> Refusal:
    """The refusal. Fails the test for a grant."""
    assert isinstance(verdict, Refusal), verdict
    return verdict


# Few names and short globs, so that rules and requests meet often.
NAMES = st.sampled_from(["Read", "Rename", "Bash", "Agent", "Skill", "Task", "a", "ab", "abc", "x:ab", "haiku"])
GLOBS = st.sampled_from(["*", "Read", "Re*", "*e", "Bash", "Agent", "Skill", "a*", "ab", "*:ab", "haiku", "claude-*"])
PATTERNS = st.builds(Pattern, st.sampled_from(KINDS), GLOBS)
RULES = st.lists(PATTERNS, max_size=6).map(tuple)
EVERYTHING = tuple(Pattern(kind, "*") for kind in KINDS)
COUNTS = st.integers(1, 100)
LIMIT = st.integers(30, 100)
POLICIES = st.builds(
    Policy,
    profile=st.just("team"),
    version=COUNTS,
    allow=RULES | RULES.map(lambda rules: (*rules, *EVERYTHING)),
    deny=st.just(()) | st.lists(PATTERNS, max_size=2).map(tuple),
    ask=RULES.map(lambda rules: tuple(rule for rule in rules if rule.kind == "tool")),
    limits=st.builds(Limits, max_cost_microusd=LIMIT, max_seconds=LIMIT, max_turns=LIMIT, max_concurrency=COUNTS),
)
WISHES = st.none() | st.integers(1, 60)
ASKS = st.builds(
    Ask,
    model=st.sampled_from([HAIKU, SONNET, ("claude-haiku-4-5",)]),
    tools=st.lists(NAMES, max_size=3).map(tuple),
    agents=st.lists(NAMES, max_size=2).map(tuple),
    skills=st.lists(NAMES, max_size=2).map(tuple),
    max_cost_microusd=WISHES,
    max_seconds=WISHES,
    max_turns=WISHES,
)
"""Requests. About half of them are granted, so no law below holds for want of a grant."""


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
TEAM_RULES = Rules(
    name="Team",
    description="Reads, asks before Bash, never writes.",
    allow=("tool:*", "agent:security-*", "model:haiku"),
    deny=("tool:Write",),
    ask=("tool:Bash",),
    max_cost_microusd=250_000,
    max_seconds=300,
    max_turns=20,
    max_concurrency=4,
)


def make_profile(slug: str = "team", rules: Rules = TEAM_RULES) -> Profile:
    """An operator's own profile."""
    return create_profile(slug=slug, rules=rules, actor="user:alice", now=NOW)


def tier(slug: str) -> Profile:
    """A shipped tier."""
    return Profile.objects.built_in().get(slug=slug)


def deeds() -> list[tuple[str, str, dict[str, Any]]]:
    """What was recorded about profiles: action, slug and data, oldest first."""
    events = AuditEvent.objects.filter(target_type="profile").order_by("at", "id")
    return [(event.action, event.target_id, event.data) for event in events]
