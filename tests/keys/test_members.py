import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.test import Client
from django.urls import reverse

from apps.keys import members, services
from apps.keys.models import Membership, Project, Role
from tests.keys.cast import NOON, atlas, deeds, person

pytestmark = pytest.mark.django_db


def join(project: Project, user: User, role: Role) -> Membership:
    return members.add(project=project, user=user, role=role, actor="user:root", now=NOON)


def borealis() -> Project:
    return services.ensure_project(slug="borealis", now=NOON)[0]


def test_people_see_their_own_projects_and_no_others() -> None:
    alice, charlie = person("alice"), person("charlie")
    join(atlas(), alice, Role.OWNER)
    join(borealis(), charlie, Role.VIEWER)
    assert members.projects_of(alice) == [atlas()]
    assert members.projects_of(charlie) == [borealis()]
    assert members.role_of(user=alice, project=atlas()) == Role.OWNER
    assert members.role_of(user=charlie, project=atlas()) is None


def test_a_superuser_sees_every_project() -> None:
    root, projects = User.objects.create_superuser("root"), [atlas(), borealis()]
    assert members.projects_of(root) == projects
    assert members.role_of(user=root, project=atlas()) == Role.OWNER


def test_who_may_not_log_in_sees_nothing() -> None:
    gone, root = person("gone", is_active=False), person("root", is_active=False, is_superuser=True)
    join(atlas(), gone, Role.OWNER)
    for user in (gone, root, AnonymousUser()):
        assert members.projects_of(user) == []
        assert members.role_of(user=user, project=atlas()) is None


def test_a_person_has_one_role_in_a_project() -> None:
    alice = person("alice")
    join(atlas(), alice, Role.OWNER)
    with pytest.raises(members.AlreadyMember, match="alice"):
        join(atlas(), alice, Role.VIEWER)
    assert Membership.objects.get().role == Role.OWNER
    assert len(deeds("member.added")) == 1


def test_the_last_owner_can_neither_leave_nor_step_down() -> None:
    owner = join(atlas(), person("alice"), Role.OWNER)
    join(atlas(), person("bob"), Role.MEMBER)
    join(borealis(), person("charlie"), Role.OWNER)  # of another project: no help
    with pytest.raises(members.LastOwner):
        members.remove(membership=owner, actor="user:root", now=NOON)
    with pytest.raises(members.LastOwner):
        members.change(membership=owner, role=Role.VIEWER, actor="user:root", now=NOON)
    assert Membership.objects.get(pk=owner.pk).role == Role.OWNER
    assert deeds("member.removed") == deeds("member.changed") == []


def test_an_owner_may_go_when_there_is_another() -> None:
    owner = join(atlas(), person("alice"), Role.OWNER)
    bob = join(atlas(), person("bob"), Role.MEMBER)
    members.change(membership=bob, role=Role.OWNER, actor="user:alice", now=NOON)
    members.remove(membership=owner, actor="user:alice", now=NOON)
    assert Membership.objects.get().user.username == "bob"


def test_members_deeds_are_recorded_with_what_was_and_what_is() -> None:
    bob = join(atlas(), person("bob"), Role.VIEWER)
    members.change(membership=bob, role=Role.MEMBER, actor="user:alice", ip="192.0.2.1", now=NOON)
    assert not members.change(membership=bob, role=Role.MEMBER, actor="user:alice", now=NOON)
    members.remove(membership=bob, actor="user:alice", now=NOON)
    [added], [changed], [removed] = deeds("member.added"), deeds("member.changed"), deeds("member.removed")
    assert added.data == {"member": "bob", "after": {"role": "viewer"}}
    assert changed.data == {"member": "bob", "before": {"role": "viewer"}, "after": {"role": "member"}}
    assert removed.data == {"member": "bob", "before": {"role": "member"}}
    assert {(deed.target_id, deed.project_id) for deed in (added, changed, removed)} == {("atlas", "atlas")}
    assert changed.ip == "192.0.2.1"


def test_a_member_who_is_gone_cannot_be_changed() -> None:
    bob = join(atlas(), person("bob"), Role.VIEWER)
    members.remove(membership=bob, actor="user:alice", now=NOON)
    bob.pk = 1
    with pytest.raises(members.NotMember):
        members.change(membership=bob, role=Role.MEMBER, actor="user:alice", now=NOON)


def test_the_database_itself_keeps_roles_and_people() -> None:
    alice = person("alice")
    join(atlas(), alice, Role.OWNER)
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.update(role="king")
    with pytest.raises(ProtectedError):
        alice.delete()


def rows(*typed: tuple[Membership | None, User, Role], delete: int | None = None) -> dict[str, str]:
    """The members' part of a project's page, as a browser sends it."""
    known = [row for row in typed if row[0]]
    sent = {
        "name": "Atlas",
        "memberships-TOTAL_FORMS": str(len(typed)),
        "memberships-INITIAL_FORMS": str(len(known)),
    }
    for number, (membership, user, role) in enumerate(typed):
        prefix = f"memberships-{number}"
        sent |= {f"{prefix}-id": str(membership.pk) if membership else "", f"{prefix}-project": str(atlas().pk)}
        sent |= {f"{prefix}-user": str(user.pk), f"{prefix}-role": role.value}
        if number == delete:
            sent[f"{prefix}-DELETE"] = "on"
    return sent


def test_a_project_changes_hands_on_its_page_and_the_record_says_who_did_it(admin_client: Client) -> None:
    alice, bob = person("alice"), person("bob")
    owner, member = join(atlas(), alice, Role.OWNER), join(atlas(), bob, Role.MEMBER)
    page = reverse("admin:keys_project_change", args=[atlas().pk])
    sent = rows((owner, alice, Role.VIEWER), (member, bob, Role.OWNER), (None, person("dora"), Role.VIEWER))
    assert admin_client.post(page, sent).status_code == 302
    found = dict(Membership.objects.values_list("user__username", "role"))
    assert found == {"alice": "viewer", "bob": "owner", "dora": "viewer"}
    assert [deed.actor for deed in deeds("member.changed")] == ["user:admin"] * 2
    assert deeds("member.added")[-1].data["member"] == "dora"


@pytest.mark.parametrize("delete", [None, 0])
def test_the_page_says_so_when_a_project_would_lose_its_last_owner(admin_client: Client, delete: int | None) -> None:
    alice = person("alice")
    owner = join(atlas(), alice, Role.OWNER)
    page = reverse("admin:keys_project_change", args=[atlas().pk])
    role = Role.OWNER if delete == 0 else Role.VIEWER
    answer = admin_client.post(page, rows((owner, alice, role), delete=delete))
    assert "without an owner" in answer.content.decode()
    assert Membership.objects.get().role == Role.OWNER


def test_a_member_is_removed_on_the_page(admin_client: Client) -> None:
    alice, bob = person("alice"), person("bob")
    owner, member = join(atlas(), alice, Role.OWNER), join(atlas(), bob, Role.MEMBER)
    page = reverse("admin:keys_project_change", args=[atlas().pk])
    assert (
        admin_client.post(page, rows((owner, alice, Role.OWNER), (member, bob, Role.MEMBER), delete=1)).status_code
        == 302
    )
    assert [row.user.username for row in Membership.objects.select_related("user")] == ["alice"]
    assert [deed.actor for deed in deeds("member.removed")] == ["user:admin"]
