"""Usage, the ledger, the jobs and the egress rows agree in every group; what is changed is named and can be mended."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.test import Client

from apps.audit.models import AuditEvent
from apps.budgets.verifying import verify
from apps.claude import pricing
from apps.jobs import usage
from apps.jobs.models import Drift, Job, ProjectRollup, Rollup
from apps.jobs.rollups import SUMS
from apps.jobs.usage import Scope
from apps.jobs.usage.rebuilding import catch_up, rebuild
from apps.keys.models import ApiKey
from tests.jobs.conftest import Ask, at_once, both_databases
from tests.jobs.ended import HAIKU, SONNET, call, end

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)


@pytest.fixture
def history(atlas: ApiKey, borealis: ApiKey) -> None:
    """Jobs of three days, most of them folded."""
    for number in range(40):
        key, kind = (atlas, "chat") if number % 3 else (borealis, "task")
        status, code = ("failed", "timeout") if number % 7 == 6 else ("completed", None)
        calls = [call(number=1, cached=50), call("claude-unknown-1", number=2, estimated=True)][: number % 3]
        at = NOON + timedelta(minutes=97 * number)
        end(key, at, *calls, status=status, error_code=code, kind=kind, model=SONNET if number % 2 else HAIKU)
        if number == 30:
            usage.fold()


def differences() -> list[str]:
    return [str(each) for each in verify().differences]


def figures() -> list[tuple[object, ...]]:
    """Everything that can be said of the history."""
    found = usage.series(
        Scope(None),
        since=NOON,
        until=NOON + timedelta(days=5),
        step="hour",
        group_by=["project", "key", "model", "kind", "status", "error_code"],
    )
    return [(row.starts_at, *row.group.values(), row.figures) for row in found.rows]


@both_databases
def test_untouched_usage_agrees_with_everything(history: None) -> None:
    report = verify()
    assert report.differences == ()
    assert report.more["usage"] > 40


@both_databases
@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE jobs_rollup SET cost_microusd = cost_microusd + 1 WHERE span = 0 AND id = {id}", "and egress rows"),
        ("UPDATE jobs_rollup SET requests = requests + 1 WHERE span = 15 AND id = {id}", "roll-up and jobs, requests"),
        ("UPDATE jobs_rollup SET calls = calls + 1 WHERE span = 15 AND id = {id}", "egress rows, calls"),
        ("UPDATE jobs_rollup SET api_key_id = {other} WHERE span = 0 AND id = {id}", "roll-up and ledger, cost"),
        (
            "UPDATE jobs_rollup SET saved_microusd = 5 + saved_microusd WHERE span = 60 AND id = {id}",
            "and hours, saved",
        ),
        ("UPDATE jobs_rollup SET latency_ms = latency_ms + 1 WHERE span = 1440 AND id = {id}", "and days, latency_ms"),
        ("DELETE FROM jobs_rollup WHERE span = 0 AND id = {id}", "roll-up and jobs, requests: 0 against 1"),
    ],
)
def test_whatever_is_changed_is_named_and_a_rebuild_mends_it(history: None, change: str, found: str) -> None:
    right = figures()
    span = int(change.split("span = ")[1].split()[0])
    row = Rollup.objects.filter(span=span, cost_microusd__gt=0, latency_ms__gt=0).latest("pk")
    other = ApiKey.objects.exclude(pk=row.api_key_id).get()
    with connection.cursor() as cursor:
        cursor.execute(change.format(id=row.pk, other=other.pk))
        assert cursor.rowcount == 1
    assert any(found in line for line in differences()), differences()

    out = StringIO()
    call_command("rebuild_usage", stdout=out)

    assert out.getvalue() == "40 jobs counted.\n"
    assert differences() == []
    assert figures() == right


@both_databases
@pytest.mark.parametrize("span", [15, 60, 1440])
def test_what_is_changed_of_a_whole_project_is_named_too(history: None, span: int) -> None:
    right = differences()
    row = ProjectRollup.objects.filter(span=span).latest("pk")
    ProjectRollup.objects.filter(pk=row.pk).update(queue_wait_03=F("queue_wait_03") + 1)
    [found] = differences()
    assert f"keys and project, {span} min, queue_wait_03: " in found
    rebuild(actor="command:test", now=NOON)
    assert differences() == right == []


@both_databases
def test_what_was_counted_by_key_before_is_added_up_by_the_migration(history: None) -> None:
    def everything() -> list[dict[str, object]]:
        places = ("project_id", "span", "start", "model", "kind", "status", "error_code")
        return list(ProjectRollup.objects.order_by(*places).values(*places, *SUMS))

    usage.fold()
    right = everything()
    ProjectRollup.objects.all().delete()
    migration = import_module("apps.jobs.migrations.0009_project_rollups")
    with connection.cursor() as cursor:
        cursor.execute(migration._ADD_UP)
    assert everything() == right != []


@both_databases
def test_jobs_that_end_during_a_rebuild_are_counted_once(history: None, atlas: ApiKey) -> None:
    def ending() -> int:
        return len([end(atlas, NOON + timedelta(minutes=number), call()) for number in range(20)])

    def folding() -> int:
        return sum(usage.fold(limit=3) for _ in range(20))

    def rebuilding() -> int:
        return sum(rebuild(actor="command:test", now=NOON) for _ in range(3))

    actions: list[Callable[[], int]] = [ending, ending, folding, rebuilding]
    at_once(actions)
    assert differences() == []
    [row] = usage.totals(Scope(None), since=NOON, until=NOON + timedelta(days=5))
    assert row.figures.requests == 80


def test_refusals_outlive_a_rebuild(history: None, ask: Ask, atlas: ApiKey) -> None:
    job = Job(id="job_x", project=atlas.project, api_key=atlas, model=HAIKU, kind="chat")
    usage.note_refusal(job, "denied", now=NOON)
    before = figures()
    rebuild(actor="command:test", now=NOON)
    assert figures() == before
    assert differences() == []


def test_what_ended_before_there_were_roll_ups_is_caught_up_with(history: None) -> None:
    right = figures()
    Rollup.objects.all().delete()
    assert catch_up(now=NOON) == 40
    assert figures() == right
    assert catch_up(now=NOON) == 0


def test_a_cost_that_drifts_is_put_on_record_once(atlas: ApiKey) -> None:
    fair = call(read=1_000_000)
    end(atlas, NOON, fair, cli_microusd=fair.cost_microusd)
    usage.fold()
    assert usage.raise_drifts(now=NOON) == 0
    end(atlas, NOON, fair, cli_microusd=fair.cost_microusd * 2)
    usage.fold()
    assert usage.raise_drifts(now=NOON) == 1
    assert usage.raise_drifts(now=NOON) == 0
    drift = Drift.objects.get()
    assert (drift.model, drift.measure, drift.day) == (HAIKU, "cli", NOON.date())
    assert (drift.metered_microusd, drift.other_microusd) == (2 * fair.cost_microusd, 3 * fair.cost_microusd)
    assert AuditEvent.objects.filter(action="cost.drifted", target_id=HAIKU).count() == 1
    [row] = usage.totals(Scope(None), since=NOON, until=NOON)
    assert row.figures.drifts == ("cli",)


def test_web_searches_are_no_drift(atlas: ApiKey) -> None:
    fair = call(read=1_000_000)
    end(atlas, NOON, replace(fair, cost_microusd=fair.cost_microusd + 3 * pricing.SEARCH_MICROUSD))
    usage.fold()
    assert usage.raise_drifts(now=NOON) == 0
    end(atlas, NOON, replace(fair, cost_microusd=fair.cost_microusd + 25_555))
    usage.fold()
    assert usage.raise_drifts(now=NOON) == 1
    assert Drift.objects.get().measure == "table"


def test_the_admin_lists_what_usage_is_read_from_and_changes_nothing(history: None, admin_client: Client) -> None:
    for name in ("rollup/", "rollup/?span=1440", "projectrollup/", "projectrollup/?span=60", "drift/"):
        address = f"/admin/jobs/{name}"
        assert admin_client.get(address, headers={"host": "localhost"}).status_code == 200
    row = Rollup.objects.latest("pk")
    page = admin_client.get(f"/admin/jobs/rollup/{row.pk}/change/", headers={"host": "localhost"}).content.decode()
    assert HAIKU in page or SONNET in page
    assert 'name="_save"' not in page
