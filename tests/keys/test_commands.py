import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.keys import services
from apps.keys.models import ApiKey, Membership, Project
from tests.keys.cast import person

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_a_first_key_makes_its_project_and_works() -> None:
    answer = json.loads(run("issue_key", "atlas", "--name", "laptop", "--json"))
    assert set(answer) == {"key", "id", "project"}
    key = services.authenticate(secret=answer["key"], ip=None, now=timezone.now())
    assert (key.name, key.public_id, key.project.slug) == ("laptop", answer["id"], "atlas")
    assert answer["project"] == "atlas"


def test_a_second_key_joins_the_same_project() -> None:
    run("issue_key", "atlas", "--json")
    run("issue_key", "atlas", "--json")
    assert Project.objects.count() == 1
    assert ApiKey.objects.count() == 2


def test_without_json_only_the_key_is_on_standard_output() -> None:
    secret = run("issue_key", "atlas").strip()
    assert services.authenticate(secret=secret, ip=None, now=timezone.now()).name == "default"


def test_a_profile_is_named_by_its_slug() -> None:
    answer = json.loads(run("issue_key", "atlas", "--profile", "free", "--json"))
    profile = services.find(public_id=answer["id"]).profile
    assert profile is not None
    assert profile.slug == "free"


def test_an_unknown_profile_is_answered_with_the_known_ones() -> None:
    with pytest.raises(CommandError, match="enterprise, free, pro"):
        run("issue_key", "atlas", "--profile", "gold")
    assert not Project.objects.exists()


def test_a_bad_slug_is_one_clear_line() -> None:
    with pytest.raises(CommandError, match="not a project's slug"):
        run("issue_key", "My App")


def test_a_key_without_a_name_is_refused() -> None:
    with pytest.raises(CommandError, match="--name"):
        run("issue_key", "atlas", "--name", "")


def test_revoking_by_id_ends_the_key() -> None:
    answer = json.loads(run("issue_key", "atlas", "--json"))
    assert "is revoked" in run("revoke_key", answer["id"])
    services._cache.clear()
    with pytest.raises(services.InvalidKey):
        services.authenticate(secret=answer["key"], ip=None, now=timezone.now())
    assert "already revoked" in run("revoke_key", answer["id"])


def test_revoking_an_unknown_key_says_so() -> None:
    with pytest.raises(CommandError, match="no key nobodyhasit0"):
        run("revoke_key", "nobodyhasit0")


def test_rotating_by_id_prints_a_key_that_works_beside_the_old_one() -> None:
    old = json.loads(run("issue_key", "atlas", "--json"))
    new = json.loads(run("rotate_key", old["id"], "--json"))
    assert new["rotated_from"] == old["id"]
    for secret in (old["key"], new["key"]):
        assert services.authenticate(secret=secret, ip=None, now=timezone.now()).project.slug == "atlas"
    with pytest.raises(CommandError, match="has a successor already"):
        run("rotate_key", old["id"])


def test_rotating_without_overlap_leaves_only_the_new_key() -> None:
    old = json.loads(run("issue_key", "atlas", "--json"))
    secret = run("rotate_key", old["id"], "--overlap-hours", "0").strip()
    services._cache.clear()
    assert services.authenticate(secret=secret, ip=None, now=timezone.now())
    with pytest.raises(services.InvalidKey):
        services.authenticate(secret=old["key"], ip=None, now=timezone.now())


@pytest.mark.parametrize("hours", ["-1", "99999", "1e300", "nan"])
def test_an_overlap_that_cannot_be_is_one_clear_line(hours: str) -> None:
    old = json.loads(run("issue_key", "atlas", "--json"))
    with pytest.raises(CommandError, match="takes 0 to 2160"):
        run("rotate_key", old["id"], f"--overlap-hours={hours}")


def test_rotating_an_unknown_key_says_so() -> None:
    with pytest.raises(CommandError, match="no key nobodyhasit0"):
        run("rotate_key", "nobodyhasit0")


def test_a_member_is_added_and_given_another_role() -> None:
    run("issue_key", "atlas")
    person("bob")
    assert "bob is member of atlas" in run("add_member", "atlas", "bob")
    assert "bob is owner of atlas" in run("add_member", "atlas", "bob", "--role", "owner")
    assert Membership.objects.get().role == "owner"
    with pytest.raises(CommandError, match="last owner"):
        run("add_member", "atlas", "bob", "--role", "viewer")


def test_a_member_of_nothing_and_nobody_is_refused() -> None:
    run("issue_key", "atlas")
    with pytest.raises(CommandError, match="no user 'bob'"):
        run("add_member", "atlas", "bob")
    with pytest.raises(CommandError, match="no project 'nowhere'"):
        run("add_member", "nowhere", "bob")
