from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from pytest_django import Settings

from apps.keys.encryption import PREFIX
from apps.people import pending, secondfactor
from apps.people.models import SecondFactor
from tests.people.cast import code_of, codes_on, deeds, enrol, is_in, sign_in, wrong_code
from tests.people.conftest import PASSWORD

pytestmark = pytest.mark.django_db


def forget_haste() -> None:
    """What django-otp remembers of failures, to make the next attempt wait."""
    for devices in (SecondFactor, StaticDevice):
        devices.objects.update(throttling_failure_timestamp=None, throttling_failure_count=0)


def test_it_is_off_until_somebody_turns_it_on(browser: Client, bob: User) -> None:
    sign_in(browser, "bob")
    assert "A login asks for the password alone." in browser.get("/account/").content.decode()


def test_it_is_turned_on_with_the_password_and_a_first_code(browser: Client, bob: User) -> None:
    sign_in(browser, "bob")
    shown = browser.post("/login/enrol/", {"password": PASSWORD})
    assert "<svg" in shown.content.decode()
    assert "no-store" in shown.headers["Cache-Control"]
    assert not SecondFactor.objects.get(user=bob).confirmed
    codes = codes_on(browser.post("/login/enrol/", {"code": code_of(bob)}))
    assert len(set(codes)) == 10
    assert SecondFactor.objects.get(user=bob).confirmed
    assert [event.target_id for event in deeds("second_factor.enrolled")] == ["bob"]


def test_a_wrong_first_code_turns_nothing_on(browser: Client, bob: User) -> None:
    sign_in(browser, "bob")
    browser.post("/login/enrol/", {"password": PASSWORD})
    answer = browser.post("/login/enrol/", {"code": wrong_code(bob)})
    assert "This code is not right" in answer.content.decode()
    assert not SecondFactor.objects.get(user=bob).confirmed


def test_a_session_that_was_left_open_cannot_turn_it_on(browser: Client, bob: User) -> None:
    sign_in(browser, "bob")
    answer = browser.post("/login/enrol/", {"password": "a guess"})
    assert "This is not your password." in answer.content.decode()
    assert not SecondFactor.objects.filter(user=bob).exists()


def test_the_password_alone_lets_nobody_in(browser: Client, alice: User) -> None:
    enrol(alice)
    for door in ("/login/", "/admin/login/"):
        assert sign_in(browser, "alice", door=door).headers["Location"] == "/login/code/"
        assert not is_in(browser)
        assert browser.get("/admin/").status_code == 302
    assert not deeds("login.succeeded")


def test_the_code_does_and_leads_where_one_wanted_to_go(browser: Client, alice: User) -> None:
    enrol(alice)
    sign_in(browser, "alice", door="/admin/login/", to="/admin/keys/project/")
    answer = browser.post("/login/code/", {"code": code_of(alice)})
    assert answer.headers["Location"] == "/admin/keys/project/"
    assert is_in(browser)
    (event,) = deeds("login.succeeded")
    assert event.data == {"second_factor": "totp"}


def test_a_code_works_once(browser: Client, alice: User) -> None:
    enrol(alice)
    code = code_of(alice)
    sign_in(browser, "alice")
    browser.post("/login/code/", {"code": code})
    browser.post("/logout/")
    sign_in(browser, "alice")
    assert "used already" in browser.post("/login/code/", {"code": code}).content.decode()
    assert not is_in(browser)


def test_a_recovery_code_works_once_and_is_kept_as_a_digest(browser: Client, alice: User) -> None:
    code = enrol(alice)[0]
    assert not StaticToken.objects.filter(token__in=[code, code.replace("-", "")]).exists()
    sign_in(browser, "alice")
    browser.post("/login/code/", {"code": f" {code.upper()} "})
    assert is_in(browser)
    assert deeds("login.succeeded")[-1].data == {"second_factor": "recovery code"}
    assert "9 recovery codes left" in browser.get("/account/").content.decode()
    browser.post("/logout/")
    sign_in(browser, "alice")
    browser.post("/login/code/", {"code": code})
    assert not is_in(browser)


def test_guessing_codes_waits_then_locks_out_and_is_on_record(browser: Client, alice: User, few_failures: None) -> None:
    enrol(alice)
    sign_in(browser, "alice")
    guesses = [browser.post("/login/code/", {"code": wrong_code(alice)}) for _ in range(2)]
    assert "before you try again" in guesses[1].content.decode()
    for _ in range(2):
        forget_haste()
        answer = browser.post("/login/code/", {"code": wrong_code(alice)})
    assert answer.status_code == 429
    forget_haste()
    assert browser.post("/login/code/", {"code": code_of(alice)}).status_code == 429
    assert {event.reason for event in deeds("login.failed")} == {"second factor"}
    assert len(deeds("account.locked")) == 1


