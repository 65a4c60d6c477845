"""What the tiers free, pro and enterprise allow as they are shipped, and what an upgrade does to them."""

from datetime import timedelta
from typing import Any

import pytest

from apps.claude.catalog import MODELS
from apps.permissions import known
from apps.permissions.models import Profile
from apps.permissions.policy import Ask, allowed, decide, models_allowed
from apps.permissions.services import Rules, copy_profile, edit_profile
from apps.permissions.tiers import ship
from apps.permissions.verdict import Grant
from tests.permissions.casts import HAIKU, LATER, NOW, OPUS, SONNET, TEAM_RULES, make_profile, tier

READING = ["Read", "Glob", "Grep"]
WRITING = ["Write", "Edit", "NotebookEdit"]

pytestmark = pytest.mark.django_db


def _tools(slug: str) -> list[str]:
    return allowed(tier(slug).policy(), "tool", known.TOOLS)


def test_free_reads_and_nothing_else() -> None:
    policy = tier("free").policy()
    assert _tools("free") == READING
    assert allowed(policy, "agent", ["reviewer", "plugin:reviewer"]) == []
    assert allowed(policy, "skill", ["pdf"]) == []


def test_pro_writes_too_and_has_agents_and_skills_but_no_shell_and_no_network() -> None:
    policy = tier("pro").policy()
    assert _tools("pro") == READING + WRITING
    assert allowed(policy, "agent", ["reviewer", "plugin:reviewer"]) == ["reviewer", "plugin:reviewer"]
    assert allowed(policy, "skill", ["pdf"]) == ["pdf"]


def test_enterprise_has_everything() -> None:
    policy = tier("enterprise").policy()
    assert _tools("enterprise") == list(known.TOOLS)
    assert allowed(policy, "tool", ["mcp__tickets__search", "SomethingNew"]) == ["mcp__tickets__search", "SomethingNew"]
    assert len(models_allowed(policy, known.names()["model"])) == len(MODELS)


@pytest.mark.parametrize(("slug", "families"), [("free", {"haiku"}), ("pro", {"haiku", "sonnet"})])
def test_a_tier_has_whole_families_of_models_older_versions_included(slug: str, families: set[str]) -> None:
    names = known.names()["model"]
    expected = [model for model in names if any(family in model[0] for family in families)]
    assert models_allowed(tier(slug).policy(), names) == expected


@pytest.mark.parametrize(
    ("slug", "model", "cost_microusd"),
    [("free", HAIKU, 100_000), ("pro", SONNET, 1_000_000), ("enterprise", OPUS, 10_000_000)],
)
def test_a_task_may_cost_up_to_its_tiers_price(slug: str, model: tuple[str, ...], cost_microusd: int) -> None:
    policy = tier(slug).policy()
    assert isinstance(decide(policy, Ask(model=model, max_cost_microusd=cost_microusd)), Grant)
    assert not isinstance(decide(policy, Ask(model=model, max_cost_microusd=cost_microusd + 1)), Grant)


def test_each_tier_allows_everything_that_the_one_below_it_allows() -> None:
    free, pro, enterprise = (tier(slug) for slug in ("free", "pro", "enterprise"))
    for lower, higher in ((free, pro), (pro, enterprise)):
        assert set(_tools(lower.slug)) < set(_tools(higher.slug))
        for limit in ("max_cost_microusd", "max_seconds", "max_turns", "max_concurrency"):
            assert getattr(lower, limit) < getattr(higher, limit)


def test_a_key_without_a_profile_of_its_own_is_pro() -> None:
    assert Profile.objects.default() == tier("pro")


# -- upgrades


def _facts(slug: str, **changes: Any) -> dict[str, Any]:
    profile = tier(slug)
    names = ["slug", "name", "description", "allow", "deny", "ask"]
    limits = ["max_cost_microusd", "max_seconds", "max_turns", "max_concurrency"]
    return {name: getattr(profile, name) for name in (*names, *limits)} | changes


def test_an_upgrade_changes_the_shipped_tier_and_its_version() -> None:
    ship(Profile.objects, [_facts("free", max_turns=12)], now=LATER)
    free = tier("free")
    assert (free.max_turns, free.version, free.updated_at) == (12, 2, LATER)


def test_an_upgrade_that_changes_nothing_leaves_the_version_alone() -> None:
    before = tier("free")
    ship(Profile.objects, [_facts("free")], now=LATER + timedelta(days=1))
    assert (tier("free").version, tier("free").updated_at) == (before.version, before.updated_at)


def test_an_upgrade_leaves_an_operators_edited_copy_as_it_is() -> None:
    copy = copy_profile(profile=tier("free"), slug="mine", actor="user:alice", now=NOW)
    edit_profile(profile=copy, rules=TEAM_RULES, actor="user:alice", now=NOW)
    before = Profile.objects.values().get(slug="mine")
    ship(Profile.objects, [_facts("free", allow=["model:*"])], now=LATER)
    assert Profile.objects.values().get(slug="mine") == before


def test_a_new_tier_does_not_take_the_slug_of_an_operators_profile() -> None:
    theirs = [Rules.of(make_profile("team")), Rules.of(make_profile("team-built-in"))]
    for _ in range(2):
        ship(Profile.objects, [_facts("free") | {"slug": "team"}], now=LATER)
    assert [Rules.of(profile) for profile in Profile.objects.editable().order_by("slug")] == theirs
    assert Profile.objects.built_in().filter(slug__startswith="team").get().slug == "team-built-in-built-in"
