"""Creating, copying, editing and deleting profiles, and what is recorded of it."""

from dataclasses import replace

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from apps.keys.models import Project
from apps.keys.services import issue
from apps.permissions import services
from apps.permissions.models import Profile
from apps.permissions.policy import Ask, decide
from apps.permissions.refs import BadPattern
from apps.permissions.services import BuiltIn, EditedMeanwhile, InUse, Rules
from tests.permissions.casts import HAIKU, LATER, NOW, TEAM_RULES, deeds, granted, make_profile, refused, tier

pytestmark = pytest.mark.django_db

CHEAPER = replace(TEAM_RULES, max_cost_microusd=100_000)


def edit(profile: Profile, rules: Rules = CHEAPER) -> Profile:
    return services.edit_profile(profile=profile, rules=rules, actor="user:alice", now=LATER)


def test_a_profiles_policy_is_its_rules(team: Profile) -> None:
    grant = granted(decide(team.policy(), Ask(model=HAIKU, tools=("Read", "Bash"), agents=("security-audit",))))
    assert (grant.profile, grant.version, grant.ask_tools) == ("team", 1, ("Bash",))
    assert grant.max_cost_microusd == 250_000
    assert refused(decide(team.policy(), Ask(model=HAIKU, tools=("Write",)))).reasons[0].rule == "tool:Write"


def test_an_edit_acts_at_once_and_is_the_next_version(team: Profile) -> None:
    edited = edit(team)
    stored = Profile.objects.get(slug="team")
    assert (edited.version, stored.version, stored.updated_at, stored.created_at) == (2, 2, LATER, NOW)
    assert stored.policy().limits.max_cost_microusd == 100_000


def test_an_edit_records_what_was_and_what_is_and_nothing_that_stayed(team: Profile) -> None:
    edit(team)
    data = {"version": 2, "before": {"max_cost_microusd": 250_000}, "after": {"max_cost_microusd": 100_000}}
    assert deeds()[-1] == ("profile.edited", "team", data)


def test_an_edit_that_changes_nothing_is_no_deed(team: Profile) -> None:
    assert edit(team, TEAM_RULES).version == 1
    assert [action for action, _, _ in deeds()] == ["profile.created"]


def test_the_slower_of_two_editors_is_told_and_overwrites_nothing(team: Profile) -> None:
    seen_by_both = Profile.objects.get(pk=team.pk)
    edit(team)
    with pytest.raises(EditedMeanwhile):
        edit(seen_by_both, replace(TEAM_RULES, name="Squad"))
    assert Profile.objects.get(pk=team.pk).name == "Team"


def test_a_shipped_tier_can_neither_be_edited_nor_deleted() -> None:
    before = Profile.objects.values().get(slug="free")
    with pytest.raises(BuiltIn):
        edit(tier("free"))
    with pytest.raises(BuiltIn):
        services.delete_profile(profile=tier("free"), actor="user:alice", now=NOW)
    assert Profile.objects.values().get(slug="free") == before
    assert deeds() == []


def test_a_copy_of_a_tier_has_its_rules_and_is_the_operators_own() -> None:
    copy = services.copy_profile(profile=tier("pro"), actor="user:alice", now=NOW)
    assert (copy.slug, copy.name, copy.built_in, copy.version) == ("pro-copy", "Pro (copy)", False, 1)
    assert replace(Rules.of(copy), name="Pro") == Rules.of(tier("pro"))
    assert deeds() == [("profile.copied", "pro-copy", {"from": "pro", "from_version": 1})]


def test_copies_of_the_same_tier_get_slugs_of_their_own() -> None:
    slugs = [services.copy_profile(profile=tier("pro"), actor="user:alice", now=NOW).slug for _ in range(3)]
    assert slugs == ["pro-copy", "pro-copy-2", "pro-copy-3"]


def test_a_profile_of_the_longest_slug_and_name_can_be_copied() -> None:
    long = make_profile("s" * 50, replace(TEAM_RULES, name="n" * 80))
    assert services.copy_profile(profile=long, actor="user:alice", now=NOW).name == "n" * 60 + " (copy)"


def test_a_slug_that_is_taken_is_refused_by_field(team: Profile) -> None:
    with pytest.raises(ValidationError) as refusal:
        services.copy_profile(profile=team, slug="free", actor="user:alice", now=NOW)
    assert list(refusal.value.message_dict) == ["slug"]


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        (replace(TEAM_RULES, allow=("Bash", "tool:Read", "tool:B?sh")), "allow"),
        (replace(TEAM_RULES, ask=("agent:reviewer",)), "ask"),
        (replace(TEAM_RULES, deny=tuple(f"tool:T{n}" for n in range(501))), "deny"),
        (replace(TEAM_RULES, name=""), "name"),
        (replace(TEAM_RULES, max_turns=-1), "max_turns"),
    ],
)
def test_what_makes_no_sense_is_refused_by_field_and_nothing_is_written(
    team: Profile, rules: Rules, field: str
) -> None:
    with pytest.raises(ValidationError) as creating:
        make_profile("other", rules)
    with pytest.raises(ValidationError) as editing:
        edit(team, rules)
    assert field in creating.value.message_dict
    assert field in editing.value.message_dict
    assert Profile.objects.filter(slug="other").count() == 0
    assert Profile.objects.get(slug="team").version == 1


def test_every_unreadable_pattern_is_named() -> None:
    with pytest.raises(ValidationError) as refusal:
        make_profile(rules=replace(TEAM_RULES, allow=("Bash", "tool:Read", "tool:B?sh")))
    assert len(refusal.value.message_dict["allow"]) == 2


@pytest.mark.parametrize("limit", ["max_cost_microusd", "max_seconds", "max_turns", "max_concurrency"])
def test_the_database_itself_refuses_a_limit_of_nothing(team: Profile, limit: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Profile.objects.filter(pk=team.pk).update(**{limit: 0})


def test_a_row_that_was_damaged_allows_nothing(team: Profile) -> None:
    Profile.objects.filter(pk=team.pk).update(deny=["tool:Ba?h"])
    with pytest.raises(BadPattern):
        Profile.objects.get(pk=team.pk).policy()


def test_a_profile_that_a_key_carries_stays(team: Profile) -> None:
    issue(project=Project.objects.create(slug="atlas", created_at=NOW), name="ci", profile=team, now=NOW)
    with pytest.raises(InUse, match="1 key carries 'team'"):
        services.delete_profile(profile=team, actor="user:alice", now=NOW)
    assert Profile.objects.filter(pk=team.pk).exists()


def test_a_deleted_profile_leaves_its_rules_in_the_record(team: Profile) -> None:
    for _ in range(2):
        services.delete_profile(profile=team, actor="user:alice", now=LATER)
    assert deeds()[1:] == [("profile.deleted", "team", {"before": TEAM_RULES.to_json()})]
    assert not Profile.objects.editable().exists()