def test_a_half_login_does_not_last(browser: Client, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    enrol(alice)
    sign_in(browser, "alice")
    monkeypatch.setattr(pending, "LASTS", timedelta(0))
    assert browser.post("/login/code/", {"code": code_of(alice)}).headers["Location"] == "/login/"
    assert not is_in(browser)


def test_a_half_login_ends_when_the_account_is_closed_or_its_password_changed(browser: Client, alice: User) -> None:
    enrol(alice)
    sign_in(browser, "alice")
    alice.set_password("another one entirely")
    alice.save()
    assert browser.post("/login/code/", {"code": code_of(alice)}).headers["Location"] == "/login/"
    sign_in(browser, "alice", "another one entirely")
    User.objects.update(is_active=False)
    assert browser.post("/login/code/", {"code": code_of(alice)}).headers["Location"] == "/login/"


def test_it_is_turned_off_with_the_password(browser: Client, bob: User) -> None:
    sign_in(browser, "bob")
    enrol(bob)
    browser.post("/account/second-factor/off/", {"password": "a guess"})
    assert SecondFactor.objects.filter(user=bob).exists()
    browser.post("/account/second-factor/off/", {"password": PASSWORD})
    assert not SecondFactor.objects.filter(user=bob).exists()
    assert not StaticToken.objects.exists()
    assert [event.actor for event in deeds("second_factor.removed")] == ["user:bob"]


def test_new_recovery_codes_void_the_old_ones(browser: Client, bob: User) -> None:
    old = enrol(bob)
    sign_in(browser, "bob")
    browser.post("/login/code/", {"code": old[0]})
    new = codes_on(browser.post("/account/second-factor/codes/", {"password": PASSWORD}))
    assert len(new) == 10
    browser.post("/logout/")
    sign_in(browser, "bob")
    browser.post("/login/code/", {"code": old[1]})
    assert not is_in(browser)
    forget_haste()
    browser.post("/login/code/", {"code": new[0]})
    assert is_in(browser)


class TestWhereTheOperatorRequiresIt:
    @pytest.fixture(autouse=True)
    def _required(self, settings: Settings) -> None:
        settings.REQUIRE_SECOND_FACTOR = True

    def test_staff_enrol_at_their_next_login_before_they_are_in(self, browser: Client, alice: User) -> None:
        assert sign_in(browser, "alice", door="/admin/login/").headers["Location"] == "/login/enrol/"
        assert not is_in(browser)
        assert "requires a second factor" in browser.get("/login/enrol/").content.decode()
        assert len(codes_on(browser.post("/login/enrol/", {"code": code_of(alice)}))) == 10
        assert browser.get("/admin/").status_code == 200

    def test_a_session_without_one_does_not_open_the_admin(self, browser: Client, alice: User) -> None:
        browser.force_login(alice)
        assert browser.get("/admin/keys/project/").status_code == 302
        enrol(alice)
        assert browser.get("/admin/keys/project/").status_code == 302

    def test_others_are_not_asked(self, browser: Client, bob: User) -> None:
        sign_in(browser, "bob")
        assert is_in(browser)


def test_nobody_enrols_for_somebody_else_with_half_a_login(browser: Client, alice: User) -> None:
    """Whoever has the password but not the device must not get a new device for it."""
    enrol(alice)
    sign_in(browser, "alice")
    assert browser.get("/login/enrol/").headers["Location"].startswith("/login/")
    assert browser.post("/login/enrol/", {"code": code_of(alice)}).status_code == 302
    assert SecondFactor.objects.filter(user=alice).count() == 1


def test_its_secret_is_encrypted_where_it_lies(bob: User, settings: Settings) -> None:
    enrol(bob)
    device = SecondFactor.objects.get(user=bob)
    assert device.key.startswith(PREFIX)
    assert device.bin_key.hex() not in device.key
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another secret key" * 3
    assert secondfactor.verify(user=bob, code=code_of(bob)) == "totp", "an operator may change the secret key"


def test_recovery_codes_work_on_when_the_secret_key_changes(bob: User, settings: Settings) -> None:
    first, second, *_ = enrol(bob)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another secret key" * 3
    assert secondfactor.verify(user=bob, code=first) == "recovery code"
    with pytest.raises(secondfactor.WrongCode):
        secondfactor.verify(user=bob, code=first)
    forget_haste()
    assert secondfactor.verify(user=bob, code=second) == "recovery code"


def test_a_secret_whose_key_is_lost_says_so_and_counts_no_failure(bob: User, settings: Settings) -> None:
    enrol(bob)
    code = code_of(bob)
    settings.SECRET_KEY = "another secret key" * 3
    with pytest.raises(secondfactor.Unreadable, match="recovery code"):
        secondfactor.verify(user=bob, code=code)


@pytest.mark.django_db(transaction=True)
def test_second_factors_from_before_are_encrypted_by_the_migration(bob: User) -> None:
    enrol(bob)
    secret = SecondFactor.objects.get(user=bob).bin_key
    try:
        call_command("migrate", "people", "zero", verbosity=0)
        assert SecondFactor.objects.get(user=bob).key == secret.hex()
    finally:
        call_command("migrate", "people", verbosity=0)
    assert SecondFactor.objects.get(user=bob).bin_key == secret
