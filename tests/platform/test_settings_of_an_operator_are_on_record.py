import pytest
from django.utils import timezone

from apps.audit.models import AuditEvent
from config import changes
from config.env import Env

pytestmark = pytest.mark.django_db


def start(**environ: str) -> bool:
    """As a node's start does it."""
    return changes.note(Env.read(environ), now=timezone.now())


def last() -> AuditEvent:
    found = AuditEvent.objects.filter(action="settings.changed").order_by("at").last()
    assert found
    return found


def test_what_changed_since_the_last_start_is_shown_before_and_after() -> None:
    start(WORKERS="2", LOG_LEVEL="INFO")
    assert start(WORKERS="4", LOG_LEVEL="INFO")
    assert (last().data["before"], last().data["after"]) == ({"WORKERS": 2}, {"WORKERS": 4})
    assert last().data["settings"]["LOG_LEVEL"] == "INFO"


def test_a_start_without_a_change_says_nothing() -> None:
    start(WORKERS="2")
    assert not start(WORKERS="2")
    assert AuditEvent.objects.count() == 1


def test_that_a_secret_changed_is_seen_and_the_secret_is_not() -> None:
    start(ANTHROPIC_API_KEY="sk-ant-one-that-nobody-may-read", DATABASE_URL="postgres://u:hush@h:1/d")
    assert last().data["after"]["ANTHROPIC_API_KEY_hint"].startswith("set, ")
    start(ANTHROPIC_API_KEY="sk-ant-another-that-nobody-may-read", DATABASE_URL="postgres://u:hush@h:1/d")
    assert [*last().data["before"]] == ["ANTHROPIC_API_KEY_hint"]
    start(DATABASE_URL="postgres://u:hush@h:1/d")
    assert last().data["after"] == {"ANTHROPIC_API_KEY_hint": "not set"}
    written = " ".join(AuditEvent.objects.values_list("data_text", flat=True))
    assert "nobody-may-read" not in written
    assert "hush" not in written


def test_an_upgrade_is_a_change(settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
    start()
    monkeypatch.setattr("config.changes.settings.VERSION", "99.0.0")
    start()
    assert last().data["after"] == {"version": "99.0.0"}


def test_nodes_with_settings_of_their_own_do_not_take_turns_in_saying_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for node, workers, says in (("a", "2", True), ("b", "4", True), ("a", "2", False), ("b", "4", False)):
        monkeypatch.setattr("config.changes.socket.gethostname", lambda node=node: node)
        assert start(WORKERS=workers) is says


def test_every_setting_is_watched() -> None:
    start()
    names = {setting.metadata["name"] for setting in Env.__dataclass_fields__.values()}
    assert names == {name.removesuffix("_hint") for name in last().data["settings"]} - {"version"}
