import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from tests.people.cast import deeds, enrol, sign_in
from tests.people.conftest import PASSWORD

pytestmark = pytest.mark.django_db

NO_PROJECTS = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}


@pytest.fixture
def operator(browser: Client, alice: User) -> Client:
    browser.force_login(alice)
    return browser


@pytest.fixture
def helper(bob: User) -> Client:
    """Bob's browser, who may change users but is no superuser."""
    bob.is_staff = True
    bob.save()
    bob.user_permissions.set(Permission.objects.filter(content_type__app_label="auth"))
    browser = Client()
    browser.force_login(bob)
    return browser


def page(user: User, name: str = "change") -> str:
    return reverse(f"admin:auth_user_{name}", args=[user.pk])


def form(user: User, **fields: object) -> dict[str, object]:
    plain = {"username": user.username, "email": user.email, "is_active": "on", **NO_PROJECTS}
    return {**plain, "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00", **fields}


def test_a_new_user_is_on_record_without_the_password(operator: Client) -> None:
    typed = {"username": "carol", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    operator.post(reverse("admin:auth_user_add"), typed | NO_PROJECTS)
    (event,) = deeds("user.created")
    assert (event.actor, event.target_id, event.data["after"]["is_staff"]) == ("user:alice", "carol", False)
    assert User.objects.get(username="carol").password not in event.data_text
    assert PASSWORD not in event.data_text


def test_what_makes_somebody_staff_is_shown_before_and_after(operator: Client, bob: User) -> None:
    group = Group.objects.create(name="auditors")
    operator.post(page(bob), form(bob, is_staff="on", groups=[group.pk]))
    (event,) = deeds("user.changed")
    assert event.data == {
        "before": {"is_staff": False, "groups": []},
        "after": {"is_staff": True, "groups": ["auditors"]},
    }


def test_saving_without_a_change_says_nothing(operator: Client, bob: User) -> None:
    operator.post(page(bob), form(bob))
    assert deeds("user.changed") == []


def test_a_password_that_an_operator_sets_is_on_record(operator: Client, bob: User) -> None:
    new = "a whole new password"
    operator.post(page(bob, "password_change"), {"usable_password": "true", "password1": new, "password2": new})
    (event,) = deeds("user.password_changed")
    assert (event.actor, event.target_id) == ("user:alice", "bob")
    assert new not in event.data_text


def test_a_password_that_one_changes_oneself_is_on_record(browser: Client, bob: User) -> None:
    sign_in(browser, "bob")
    new = "a whole new password"
    typed = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert browser.post("/account/password/", typed).headers["Location"] == "/account/"
    assert [event.actor for event in deeds("user.password_changed")] == ["user:bob"]


def test_the_admins_link_to_a_new_password_leads_to_the_same_page(operator: Client) -> None:
    assert operator.get(reverse("admin:password_change")).headers["Location"] == "/account/password/"


@pytest.mark.parametrize("by", ["page", "action"])
def test_a_deleted_user_is_on_record_with_what_they_were(operator: Client, bob: User, by: str) -> None:
    if by == "page":
        operator.post(page(bob, "delete"), {"post": "yes"})
    else:
        action = {"action": "delete_selected", "_selected_action": [bob.pk], "post": "yes"}
        operator.post(reverse("admin:auth_user_changelist"), action)
    (event,) = deeds("user.deleted")
    assert event.data["before"]["username"] == "bob"
    assert not User.objects.filter(username="bob").exists()


def test_a_group_is_on_record_with_its_permissions(operator: Client) -> None:
    right = Permission.objects.get(codename="view_job")
    operator.post(reverse("admin:auth_group_add"), {"name": "auditors", "permissions": [right.pk]})
    (event,) = deeds("group.created")
    assert event.data["after"] == {"name": "auditors", "permissions": ["view_job"]}


def test_a_lost_device_is_removed_by_an_operator(operator: Client, bob: User) -> None:
    enrol(bob)
    assert "icon-yes" in operator.get(reverse("admin:auth_user_changelist")).content.decode()
    action = {"action": "remove_second_factor", "_selected_action": [bob.pk]}
    operator.post(reverse("admin:auth_user_changelist"), action)
    assert [(event.actor, event.target_id) for event in deeds("second_factor.removed")] == [("user:alice", "bob")]


class TestWhoeverMayChangeUsersButIsNoSuperuser:
    def test_does_not_become_one(self, helper: Client, bob: User) -> None:
        helper.post(page(bob), form(bob, is_staff="on", is_superuser="on"))
        bob.refresh_from_db()
        assert not bob.is_superuser

    def test_does_not_change_or_delete_one(self, helper: Client, alice: User) -> None:
        helper.post(page(alice), form(alice, email="evil@example.org"))
        new = "a whole new password"
        helper.post(page(alice, "password_change"), {"usable_password": "true", "password1": new, "password2": new})
        helper.post(page(alice, "delete"), {"post": "yes"})
        action = {"action": "delete_selected", "_selected_action": [alice.pk], "post": "yes"}
        helper.post(reverse("admin:auth_user_changelist"), action)
        kept = User.objects.get(username="alice")
        assert (kept.email, kept.check_password(PASSWORD)) == ("", True)

    def test_does_not_take_its_second_factor_away(self, helper: Client, alice: User) -> None:
        enrol(alice)
        helper.post(
            reverse("admin:auth_user_changelist"), {"action": "remove_second_factor", "_selected_action": [alice.pk]}
        )
        assert deeds("second_factor.removed") == []

    def test_does_not_change_groups(self, helper: Client) -> None:
        assert helper.get(reverse("admin:auth_group_add")).status_code == 403


def test_the_secrets_of_second_factors_have_no_page_in_the_admin(operator: Client, bob: User) -> None:
    enrol(bob)
    assert operator.get("/admin/otp_totp/totpdevice/").status_code == 404
    assert operator.get("/admin/otp_static/staticdevice/").status_code == 404
