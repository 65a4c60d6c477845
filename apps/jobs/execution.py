"""What a worker process does: hear the bell, claim, run on the engine, close, and keep its leases.

A django-q2 task (`ring_bell`) only wakes the process's `Worker`, which lives in the engine's event loop; no task ever
waits for a job, so one worker process serves as many jobs at once as its engine has slots.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from django.db import Error
from django.db.models import Q
from django.utils import timezone

from apps.claude.engine import Emit, Engine
from apps.claude.spec import Outcome, RunSpec
from apps.claude.taskspec import TaskSpec
from apps.jobs import approvals, eventlog, health, queue, routes, valkey
from apps.jobs.batches.feeder import Feeder
from apps.jobs.closing import broken_off, close
from apps.jobs.database import AWAY, DatabaseThreads
from apps.jobs.models import Job, Status
from apps.jobs.pubsub import Subscriber
from apps.jobs.requests import run_spec
from apps.jobs.taskrequests import TaskRequest
from apps.jobs.taskspecs import task_spec
from apps.jobs.writer import Transcript, Writer
from apps.jobs.yielding import Yielding

BEAT_SECONDS = 1.0
REPORT_SECONDS = 3.0
CANCEL_SECONDS = 7.0
"""How long cancelled runs may take to end when the worker stops: the engine's kill ladder takes six at most."""
_CLOSE_RETRY_SECONDS = 5.0

logger = logging.getLogger(__name__)

DEFECT = "Something went wrong here; it has been logged under the job's id. What was metered until then is billed."
STOPPED = "The service was stopped while this job ran. What was metered until then is billed; send the request again."


