"""What the roll-ups say is what the jobs were: by any grouping, in any zone, folded or not."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.budgets.services import BudgetExceeded
from apps.jobs import usage
from apps.jobs.models import Job, ProjectRollup, Rollup
from apps.jobs.usage import Scope
from apps.keys.models import ApiKey
from tests.jobs.conftest import Ask, at_once, both_databases
from tests.jobs.ended import HAIKU, SONNET, call, end

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
"""The clocks of Berlin, London and Lord Howe change within days of it."""
WEEK: dict[str, Any] = {"since": NOON - timedelta(days=7), "until": NOON + timedelta(days=14)}
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Asia/Beirut",
    "America/St_Johns",
    "Asia/Kolkata",
]


def of(*keys: ApiKey) -> Scope:
    return Scope([key.project_id for key in keys])


def test_what_a_job_took_and_cost_is_counted_once(atlas: ApiKey) -> None:
    end(atlas, NOON, call(read=100, wrote=50, cached=1000), call(SONNET, number=2), kind="task", cli_microusd=7)
    [row] = usage.totals(of(atlas), **WEEK)
    figures = row.figures
    assert (figures.requests, figures.completed, figures.failed, figures.calls) == (1, 1, 0, 2)
    assert (figures.input_tokens, figures.output_tokens, figures.cache_read_input_tokens) == (200, 100, 1000)
    job = Job.objects.get()
    assert figures.cost_microusd == figures.table_microusd == figures.cli_metered_microusd == job.cost_microusd > 0
    assert figures.saved_microusd == 1000 * (100 - 10) // 1000
    assert (figures.cli_microusd, figures.cli_requests) == (7, 1)
    assert figures.cache_hit_rate == round(1000 / 1200, 4)


def test_failed_cancelled_and_refused_requests_have_their_own_counts_and_codes(
    atlas: ApiKey, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    end(atlas, NOON, status="failed", error_code="timeout")
    end(atlas, NOON, status="failed", error_code="timeout")
    end(atlas, NOON, status="cancelled", error_code="cancelled")

    def no_money(**_: object) -> int:
        raise BudgetExceeded([])

    monkeypatch.setattr("apps.jobs.admission.hold", no_money)
    with pytest.raises(BudgetExceeded):
        ask(atlas)
    [row] = usage.totals(of(atlas), since=NOON, until=datetime.now(UTC))
    figures = row.figures
    assert (figures.requests, figures.completed, figures.failed, figures.cancelled, figures.refused) == (4, 0, 2, 1, 1)
    assert figures.errors == {"timeout": 2, "cancelled": 1, "budget_exceeded": 1}
    assert not Job.objects.filter(status="queued").exists()


def test_times_are_read_off_buckets_of_a_fixed_size(atlas: ApiKey) -> None:
    for tenth in range(1, 101):
        end(atlas, NOON, ran=tenth / 10, waited=0)
    [row] = usage.totals(of(atlas), **WEEK)
    latency = row.figures.latency
    assert latency.count == 100
    assert latency.mean_seconds == 5.05
    assert latency.p50_seconds
    assert latency.p95_seconds
    assert 4 < latency.p50_seconds < 6
    assert 8.5 < latency.p95_seconds < 11.5
    assert row.figures.first_token.p50_seconds is None
    assert row.figures.queue_wait.p99_seconds is not None
    assert row.figures.queue_wait.p99_seconds < 0.01


def test_another_project_is_never_counted(atlas: ApiKey, borealis: ApiKey) -> None:
    end(borealis, NOON, call())
    [row] = usage.totals(of(atlas), **WEEK)
    assert row.figures.requests == 0
    assert usage.totals(Scope([]), **WEEK)[0].figures.requests == 0
    assert usage.totals(Scope(None), **WEEK)[0].figures.requests == 1


def test_groups_are_named_as_on_the_wire_and_for_people(atlas: ApiKey, borealis: ApiKey) -> None:
    end(atlas, NOON, call())
    end(borealis, NOON, call(), call(SONNET, number=2))
    rows = usage.top(Scope(None), **WEEK, by="project", measure="cost_microusd")
    assert [row.group["project"] for row in rows] == ["borealis", "atlas"]
    [row] = usage.totals(of(atlas), **WEEK, group_by=["key", "model"])
    assert (row.group, row.labels["key"]) == ({"key": "atlas", "model": HAIKU}, atlas.name)


def test_without_groups_each_step_has_a_row(atlas: ApiKey) -> None:
    end(atlas, NOON, call())
    found = usage.series(of(atlas), since=NOON - timedelta(days=1), until=NOON + timedelta(days=1))
    assert [(row.starts_at.day, row.figures.requests) for row in found.rows if row.starts_at] == [
        (27, 0),
        (28, 1),
        (29, 0),
    ]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("step", usage.STEPS)
def test_steps_tile_the_time_they_cover(atlas: ApiKey, zone: str, step: usage.StepName) -> None:
    for since in (NOON - timedelta(days=2), datetime(2026, 10, 23, 5, 20, tzinfo=UTC)):
        found = usage.series(of(atlas), since=since, until=since + timedelta(days=9), step=step, tz=zone)
        assert found.since <= since
        assert found.until >= since + timedelta(days=9)
        borders = [(row.starts_at, row.ends_at) for row in found.rows]
        assert borders[0][0] == found.since
        assert borders[-1][1] == found.until
        assert [end for _, end in borders[:-1]] == [start for start, _ in borders[1:]]
        local = [start.astimezone(ZoneInfo(zone)) for start, _ in borders if start]
        if step != "hour":
            assert {(moment.hour, moment.minute) for moment in local} <= {(0, 0), (1, 0)}
        if step == "month":
            assert {moment.day for moment in local} == {1}


def _brute(jobs: list[Job], zone: ZoneInfo, name: Callable[[Job], tuple[str, ...]]) -> dict[object, Counter[str]]:
    found: dict[object, Counter[str]] = {}
    for job in jobs:
        assert job.finished_at
        place = (job.finished_at.astimezone(zone).date(), *name(job))
        found.setdefault(place, Counter()).update(
            requests=1, input=job.input_tokens, output=job.output_tokens, cost=job.cost_microusd
        )
    return found


@both_databases
def test_any_day_in_any_zone_is_the_sum_of_its_jobs(atlas: ApiKey, borealis: ApiKey) -> None:
    minutes = st.integers(0, 20 * 24 * 60)
    one = st.tuples(
        minutes, st.integers(0, 59), st.sampled_from(["chat", "task"]), st.booleans(), st.integers(1, 10**7)
    )

    @settings(max_examples=12, suppress_health_check=list(HealthCheck))
    @given(st.lists(one, min_size=1, max_size=12), st.sampled_from(ZONES), st.integers(0, 12))
    def check(ends: list[tuple[int, int, str, bool, int]], zone: str, folded_after: int) -> None:
        for rollups in (Rollup, ProjectRollup):
            rollups.objects.all().delete()
        mark = set(Job.objects.values_list("pk", flat=True))
        for number, (minute, second, kind, ours, tokens) in enumerate(ends):
            at = WEEK["since"] + timedelta(minutes=minute, seconds=second)
            end(atlas if ours else borealis, at, call(read=tokens), kind=kind)
            if number == folded_after:
                assert usage.fold() == number + 1
        jobs = list(Job.objects.exclude(pk__in=mark).select_related("project"))
        found = usage.series(Scope(None), **WEEK, tz=zone, group_by=["project", "kind"])
        said = {
            (row.starts_at.astimezone(ZoneInfo(zone)).date(), row.group["project"], row.group["kind"]): Counter(
                requests=row.figures.requests,
                input=row.figures.input_tokens,
                output=row.figures.output_tokens,
                cost=row.figures.cost_microusd,
            )
            for row in found.rows
            if row.starts_at
        }
        assert said == _brute(jobs, ZoneInfo(zone), lambda job: (job.project.slug, job.kind))

    check()


@both_databases
def test_any_step_and_any_stretch_of_time_is_the_sum_of_its_jobs(atlas: ApiKey, borealis: ApiKey) -> None:
    """By key and without, where clocks change and where they do not, at any quarter of an hour."""
    minute = st.integers(0, 20 * 24 * 60 - 1)
    made: list[Job] = []
    for number in range(120):
        at = WEEK["since"] + timedelta(minutes=number * 241 % (20 * 24 * 60), seconds=number % 60)
        status, code = ("failed", "timeout") if number % 5 == 0 else ("completed", None)
        key = atlas if number % 3 else borealis
        made.append(
            end(key, at, call(read=number), kind="task" if number % 2 else "chat", status=status, error_code=code)
        )
        if number == 100:
            usage.fold()

    def brute(since: datetime, until: datetime, key: ApiKey | None) -> tuple[int, int, int, int]:
        here = [job for job in made if job.finished_at and since <= job.finished_at < until]
        here = [job for job in here if key is None or job.api_key_id == key.pk]
        late = sum(job.error_code == "timeout" for job in here)
        return len(here), late, sum(job.cost_microusd for job in here), len(here) - late

    def said(figures: usage.Figures) -> tuple[int, int, int, int]:
        return figures.requests, figures.errors.get("timeout", 0), figures.cost_microusd, figures.latency.count

    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(
        minute, minute, st.sampled_from(usage.STEPS), st.sampled_from(ZONES), st.sampled_from([None, atlas, borealis])
    )
    def check(one: int, other: int, step: usage.StepName, zone: str, key: ApiKey | None) -> None:
        since, until = (WEEK["since"] + timedelta(minutes=number) for number in sorted((one, other)))
        scope = Scope(None, key_id=key.pk if key else None)
        found = usage.series(scope, since=since, until=until, step=step, tz=zone)
        assert [said(row.figures) for row in found.rows] == [
            brute(row.starts_at, row.ends_at, key) for row in found.rows if row.starts_at and row.ends_at
        ]
        [total] = usage.totals(scope, since=since, until=until)
        first, last = usage.quarters(since, max(until, since + timedelta(seconds=1)))
        assert said(total.figures) == brute(first, last, key)
        if key is None:
            by_key = usage.series(scope, since=since, until=until, step=step, tz=zone, group_by=["key"])
            assert usage.together(row.figures for row in by_key.rows) == usage.together(
                row.figures for row in found.rows
            )
            assert all(row.figures.requests for row in by_key.rows)

    check()


@both_databases
def test_folding_while_jobs_end_loses_and_doubles_nothing(atlas: ApiKey, borealis: ApiKey) -> None:
    def ending(key: ApiKey) -> Callable[[], list[int]]:
        return lambda: [len(end(key, NOON + timedelta(minutes=10 * number), call()).id) for number in range(25)]

    def folding() -> list[int]:
        counts = []
        for _ in range(40):
            usage.fold(limit=7)
            [row] = usage.totals(Scope(None), **WEEK)
            counts.append(row.figures.requests)
        return counts

    *_, first, second = at_once([ending(atlas), ending(atlas), ending(borealis), folding, folding])
    while usage.fold(limit=7):
        pass
    [row] = usage.totals(Scope(None), **WEEK)
    assert row.figures.requests == 75
    assert row.figures.cost_microusd == sum(Job.objects.values_list("cost_microusd", flat=True))
    assert first == sorted(first)
    assert second == sorted(second)
    assert not Rollup.objects.unfolded().exists()
    for span in (15, 60, 1440):
        assert sum(Rollup.objects.filter(span=span).values_list("requests", flat=True)) == 75


@pytest.mark.parametrize(("group_by", "count"), [([], 2), (["model", "kind"], 2), (["key", "project"], 4)])
def test_a_question_takes_the_same_queries_however_much_there_is(
    atlas: ApiKey,
    borealis: ApiKey,
    django_assert_num_queries: Callable[..., object],
    group_by: list[usage.Dimension],
    count: int,
) -> None:
    for jobs in (1, 10):
        for number in range(jobs):
            end(atlas, NOON + timedelta(hours=number), call(), status="failed", error_code="timeout")
            end(borealis, NOON + timedelta(hours=number), call(), model=SONNET)
        with django_assert_num_queries(count):  # type: ignore[attr-defined]
            usage.series(Scope(None), **WEEK, group_by=group_by, tz="Europe/Berlin")
