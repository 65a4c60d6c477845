"""The real `run_workers`, with its django-q2 clusters, and a fake engine."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from django.db import connection
from django.utils import timezone

from apps.jobs import health, sweep, valkey
from apps.jobs.models import Call, Job
from apps.keys.models import ApiKey
from tests.jobs.conftest import Ask, followed
from tests.support.processes import Program, assert_gone
from tests.support.valkey import ValkeyServer
from tests.support.waiting import eventually

START_SECONDS = 60.0
"""Django takes its time on a busy machine."""

RunWorkers = Callable[..., Program]


@pytest.fixture
def run_workers(database: str, valkey: ValkeyServer, tmp_path: Path) -> Iterator[RunWorkers]:
    """`run_workers(workers=2)` starts the command, and returns when so many workers are alive."""
    running: list[Program] = []

    def start(workers: int = 1, engine: str = "build", **environ: str) -> Program:
        program = Program(
            [sys.executable, "manage.py", "run_workers", "--workers", str(workers)],
            environ=os.environ
            | {
                "DJANGO_SETTINGS_MODULE": "tests.jobs.worker_settings",
                "WORKER_TEST_DATABASE": str(connection.settings_dict["NAME"]),
                "WORKER_TEST_ENGINE": engine,
                "DRAIN_SECONDS": "20",
            }
            | environ,
            log=tmp_path / "run_workers.log",
        )
        running.append(program)
        eventually(lambda: len(_workers()) == workers, seconds=START_SECONDS, message=program.output)
        return program

    yield start
    for program in running:
        program.kill()


def _workers() -> list[health.WorkerState]:
    return health.workers(now=timezone.now())


def _worker_process() -> psutil.Process:
    [worker] = _workers()
    return psutil.Process(int(str(worker.engine["pid"])))


def _until_said(job: Job, tokens: int) -> None:
    """Wait until the job runs and so much of its bill can be known."""
    eventually(lambda: valkey.client().xlen(valkey.stream(job.pk)) > 1, seconds=START_SECONDS)
    eventually(lambda: f'"output_tokens":{tokens}' in str(valkey.client().hvals(valkey.calls(job.pk))))


def test_a_killed_workers_jobs_are_closed_and_the_next_one_is_served(
    run_workers: RunWorkers, atlas: ApiKey, ask: Ask
) -> None:
    run_workers()
    lost = [ask(atlas, tokens=3, hang=True) for _ in range(2)]
    for job in lost:
        _until_said(job, tokens=3)
    worker = _worker_process()
    cluster = [worker, *worker.parent().children()]  # type: ignore[union-attr]

    worker.kill()

    for job in lost:
        last = followed(job)[-1]
        assert last.data["error"]["code"] == "worker_lost"  # type: ignore[index]
        job.refresh_from_db()
        assert (job.output_tokens, job.estimated) == (3, True)
        assert Call.objects.get(job=job).cost_microusd == job.cost_microusd > 0
    assert_gone(cluster)
    assert followed(ask(atlas, tokens=2))[-1].type == "done"


@pytest.mark.parametrize("victim", ["guard", "pusher"])
def test_whichever_process_is_killed_jobs_are_served_again(
    run_workers: RunWorkers, atlas: ApiKey, ask: Ask, victim: str
) -> None:
    program = run_workers()
    worker = _worker_process()
    guard = worker.parent()
    assert guard
    [pusher] = [process for process in guard.children() if process != worker]
    job = ask(atlas, tokens=3, hang=True)
    _until_said(job, tokens=3)

    (guard if victim == "guard" else pusher).kill()
    if victim == "guard":
        assert_gone([worker, pusher])  # what they may still take before that is lost with them

    for _ in range(5):
        assert followed(ask(atlas, tokens=2))[-1].type == "done"
    if victim == "guard":
        assert followed(job)[-1].data["error"]["code"] == "worker_lost"  # type: ignore[index]
    else:
        job.refresh_from_db()
        assert job.status == "in_progress"
    assert program.exit_status is None


def test_when_the_supervisor_is_killed_nothing_survives_and_the_lease_ends_the_job(
    run_workers: RunWorkers, atlas: ApiKey, ask: Ask
) -> None:
    program = run_workers(workers=2)
    job = ask(atlas, tokens=3, hang=True)
    _until_said(job, tokens=3)
    processes = program.offspring()
    assert len(processes) == 7, "a supervisor, and two guards with a worker and a pusher each"

    program.signal(signal.SIGKILL)

    assert_gone(processes)
    sweep.sweep(node="another node", now=timezone.now() + timedelta(seconds=30))
    job.refresh_from_db()
    assert (job.error_code, job.output_tokens) == ("worker_lost", 3)


def test_sigterm_lets_running_jobs_end(run_workers: RunWorkers, atlas: ApiKey, ask: Ask) -> None:
    program = run_workers()
    running = ask(atlas, tokens=30, pause=0.05)
    _until_said(running, tokens=1)

    assert program.stop() == 0

    running.refresh_from_db()
    assert (running.status, running.output_tokens) == ("completed", 30)
    assert followed(running)[-1].type == "done"
    assert _workers() == []


def test_what_does_not_end_in_time_is_stopped_and_billed(run_workers: RunWorkers, atlas: ApiKey, ask: Ask) -> None:
    program = run_workers(DRAIN_SECONDS="0.5")
    endless = ask(atlas, tokens=3, hang=True)
    _until_said(endless, tokens=3)
    waiting = [ask(atlas, hang=True) for _ in range(4)][-1]

    assert program.stop() == 0

    endless.refresh_from_db()
    assert (endless.status, endless.error_code, endless.output_tokens) == ("failed", "worker_lost", 3)
    waiting.refresh_from_db()
    assert waiting.status == "queued", "it has not begun, so it waits for the next start"


def test_a_sigterm_to_everybody_at_once_drains_too(run_workers: RunWorkers, atlas: ApiKey, ask: Ask) -> None:
    """As systemd sends it."""
    program = run_workers()
    job = ask(atlas, tokens=30, pause=0.05)
    _until_said(job, tokens=1)

    for process in program.offspring():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGTERM)

    eventually(lambda: program.exit_status == 0, seconds=60, message=program.output)
    job.refresh_from_db()
    assert job.status == "completed"
    assert_gone(program.offspring())


def test_an_engine_that_cannot_start_says_why(run_workers: RunWorkers) -> None:
    run_workers(workers=1, engine="build_none")

    assert {worker.fault for worker in _workers()} == {"there is no CLI on this machine"}


def test_two_workers_share_the_work(run_workers: RunWorkers, atlas: ApiKey, ask: Ask) -> None:
    run_workers(workers=2)
    jobs = [ask(atlas, hang=True) for _ in range(8)]

    eventually(lambda: Job.objects.running().count() == 8, seconds=60)

    workers = set(Job.objects.filter(pk__in=[job.pk for job in jobs]).values_list("worker", flat=True))
    assert len(workers) == 2
