"""Writes the demonstration: by the verbs that real work goes through, only that their clock is set back."""

from datetime import datetime, timedelta
from random import Random

from django.db import transaction
from django.db.models import Q

from apps.audit import services as audit
from apps.budgets import services as budgets
from apps.budgets.periods import Cycle, PeriodName
from apps.dashboard.demo import batching, making
from apps.dashboard.demo.cast import TEAMS, Key, Team
from apps.dashboard.demo.making import Made
from apps.jobs import usage
from apps.jobs.closing import close
from apps.jobs.ids import new_job_id
from apps.jobs.models import Job, Lane, Status
from apps.keys import services as keys
from apps.keys.models import ApiKey, Project
from apps.keys.rates import Limits
from apps.keys.terms import Terms
from apps.permissions.models import Profile

SEED = 20
CAP = 1_000_000
PERSON = "user:mira"
_HOURS = (1, 1, 1, 1, 1, 1, 2, 4, 8, 11, 12, 11, 8, 10, 12, 11, 10, 8, 5, 3, 2, 2, 1, 1)
"""How busy each hour of a working day is."""


def fill(*, now: datetime, days: int) -> bool:
    """Make the demonstration's projects, with so many days behind them. False if they are there already."""
    if Project.objects.filter(slug=TEAMS[0].slug).exists():
        return False
    rng = Random(SEED)  # noqa: S311  # nothing secret: the same story every time
    start = (now - timedelta(days=days)).replace(minute=0, second=0, microsecond=0)
    with transaction.atomic():
        for team in TEAMS:
            _team(team, rng, start=start, now=now)
    while usage.fold():
        pass
    return True


def _team(team: Team, rng: Random, *, start: datetime, now: datetime) -> None:
    project, _ = keys.ensure_project(slug=team.slug, actor=PERSON, now=start)
    project.name = team.name
    keys.save_project(project=project, actor=PERSON, now=start)
    made = [(key, _issue(project, key, start)) for key in team.keys]
    _budgets(team, project, made, start)
    own = Random(f"{SEED} {team.slug}")  # noqa: S311  # of its own, so that jobs stay as they were
    batches = batching.moments(own, start=start, now=now)
    for at in _moments(team, rng, start=start, now=now):
        while batches and batches[0] <= at:
            _batch(project, *made[0], own, at=batches.pop(0), number=len(batches), now=now)
        night = at.hour < 7 or at.hour > 20
        weights = [key.weight * (1 if key.nightly or not night else 0.05) for key, _ in made]
        key, row = rng.choices(made, weights)[0]
        _run(project, row, making.job(key, rng, at=at, number=rng.randrange(10**12)), at=at, now=now)


def _issue(project: Project, key: Key, start: datetime) -> ApiKey:
    profile = Profile.objects.filter(slug=key.profile).first()
    limits = Limits(60 if key.kind == "chat" else 20, None, 8)
    return keys.issue_on(
        project=project, terms=Terms(name=key.name, profile=profile, limits=limits), actor=PERSON, now=start
    )[0]


def _budgets(team: Team, project: Project, made: list[tuple[Key, ApiKey]], start: datetime) -> None:
    def make(name: str, usd: int, period: PeriodName, api_key: ApiKey | None = None) -> None:
        terms = budgets.Terms(name=name, limit_microusd=usd * 1_000_000)
        budgets.create(project=project, api_key=api_key, cycle=Cycle(period), terms=terms, actor=PERSON, now=start)

    make(f"{team.name} a month", 28 * team.jobs_a_day // 10, "month")
    make("Daily ceiling", max(2, team.jobs_a_day // 7), "day")
    for key, row in made:
        if key.name in ("ci-bot", "lab-agent"):
            make(f"{key.name} a week", max(2, team.jobs_a_day * 2 // 7), "week", row)


def _moments(team: Team, rng: Random, *, start: datetime, now: datetime) -> list[datetime]:
    """When its jobs were submitted, in order."""
    found = []
    hours = int((now - start).total_seconds() // 3600) + 1
    for number in range(hours):
        hour = start + timedelta(hours=number)
        quiet = 0.25 if hour.isoweekday() > 5 else 1.0
        growth = 0.55 + 0.75 * number / hours
        expected = team.jobs_a_day * quiet * growth * _HOURS[hour.hour] / sum(_HOURS)
        many = int(expected) + (rng.random() < expected % 1)
        found += [hour + timedelta(seconds=rng.uniform(0, 3600)) for _ in range(many)]
    return sorted(at for at in found if at < now - timedelta(minutes=10))


def _batch(project: Project, key: Key, row: ApiKey, rng: Random, *, at: datetime, number: int, now: datetime) -> None:
    """A batch and all of its jobs. `number`: how many come after it."""
    ending = batching.ENDINGS[number % len(batching.ENDINGS)]
    places = batching.begin(project, key, row, rng, ending, at)
    for place in places:
        _run(project, row, place.made, at=place.at, now=now, place=place)
    batching.end(places[-1].batch, now=min(places[-1].at + places[-1].made.took, now))


def _run(
    project: Project, key: ApiKey, made: Made, *, at: datetime, now: datetime, place: batching.Place | None = None
) -> None:
    """Submitted, run and closed: hold, row, record, bill and transcript; as an item of a batch if it has a place."""
    job = _row(project, key, made, at)
    if place:
        job.lane, job.batch_id, job.batch_index = Lane.BATCH, place.batch.pk, place.item.index
    what = {"kind": job.kind, "model": job.model, "cap_microusd": CAP}
    deed = {"actor": f"key:{key.public_id}", "target_type": "job", "target_id": job.pk, "project_id": project.slug}
    try:
        held = budgets.reserve(
            project_id=project.pk,
            key_id=key.pk,
            job_id=job.pk,
            amount_microusd=CAP,
            tokens=100_000,
            expires_at=at + timedelta(hours=1),
            now=at,
            shrink=True,
            minimum_microusd=made.outcome.cost_microusd,
            out_of=place.envelope if place else None,
        )
    except budgets.BudgetExceeded as refused:
        audit.record(**deed, action="job.refused", outcome="refused", reason=str(refused), data=what, now=at)
        usage.note_refusal(job, "budget_exceeded", now=at)
        if place:
            place.refuse(str(refused))
        return
    job.cap_microusd = held.amount_microusd
    job.status, job.started_at, job.lease_until = Status.IN_PROGRESS, at + made.queued, at + timedelta(hours=1)
    job.save(force_insert=True)
    if place:
        place.take(job.pk)
    audit.record(**deed, action="job.submitted", data=what, now=at)
    close(job=job, outcome=made.outcome, events=made.events, where=Q(), now=min(at + made.took, now))
    keys.touch(key=key, now=at)


def _row(project: Project, key: ApiKey, made: Made, at: datetime) -> Job:
    return Job(
        id=new_job_id(at),
        kind=made.kind,
        project=project,
        api_key=key,
        model=made.model,
        requested_model=made.model,
        request=made.request,
        cap_microusd=CAP,
        created_at=at,
        expires_at=at + timedelta(hours=1),
    )
