"""Staff see every project and change nothing in it; owners say who works in theirs."""

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.keys import members, services
from apps.keys.models import ApiKey, Membership, Project, Role
from tests.dashboard.conftest import person, window

SEEN = ("overview", "jobs", "refused", "keys", "budgets", "batches", "capabilities", "members", "audit")
NOT_SEEN = ("playground", "key-new", "budget-new")


def address(name: str, *rest: object) -> str:
    return reverse(f"dashboard:{name}", args=["atlas", *rest])


@pytest.fixture
def key(atlas: Project) -> ApiKey:
    return services.issue(project=atlas, name="ci", now=timezone.now())[0]


@pytest.fixture
def alice(atlas: Project) -> User:
    return person("alice", atlas)


def role_of(project: Project, user: User) -> str | None:
    return Membership.objects.filter(project=project, user=user).values_list("role", flat=True).first()


def test_staff_see_every_page_of_every_project(atlas: Project, key: ApiKey) -> None:
    client = window(person("stan", staff=True))
    assert {client.get(address(name)).status_code for name in SEEN} == {200}
    assert {client.get(address(name)).status_code for name in NOT_SEEN} == {403}
    assert "staff, who view atlas" in client.get(address("overview")).text


def test_staff_change_nothing(atlas: Project, key: ApiKey, alice: User) -> None:
    client = window(person("stan", staff=True))
    member = Membership.objects.get(user=alice)
    deeds = [
        client.post(address("key-revoke", key.public_id)),
        client.post(address("member-add"), {"person": "stan", "role": "owner"}),
        client.post(address("member-change", member.pk), {"role": "viewer"}),
        client.post(address("member-remove", member.pk)),
        client.post(address("playground-ticket"), {"key": key.public_id}),
    ]
    assert [answer.status_code for answer in deeds] == [403] * 5
    key.refresh_from_db()
    assert key.revoked_at is None
    assert role_of(atlas, alice) == "owner"


def test_staff_with_a_role_have_it(atlas: Project, key: ApiKey) -> None:
    client = window(person("stan", atlas, Role.OWNER, staff=True))
    assert client.post(address("key-revoke", key.public_id)).status_code == 302


def test_those_who_may_not_log_in_are_no_staff(atlas: Project) -> None:
    stan = person("stan", staff=True)
    stan.is_active = False
    assert list(Project.objects.of(stan)) == []
    assert members.role_of(user=stan, project=atlas) is None


def test_an_owner_adds_changes_and_removes_members(atlas: Project, alice: User) -> None:
    client, bob, mira = window(alice), person("bob"), person("mira")
    mira.email = "Mira@example.org"
    mira.save()
    client.post(address("member-add"), {"person": "bob", "role": "viewer"})
    client.post(address("member-add"), {"person": "mira@example.org", "role": "member"})
    assert (role_of(atlas, bob), role_of(atlas, mira)) == ("viewer", "member")
    client.post(address("member-change", Membership.objects.get(user=bob).pk), {"role": "owner"})
    client.post(address("member-remove", Membership.objects.get(user=mira).pk))
    assert (role_of(atlas, bob), role_of(atlas, mira)) == ("owner", None)
    told = AuditEvent.objects.filter(project_id="atlas", actor="user:alice").order_by("at")
    assert list(told.values_list("action", flat=True)) == [
        *("member.added", "member.added", "member.changed", "member.removed")
    ]


def test_the_last_owner_stays(atlas: Project, alice: User) -> None:
    client, mine = window(alice), Membership.objects.get(user=alice)
    for answer in (
        client.post(address("member-remove", mine.pk), follow=True),
        client.post(address("member-change", mine.pk), {"role": "viewer"}, follow=True),
    ):
        assert "is the last owner of atlas" in answer.text
    assert role_of(atlas, alice) == "owner"


def test_an_owner_who_leaves_is_led_out(atlas: Project, alice: User) -> None:
    person("otto", atlas)
    answer = window(alice).post(address("member-remove", Membership.objects.get(user=alice).pk))
    assert answer["Location"] == "/"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("nobody", "Nobody of this name can log in."),
        ("gone", "Nobody of this name can log in."),
        ("shared@example.org", "Several people have this address"),
        ("alice", "alice is a member of atlas already."),
        ("", "This field is required."),
    ],
)
def test_a_form_says_who_cannot_be_added(atlas: Project, alice: User, given: str, told: str) -> None:
    for name in ("one", "two"):
        User.objects.create_user(name, email="shared@example.org")
    User.objects.create_user("gone", is_active=False)
    answer = window(alice).post(address("member-add"), {"person": given, "role": "member"})
    assert (answer.status_code, told in answer.text) == (422, True)
    assert Membership.objects.filter(project=atlas).count() == 1


def test_a_member_of_another_project_is_not_in_this_one(atlas: Project, alice: User) -> None:
    other, _ = services.ensure_project(slug="borealis", now=timezone.now())
    bob = person("bob", other)
    theirs = Membership.objects.get(user=bob)
    client = window(alice)
    assert client.post(address("member-remove", theirs.pk)).status_code == 404
    assert client.post(address("member-change", theirs.pk), {"role": "viewer"}).status_code == 404
    assert role_of(other, bob) == "owner"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER])
def test_only_owners_say_who_works_here(atlas: Project, alice: User, role: Role) -> None:
    client = window(person("bob", atlas, role))
    page = client.get(address("members")).text
    assert "alice" in page
    assert "Add member" not in page
    assert client.post(address("member-add"), {"person": "bob", "role": "owner"}).status_code == 403
