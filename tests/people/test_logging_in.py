import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.people.cast import deeds, is_in, sign_in

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("door", "to"), [("/login/", "/"), ("/admin/login/", "/admin/")])
def test_the_right_password_lets_in(browser: Client, alice: User, door: str, to: str) -> None:
    assert sign_in(browser, "alice", door=door).headers["Location"] == to
    assert is_in(browser)
    (event,) = deeds("login.succeeded")
    assert (event.actor, event.target_id, event.ip) == ("user:alice", "alice", "127.0.0.1")


def test_a_page_that_needs_a_login_is_what_one_sees_next(browser: Client, bob: User) -> None:
    asked = browser.get("/account/")
    assert asked.headers["Location"] == "/login/?next=/account/"
    assert sign_in(browser, "bob", to="/account/").headers["Location"] == "/account/"


def test_nobody_is_sent_to_another_host(browser: Client, bob: User) -> None:
    assert sign_in(browser, "bob", to="https://evil.example.org/").headers["Location"] == "/"


def test_the_admins_door_is_closed_to_who_may_not_use_it(browser: Client, bob: User) -> None:
    answer = sign_in(browser, "bob", door="/admin/login/")
    assert "This account may not use the admin." in answer.content.decode()
    assert not is_in(browser)


def test_who_is_logged_in_is_told_that_the_admin_is_not_theirs(browser: Client, bob: User) -> None:
    sign_in(browser, "bob")
    answer = browser.get("/admin/", follow=True)
    assert "You are logged in as bob, who may not use the admin." in " ".join(answer.content.decode().split())


def test_a_wrong_password_is_on_record_with_the_name_it_was_tried_on(browser: Client, bob: User) -> None:
    answer = sign_in(browser, "bob", "wrong")
    assert "do not belong together" in answer.content.decode()
    (event,) = deeds("login.failed")
    assert (event.actor, event.target_id, event.outcome) == ("anonymous", "bob", "refused")
    assert not is_in(browser)


def test_a_name_that_nobody_has_is_not_written_down_for_it_may_be_a_password(browser: Client, bob: User) -> None:
    sign_in(browser, "hunter2hunter2", "bob")
    (event,) = deeds("login.failed")
    assert event.target_id == ""
    assert "hunter2" not in event.data_text + event.reason


def test_logging_out_is_on_record_and_needs_a_form_of_ours(browser: Client, bob: User) -> None:
    sign_in(browser, "bob")
    assert browser.get("/logout/").status_code == 405
    assert "Log in again" in browser.post("/logout/").content.decode()
    assert not is_in(browser)
    assert [event.actor for event in deeds("login.ended")] == ["user:bob"]


def test_the_admins_logout_is_the_same(browser: Client, alice: User) -> None:
    sign_in(browser, "alice")
    browser.post("/admin/logout/")
    assert not is_in(browser)
    assert len(deeds("login.ended")) == 1


def test_login_pages_are_kept_by_no_cache(browser: Client, db: None) -> None:
    assert "no-store" in browser.get("/login/").headers["Cache-Control"]


def test_a_form_that_is_not_ours_is_refused(bob: User) -> None:
    stranger = Client(enforce_csrf_checks=True)
    assert sign_in(stranger, "bob").status_code == 403


class TestTooManyFailures:
    @pytest.mark.usefixtures("few_failures")
    @pytest.mark.parametrize("door", ["/login/", "/admin/login/"])
    def test_they_lock_out_with_a_page_that_says_for_how_long(self, browser: Client, alice: User, door: str) -> None:
        for _ in range(3):
            answer = sign_in(browser, "alice", "wrong", door=door)
        assert answer.status_code == 429
        assert answer.headers["Retry-After"] == "900"
        assert "15 minutes" in answer.content.decode()
        assert sign_in(browser, "alice", door=door).status_code == 429
        assert not is_in(browser)

    @pytest.mark.usefixtures("few_failures")
    def test_others_still_get_in(self, browser: Client, alice: User, bob: User) -> None:
        for _ in range(4):
            sign_in(browser, "alice", "wrong")
        sign_in(browser, "bob")
        assert is_in(browser)

    @pytest.mark.usefixtures("few_failures")
    def test_the_lockout_is_on_record_once_however_often_they_go_on(self, browser: Client, alice: User) -> None:
        for _ in range(7):
            sign_in(browser, "alice", "wrong")
        assert len(deeds("login.failed")) == 3
        assert [event.target_id for event in deeds("account.locked")] == ["alice"]

    @pytest.mark.usefixtures("few_failures")
    def test_the_right_password_in_between_begins_anew(self, browser: Client, alice: User) -> None:
        for password in ("wrong", "wrong", None, "wrong", "wrong"):
            sign_in(browser, "alice", *([password] if password else []))
        sign_in(browser, "alice")
        assert is_in(browser)
