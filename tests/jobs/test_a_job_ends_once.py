"""Whoever wants to end a job, and however many: the first wins, and there is one bill."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from django.db.models import Q

from apps.claude.spec import Call as MeteredCall
from apps.claude.spec import Outcome
from apps.jobs import eventlog, queue, services, valkey
from apps.jobs.closing import close, close_lost
from apps.jobs.events import Event, dumps
from apps.jobs.models import Call, Job, JobEvent
from apps.jobs.requests import run_spec
from apps.keys.models import ApiKey
from tests.jobs.conftest import Ask, at_once, both_databases, followed
from tests.jobs.fake_engine import metered

SAID = [Event(1, "started", {"model": "m"}), Event(2, "token", {"text": "hi"})]


def _call(job: Job, tokens: int) -> MeteredCall:
    return metered(run_spec(job), tokens, estimated=False)


@both_databases
def test_of_eight_who_close_a_job_one_does(atlas: ApiKey, ask: Ask, now: datetime) -> None:
    ask(atlas)
    job = queue.claim(worker="w", now=now)
    assert job
    running = Q(status="in_progress", worker="w")

    def closer(tokens: int) -> Callable[[], object]:
        mine = Job.objects.select_related("project").get(pk=job.pk)
        outcome = Outcome("completed", text=f"by {tokens}", calls=(_call(job, tokens),))
        return lambda: close(job=mine, outcome=outcome, events=SAID, where=running, now=now)

    ends = [end for end in at_once([closer(tokens) for tokens in range(1, 9)]) if end]

    assert len(ends) == 1
    [call] = Call.objects.all()
    job.refresh_from_db()
    assert job.result == f"by {call.output_tokens}"
    assert job.cost_microusd == call.cost_microusd
    assert JobEvent.objects.count() == len(SAID)
    assert isinstance(ends[0], Event)
    assert ends[0].data["result"] == job.result


@both_databases
def test_a_job_is_either_cancelled_while_queued_or_claimed(atlas: ApiKey, ask: Ask, now: datetime) -> None:
    for _ in range(10):
        job = ask(atlas)
        stored = Job.objects.select_related("project").get(pk=job.pk)

        actions: list[Callable[[], object]] = [
            partial(services.cancel, job=stored, now=now),
            partial(queue.claim, worker="w", now=now),
        ]

        cancelled, claimed = at_once(actions)

        job.refresh_from_db()
        assert cancelled
        if claimed:
            assert (job.status, job.cancel_requested_at) == ("in_progress", now)
        else:
            assert (job.status, job.error_code) == ("cancelled", "cancelled")


def test_the_sweep_and_the_worker_do_not_both_close(atlas: ApiKey, ask: Ask, now: datetime) -> None:
    ask(atlas)
    job = queue.claim(worker="w", now=now)
    assert job
    later = now + timedelta(minutes=1)

    assert close_lost(job=job, closer="sweep", where=Q(lease_until__lte=later), now=later)
    again = close(
        job=job, outcome=Outcome("completed", text="too late"), events=SAID, where=Q(status="in_progress"), now=later
    )

    assert again is None
    job.refresh_from_db()
    assert (job.status, job.error_code) == ("failed", "worker_lost")


def test_a_worker_that_closed_in_time_is_not_overruled(atlas: ApiKey, ask: Ask, now: datetime) -> None:
    ask(atlas)
    job = queue.claim(worker="w", now=now)
    assert job
    close(job=job, outcome=Outcome("completed", text="done"), events=SAID, where=Q(worker="w"), now=now)

    assert not close_lost(job=job, closer="sweep", where=Q(worker="w"), now=now)

    job.refresh_from_db()
    assert (job.status, job.result) == ("completed", "done")


def test_an_ended_job_cannot_be_cancelled(atlas: ApiKey, ask: Ask, now: datetime) -> None:
    job = ask(atlas)

    assert services.cancel(job=job, now=now)
    assert not services.cancel(job=job, now=now)
    assert [event.type for event in followed(job)] == ["error"]


def test_closing_by_the_sweep_tells_the_followers_what_was_said(atlas: ApiKey, ask: Ask, now: datetime) -> None:
    ask(atlas)
    job = queue.claim(worker="w", now=now)
    assert job
    _leave_traces(job, tokens=3)

    assert close_lost(job=job, closer="sweep", where=Q(worker="w"), now=now)

    events = followed(job)
    assert [(event.sequence_number, event.type) for event in events] == [(1, "started"), (2, "token"), (3, "error")]
    job.refresh_from_db()
    assert job.result == "hi"
    assert (job.output_tokens, job.estimated) == (3, True)
    assert Call.objects.get(job=job).cost_microusd == job.cost_microusd > 0


def _leave_traces(job: Job, tokens: int) -> None:
    """What a worker's writer had sent before the worker died."""
    call = metered(run_spec(job), tokens, estimated=True)
    for event in SAID:
        eventlog.append(valkey.client(), job.pk, event)
    valkey.client().hset(valkey.calls(job.pk), call.id, dumps(call.to_json()))
