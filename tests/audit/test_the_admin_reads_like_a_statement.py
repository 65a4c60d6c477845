"""The record in the admin: everything to read, filter, search and export; nothing to change; fast on any size."""

import csv
import io
import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from apps.audit import listing, paging, services
from apps.audit.models import AuditCheckpoint, AuditEvent, AuditHead
from tests.audit.cast import NOON, Record, sealed, superuser
from tests.audit.conftest import on

LIST = "admin:audit_auditevent_changelist"


@pytest.fixture
def admin(recorded: Record, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Client:
    """A superuser's browser, whose login is not on record: a test has the record for itself."""
    with monkeypatch.context() as quiet:
        quiet.setattr("apps.people.listening.of_user", lambda *_, **__: None)
        client: Client = request.getfixturevalue("admin_client")
    return client


def page(client: Client, url: str = "", **query: str) -> str:
    """A page of the admin; the list unless told otherwise."""
    answer = client.get(url or reverse(LIST), query)
    assert answer.status_code == 200, answer.get("Location")
    return answer.content.decode()


def listed(client: Client, **query: str) -> list[str]:
    """The targets in the list, in order."""
    answer = client.get(reverse(LIST), query)
    assert answer.status_code == 200, answer.get("Location")
    return [event.target_id for event in answer.context["cl"].result_list]


def detail(client: Client, event: AuditEvent) -> str:
    """The page of one event."""
    return page(client, reverse("admin:audit_auditevent_change", args=[event.pk]))


def test_the_newest_deed_comes_first_with_everything_about_it(admin: Client, recorded: Record) -> None:
    recorded(target_id="old", now=NOON - timedelta(days=1))
    recorded(target_id="new", outcome="refused", reason="over budget", ip="10.0.0.9")
    assert listed(admin) == ["new", "old"]
    text = page(admin)
    for shown in ("2026-11-22 12:00:00", "user:alice", "key.issued", ">new</a>", "refused", "over budget", "10.0.0.9"):
        assert shown in text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"actor": "user:bob"}, ["b"]),
        ({"project_id": "borealis"}, ["c"]),
        ({"target_id": "d"}, ["d"]),
        ({"action": "login.failed"}, ["e"]),
        ({"outcome": "refused"}, ["f"]),
        ({"when": "2025"}, ["g"]),
        ({"when": "2025-03"}, ["g"]),
        ({"when": "2025-03-04"}, ["g"]),
        ({"when": "2025-03-05"}, []),
        ({"when": "2025-13"}, []),
        ({"when": "nonsense"}, []),
        ({"older": "nonsense"}, []),
        ({"q": "d"}, ["d"]),
        ({"q": " bob "}, ["b"]),
        ({"q": "req_h"}, ["h"]),
        ({"q": "borealis"}, ["c"]),
        ({"q": "nobody"}, []),
        ({"q": "bor"}, []),
        ({"actor": "user:bob", "outcome": "refused"}, []),
    ],
    ids=str,
)
def test_a_filter_or_a_search_finds_its_rows(
    admin: Client, recorded: Record, query: dict[str, str], expected: list[str]
) -> None:
    recorded(target_id="a")
    recorded(target_id="b", actor="user:bob")
    recorded(target_id="c", project_id="borealis")
    recorded(target_id="d")
    recorded(target_id="e", action="login.failed")
    recorded(target_id="f", outcome="refused")
    recorded(target_id="g", now=NOON.replace(year=2025, month=3, day=4))
    recorded(target_id="h", request_id="req_h")
    assert listed(admin, **query) == expected


def test_an_event_is_found_by_its_own_id(admin: Client, recorded: Record) -> None:
    recorded()
    event = recorded(target_id="this")
    assert listed(admin, q=str(event.id)) == ["this"]


def test_dates_lead_in_and_out(admin: Client, recorded: Record) -> None:
    recorded(now=NOON.replace(year=2025))
    recorded()
    assert [link in page(admin) for link in ("?when=2025", "?when=2026")] == [True, True]
    year = page(admin, when="2026", actor="user:alice")
    assert "?actor=user%3Aalice&amp;when=2026-11" in year
    assert "November 2026" in year
    assert "?when=2026-12" not in year
    month = page(admin, when="2026-11")
    assert "?when=2026-11-22" in month
    assert "22 Nov" in month
    assert "?when=2026-11-23" not in month
    assert "‹ November 2026" in page(admin, when="2026-11-22").replace("&lsaquo;", "‹")