class Worker:
    """One worker process's side of the queue. Public methods are for any thread, the rest is the engine's loop's."""

    def __init__(self, name: str, engine: Engine, beat: Callable[[], None]) -> None:
        self.name = name
        self._engine = engine
        self._beat = beat
        self._running: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[str] = set()
        """Those of the running jobs whose calls may wait for somebody."""
        self._on_engine = 0
        self._yielding = Yielding(engine.slots)
        self._draining = False
        self._stopping = False
        self._database = DatabaseThreads(2, keep_connections=True)
        self._services: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to work. The engine has been started."""
        asyncio.run_coroutine_threadsafe(self._open(), self._engine.loop).result()

    def ring(self) -> None:
        """There may be something to claim. If all slots are taken, the other workers are told."""
        if self._draining or not self._free():
            eventlog.tell_workers(claim="any")
        else:
            self._engine.loop.call_soon_threadsafe(self._bell.set)

    def drain(self, seconds: float) -> None:
        """Claim no more, let running jobs end for so long, stop the rest, and see that all of it is recorded."""
        asyncio.run_coroutine_threadsafe(self._drain(seconds), self._engine.loop).result()

    async def _open(self) -> None:
        self._bell = asyncio.Event()
        self._writer = Writer()
        self._feeder = Feeder()
        self._control = Subscriber(self._heard)
        self._control.add(valkey.control())
        self._client = valkey.async_client()
        self._claimer = asyncio.create_task(self._claim_until_drained())
        parts = (self._writer.run(), self._control.run(), self._feeder.run())
        services = (*parts, self._beat_forever(), self._report_forever())
        self._services = [asyncio.create_task(service) for service in services]

    async def _drain(self, seconds: float) -> None:
        self._draining = True
        self._bell.set()
        await self._claimer
        if self._running:
            await asyncio.wait(self._running.values(), timeout=seconds)
        self._stopping = True
        for job_id in self._running:
            self._engine.cancel(job_id)
        if self._running:
            await asyncio.wait(self._running.values(), timeout=CANCEL_SECONDS)
        for service in self._services:
            service.cancel()
        await asyncio.gather(*self._services, return_exceptions=True)
        await self._writer.aclose(seconds=1)
        with contextlib.suppress(*valkey.ERRORS):
            async with asyncio.timeout(1):
                await self._client.hdel(valkey.workers(), self.name)
        await self._client.aclose()
        self._database.close()
        self._feeder.close()

    # -- claiming and running

    async def _claim_until_drained(self) -> None:
        while not self._draining:
            await self._bell.wait()
            self._bell.clear()
            while self._free() and not self._draining and (job := await self._claim()):
                self._on_engine += 1
                self._yielding.began(job)
                self._running[job.id] = asyncio.create_task(self._work(job))

    def _free(self) -> int:
        """Slots for which nothing has been claimed."""
        return min(self._engine.free(), self._engine.slots - self._on_engine)

    async def _claim(self) -> Job | None:
        lane = self._yielding.last_lane(self._free())
        try:
            return await self._database.run(lambda: queue.claim(worker=self.name, now=timezone.now(), last_lane=lane))
        except Error as error:
            logger.warning("could not claim: %s", error)
            return None

    async def _work(self, job: Job) -> None:
        transcript = self._writer.open(job.id, project_id=job.project_id)
        if job.kind == TaskRequest.kind:
            self._tasks.add(job.id)
        try:
            outcome = await self._outcome(job, transcript)
            await self._close(job, outcome, transcript)
        except Exception:  # a defect of ours: the lease is let go, and the sweep closes the job
            logger.exception("job %s could not be ended", job.id)
            self._writer.drop(transcript)
        finally:
            if self._yielding.ended(job):
                self._bell.set()
            del self._running[job.id]
            self._tasks.discard(job.id)

    async def _outcome(self, job: Job, transcript: Transcript) -> Outcome:
        """How it ended. A defect of ours ends it too, at once, billed for what was metered until then."""
        try:
            return await self._run(job, transcript)
        except Exception:
            logger.exception("job %s failed by a defect", job.id)
            return broken_off("internal_error", DEFECT, transcript.complete(), transcript.calls.values())

    async def _run(self, job: Job, transcript: Transcript) -> Outcome:
        try:
            spec = await self._spec_of(job)
            emit = self._noting(job, transcript)
            outcome = await self._engine.run(spec, emit)
            if routes.should_fall_back(job, outcome, transcript.events) and not self._stopping:
                fallen = await self._database.run(routes.fall_back, job, self.name)
                if fallen:
                    again = await self._engine.run(replace(spec, model=job.model), emit)
                    outcome = replace(again, calls=(*outcome.calls, *again.calls))
        finally:
            self._on_engine -= 1
            self._bell.set()
        if self._stopping and outcome.status == "cancelled":  # by us, not by its owner
            return replace(outcome, status="failed", error_code="worker_lost", error_message=STOPPED)
        return outcome

    async def _spec_of(self, job: Job) -> RunSpec | TaskSpec:
        if job.kind != TaskRequest.kind:
            return run_spec(job)
        return await self._database.run(task_spec, job)

    def _noting(self, job: Job, transcript: Transcript) -> Emit:
        """Where the engine's events go: approvals are written down on the way."""
        if job.kind != TaskRequest.kind:
            return transcript.emit
        return approvals.taking_note(job, transcript.emit, self._write, timezone.now)

    async def _write(self, act: Callable[[], None]) -> None:
        """Do it in the database. While that is away nobody can decide anything, and what waits is denied in time."""
        try:
            await self._database.run(act)
        except Error as error:
            logger.warning("not written down: %s", error)

    async def _close(self, job: Job, outcome: Outcome, transcript: Transcript) -> None:
        """Close the job in the database, however long that is away, then tell the followers."""
        ours = Q(status=Status.IN_PROGRESS, worker=self.name)
        events = transcript.complete()
        pause = 0.1
        while True:
            try:
                terminal = await self._database.run(
                    lambda: close(job=job, outcome=outcome, events=events, where=ours, now=timezone.now())
                )
                break
            except AWAY as error:
                logger.warning("could not close %s yet: %s", job.id, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _CLOSE_RETRY_SECONDS)
        if terminal:
            self._writer.end(transcript, terminal)
            if job.batch_id:
                self._feeder.poke(job.batch_id)
        else:
            self._writer.drop(transcript)

    # -- leases, cancellation, health

    async def _beat_forever(self) -> None:
        """Tell the supervisor that this loop turns, and look at the queue in case a ring was lost."""
        while not self._has_failed():
            self._beat()
            self._bell.set()
            await asyncio.sleep(BEAT_SECONDS)

    async def _report_forever(self) -> None:
        """Prolong leases and say how we are; may wait for the database and Valkey as long as it takes."""
        while True:
            await self._prolong_leases()
            await self._hear_decisions()
            await self._report()
            await asyncio.sleep(REPORT_SECONDS)

    def _has_failed(self) -> bool:
        """Whether a part of this worker ended by a defect. Then it stops beating, and the supervisor replaces it."""
        parts = [self._claimer, *self._services]
        errors = [part.exception() for part in parts if part.done() and not part.cancelled()]
        for error in filter(None, errors):
            logger.critical("worker %s is broken", self.name, exc_info=error)
        return any(errors)

    async def _prolong_leases(self) -> None:
        running = set(self._running)
        if not running:
            return
        try:
            held = await self._database.run(self._hold, running)
        except Error as error:
            logger.warning("could not prolong leases: %s", error)
            return
        for job_id in running & self._running.keys():
            if held.get(job_id, True):  # not ours any more, or to be cancelled
                self._engine.cancel(job_id)

    async def _hear_decisions(self) -> None:
        """Approvals whose message was missed; telling the engine twice changes nothing."""
        if not self._tasks:
            return
        with contextlib.suppress(Error):
            for decided in await self._database.run(approvals.decided, tuple(self._tasks)):
                self._engine.decide(*decided)

    def _hold(self, running: set[str]) -> dict[str, bool]:
        """Prolong the leases of those that this worker still holds; for each of these, whether to cancel it."""
        jobs = Job.objects.held_by(self.name).filter(pk__in=running)
        jobs.update(lease_until=timezone.now() + timedelta(seconds=queue.LEASE_SECONDS))
        return {job_id: at is not None for job_id, at in jobs.values_list("id", "cancel_requested_at")}

    async def _report(self) -> None:
        engine, running = self._engine.status(), len(self._running)
        state = health.report(name=self.name, now=timezone.now(), running=running, engine=engine)
        with contextlib.suppress(*valkey.ERRORS):
            async with valkey.patience():
                await self._client.hset(valkey.workers(), self.name, state)

    def _heard(self, _channel: str, message: str | None) -> None:
        orders = json.loads(message) if message else {"claim": "any"}
        if job_id := orders.get("cancel"):
            self._engine.cancel(job_id)
        elif job_id := orders.get("decide"):
            self._engine.decide(job_id, *approvals.heard(orders))
        else:
            self._bell.set()


_workers: list[Worker] = []


def serve(worker: Worker) -> None:
    """Make this the worker that rings of this process wake."""
    _workers[:] = [worker]


def ring_bell() -> None:
    """The django-q2 task: wake this process's worker."""
    for worker in _workers:
        worker.ring()
