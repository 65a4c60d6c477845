"""What the pages over all projects ask: a fixed number of queries, however many projects there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Count

from apps.dashboard import charts
from apps.dashboard.queries import usage
from apps.dashboard.queries.jobs import PAGE, Filters, Slice, light
from apps.dashboard.ranges import Range
from apps.dashboard.visits import Survey
from apps.jobs.models import Job, JobQuerySet
from apps.jobs.usage import Figures, Row, Scope, Series, TooMuch, series, together, totals

MOST = 100
"""Projects in the table: those that spent most come first."""
APART = 100
"""So many projects are walked one by one, each by its own index; whoever sees more sees most of what there is."""


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """One project's line of the table."""

    slug: str
    name: str
    now: Figures
    before_microusd: int | None
    running: int
    line: str
    area: str

    @property
    def ended(self) -> int:
        """Requests that nobody cancelled."""
        return self.now.requests - self.now.cancelled


def project_rows(survey: Survey, period: Range, *, known: Series | None) -> list[ProjectRow]:
    """What each project came to, most spent first. `known` is the series by project, where there is one already."""
    scope = Scope(survey.ids)
    found, steps = _by_project(scope, period, known)
    earlier = _sums(scope, period.before) if period.compare else {}
    open_ = _narrowed(Job.objects.still_open(), survey.ids).values_list("project__slug").annotate(n=Count("pk"))
    running = dict(open_)
    order = sorted(found, key=lambda slug: (-found[slug][0].cost_microusd, slug))[:MOST]
    rows = [
        ProjectRow(
            slug=slug,
            name=found[slug][1],
            now=found[slug][0],
            before_microusd=earlier.get(slug, 0) if period.compare else None,
            running=running.get(slug, 0),
            line=_spark(steps, slug)[0],
            area=_spark(steps, slug)[1],
        )
        for slug in order
    ]
    quiet = survey.of().exclude(slug__in=order).order_by("slug")[: MOST - len(rows)]
    return rows + [
        ProjectRow(each.slug, each.name or each.slug, together([]), None, running.get(each.slug, 0), "", "")
        for each in quiet
    ]


def _by_project(
    scope: Scope, period: Range, known: Series | None
) -> tuple[dict[str, tuple[Figures, str]], Series | None]:
    """Sums and names by slug; and the steps they are of, unless those would be too many."""
    step = usage.step_of(period)
    try:
        steps = known or series(
            scope, since=period.start, until=period.end, step=step, group_by=["project"], plain=True
        )
    except TooMuch:
        steps = None
    rows: Sequence[Row]
    rows = steps.rows if steps is not None and steps.since == period.start else _totals(scope, period)
    parts: dict[str, list[Row]] = {}
    for row in rows:
        parts.setdefault(row.group["project"], []).append(row)
    found = {slug: (together(row.figures for row in each), each[0].labels["project"]) for slug, each in parts.items()}
    return found, steps


def _totals(scope: Scope, period: Range) -> Sequence[Row]:
    try:
        return totals(scope, since=period.start, until=period.end, group_by=["project"], plain=True)
    except TooMuch:  # twenty thousand projects: each has an overview of its own
        return ()


def _sums(scope: Scope, period: Range) -> dict[str, int]:
    return {row.group["project"]: row.figures.cost_microusd for row in _totals(scope, period)}


def _spark(steps: Series | None, slug: str) -> tuple[str, str]:
    if steps is None:
        return "", ""
    own = {row.starts_at: row for row in steps.rows if row.group["project"] == slug}
    values = [own[step].figures.cost_microusd if step in own else 0 for step in steps.steps]
    return charts.spark_of(values)


def listed(survey: Survey, filters: Filters, *, before: str = "", size: int = PAGE) -> Slice:
    """A page of the jobs of all their projects, newest first."""
    if survey.ids is not None and len(survey.ids) <= APART:
        found = list(light(Job.objects.filter(pk__in=_newest(survey.ids, filters, before, size + 1)).newest_first()))
    else:
        jobs = filters.apply(_narrowed(Job.objects.all(), survey.ids)).newest_first()
        found = list(light(jobs.filter(pk__lt=before) if before else jobs)[: size + 1])
    return Slice(found[:size], found[size - 1].pk if len(found) > size else None)


def running(survey: Survey, *, most: int = 12) -> list[Job]:
    """What runs or waits in them now, oldest first."""
    return list(light(_narrowed(Job.objects.still_open(), survey.ids).order_by("pk"))[:most])


def one(survey: Survey, job_id: str) -> Job | None:
    """A job of one of the projects."""
    return _narrowed(Job.objects.filter(pk=job_id), survey.ids).select_related("project").first()


def _narrowed(jobs: JobQuerySet, ids: Sequence[int] | None) -> JobQuerySet:
    return jobs if ids is None else jobs.filter(project_id__in=ids)


def _newest(ids: Sequence[int], filters: Filters, before: str, most: int) -> list[str]:
    """The ids of the newest jobs of these projects: the newest of each by its own index, then the newest of all.

    Walking the whole table backwards until enough of theirs have come by would take as long as others are busy.
    """
    pieces: list[str] = []
    parameters: list[Any] = []
    for number, project_id in enumerate(ids):
        jobs = filters.apply(Job.objects.filter(project_id=project_id)).newest_first()
        if before:
            jobs = jobs.filter(pk__lt=before)
        sql, given = jobs.values_list("id")[:most].query.sql_with_params()
        pieces.append(f"SELECT id FROM ({sql}) AS newest_{number}")  # noqa: S608  # Django's own statement
        parameters += given
    if not pieces:
        return []
    with connection.cursor() as cursor:
        cursor.execute(f"{' UNION ALL '.join(pieces)} ORDER BY id DESC LIMIT {int(most)}", parameters)
        return [row[0] for row in cursor.fetchall()]