def test_the_list_is_never_counted_to_its_end(admin: Client, recorded: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MOST_COUNTED", 60)
    monkeypatch.setattr("apps.audit.templatetags.audit_list.MOST_COUNTED", 60)
    sealed(90)
    with CaptureQueriesContext(connection) as queries:
        first = page(admin)
    counts = [query["sql"] for query in queries if "COUNT(" in query["sql"] and "audit_auditevent" in query["sql"]]
    assert len(counts) == 1
    assert "LIMIT 60" in counts[0]
    assert "the newest 60" in first
    answer = admin.get(reverse(LIST), {"p": "2"})
    last = list(answer.context["cl"].result_list)[-1]
    assert f"?older={last.pk}" in answer.content.decode()
    assert listed(admin, older=str(last.pk))[:2] == ["k31", "k30"]
    assert "40 audit events" in page(admin, older=str(AuditEvent.objects.get(target_id="k40").pk))


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"actor": "user:alice"},
        {"project_id": "atlas"},
        {"target_id": "k1"},
        {"action": "key.issued"},
        {"outcome": "ok"},
        {"when": "2026-11"},
        {"when": "2026", "actor": "user:alice"},
        {"q": "k1"},
        {"q": "01a20599-1fa8-77db-bd57-7abcfbeddd93"},
    ],
    ids=str,
)
def test_no_question_of_the_list_reads_the_whole_table(admin: Client, recorded: Record, query: dict[str, str]) -> None:
    sealed(3)
    with CaptureQueriesContext(connection) as queries:
        page(admin, **query)
    asked = [one["sql"] for one in queries if "audit_auditevent" in one["sql"]]
    assert asked
    for sql in asked:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            plan = [row[3] for row in cursor.fetchall()]
        assert not [step for step in plan if step == "SCAN audit_auditevent"], (sql, plan)


@on("postgresql")
def test_every_question_has_its_answer_on_postgresql_too(admin: Client, recorded: Record) -> None:
    sealed(2)
    event = recorded(target_id="k3", project_id="", request_id="req_3")
    for query in ({}, {"actor": "user:alice"}, {"outcome": "ok"}, {"when": "2026-11-22"}, {"older": str(event.pk)}):
        assert len(listed(admin, **query)) >= 1
    assert listed(admin, q=str(event.pk)) == listed(admin, q="req_3") == listed(admin, target_id="k3") == ["k3"]
    assert "As it was written" in detail(admin, event)
    assert len(export(admin, "export_jsonl", [event]).splitlines()) == 1


def test_values_are_offered_while_they_are_few(
    admin: Client, recorded: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(actor="user:bob")
    recorded(actor="user:eve")
    assert "?actor=user%3Abob" in page(admin).split('class="filters"')[1].split("</nav>")[0]
    monkeypatch.setattr(listing, "MOST_CHOICES", 1)
    assert "?actor=user%3Abob" not in page(admin).split('class="filters"')[1].split("</nav>")[0]
    assert "user:bob" in page(admin, actor="user:bob").split('class="filters"')[1].split("</nav>")[0]


def test_what_a_change_was_before_and_after_is_shown(admin: Client, recorded: Record) -> None:
    event = recorded(
        data={"before": {"limit": 5, "name": "old"}, "after": {"limit": 7, "name": "new"}, "why": "more work"}
    )
    text = detail(admin, event)
    for shown in ("<del>5</del>", "<ins>7</ins>", "<del>old</del>", "<ins>new</ins>", "more work"):
        assert shown in text


def test_an_event_leads_to_what_it_is_about(admin: Client, recorded: Record) -> None:
    text = detail(admin, recorded(target_type="project", target_id="atlas"))
    assert f"{reverse('admin:find')}?q=atlas&amp;kind=project" in text
    assert f"{reverse(LIST)}?target_id=atlas" in text


def test_an_event_tells_whether_it_is_as_it_was_written(admin: Client, recorded: Record) -> None:
    event = recorded()
    assert "Not sealed yet" in detail(admin, event)
    services.seal(now=NOON)
    assert "As it was written" in detail(admin, event)
    with superuser() as sql:
        sql("UPDATE audit_auditevent SET reason = 'x'")
    assert "Broken: the content is not what was written" in detail(admin, event)


def test_what_a_stranger_wrote_is_shown_as_text(admin: Client, recorded: Record) -> None:
    script = "<script>alert(1)</script>"
    event = recorded(
        actor=script, target_id=script, reason=script, project_id=script, ip=script,
        data={"before": {script: script}, "after": {script: 1}, "x": script},
    )  # fmt: skip
    assert script not in page(admin)
    assert script not in detail(admin, event)


@pytest.mark.parametrize("model", [AuditEvent, AuditHead, AuditCheckpoint])
def test_nothing_can_be_added_changed_or_deleted(admin: Client, recorded: Record, model: type) -> None:
    sealed(1)
    AuditCheckpoint.objects.create(position=0, seal=b"", before=NOON, at=NOON, key_id="k", mac=b"")
    name = model.__name__.lower()
    assert admin.get(reverse(f"admin:audit_{name}_add")).status_code == 403
    row: Any = model.objects.first()  # type: ignore[attr-defined]
    change = reverse(f"admin:audit_{name}_change", args=[row.pk])
    assert admin.get(change).status_code == 200
    assert admin.post(change, {"reason": "x"}).status_code == 403
    assert admin.post(reverse(f"admin:audit_{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    text = page(admin, reverse(f"admin:audit_{name}_changelist"))
    assert "delete_selected" not in text


def export(client: Client, action: str, events: list[AuditEvent], query: str = "") -> bytes:
    """What the action sends."""
    chosen = {"action": action, "_selected_action": [str(event.pk) for event in events]}
    answer = client.post(f"{reverse(LIST)}{query}", chosen)
    assert answer.status_code == 200
    assert answer["Content-Disposition"].startswith("attachment")
    return answer.content


def test_chosen_rows_are_exported_as_csv_without_formulas(admin: Client, recorded: Record) -> None:
    recorded(target_id="left out")
    chosen = [recorded(target_id="=1+1"), recorded(target_id="k2", now=NOON + timedelta(seconds=1))]
    titles, *rows = csv.reader(io.StringIO(export(admin, "export_csv", chosen).decode()))
    assert [row[titles.index("target_id")] for row in rows] == ["k2", "'=1+1"]


def test_chosen_rows_are_exported_as_json_lines(admin: Client, recorded: Record) -> None:
    chosen = [recorded(data={"n": 1})]
    (line,) = export(admin, "export_jsonl", chosen).decode().splitlines()
    assert (json.loads(line)["id"], json.loads(line)["data"]) == (str(chosen[0].id), {"n": 1})


def test_an_export_is_on_record(admin: Client, recorded: Record) -> None:
    export(admin, "export_csv", [recorded()], query=f"?{urlencode({'actor': 'user:alice'})}")
    event = AuditEvent.objects.get(action="audit.exported")
    assert (event.actor, event.ip) == ("user:admin", "127.0.0.1")
    assert event.data == {"form": "csv", "filters": "actor=user%3Aalice", "selected": 1}


def test_somebody_without_the_permission_sees_nothing(recorded: Record, client: Client, django_user_model: Any) -> None:
    client.force_login(
        django_user_model.objects.create_user("staff", is_staff=True), "django.contrib.auth.backends.ModelBackend"
    )
    assert client.get(reverse(LIST)).status_code == 403


def test_pages_style_nothing_inline_and_name_no_other_host(admin: Client, recorded: Record, settings: Settings) -> None:
    event = recorded(data={"before": {"a": 1}, "after": {"a": 2}})
    for text in (page(admin), detail(admin, event)):
        main = text.split('id="content"')[1]
        assert "style=" not in main
        assert "://" not in main.replace("http://www.w3.org/2000/svg", "")
