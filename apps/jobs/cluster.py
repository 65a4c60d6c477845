"""One django-q2 cluster with one worker process, built so that nothing of it can hang or outlive its supervisor.

django-q2's own `Cluster` waits for its children without end: a worker killed while it waits for a ring keeps the lock
of the queue, and everybody after it waits for ever. Here a worker's death ends its cluster, and a new one takes over.
"""

import contextlib
import multiprocessing
import os
import secrets
import shutil
import signal
import threading
import time
import uuid
from multiprocessing.connection import wait
from multiprocessing.sharedctypes import RawArray
from pathlib import Path
from types import FrameType

from django.conf import settings
from django.db import connections
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.cluster import Sentinel
from django_q.queues import Queue
from django_q.signals import post_spawn

from apps.jobs import execution, health

START_SECONDS = 60.0
STUCK_SECONDS = 15.0
"""A worker whose event loop has not turned for so long is not waited for; its leases are over by then."""

_ENGINE = "apps.jobs.engines.build"
_PID, _BEAT = 0, 1


class Cluster:
    """A guard (django-q2's Sentinel), its pusher and a worker. Used by one thread of the supervisor."""

    def __init__(self, *, node: str, workers: int) -> None:
        token = secrets.token_hex(3)
        self.worker = f"{node}-{token}"
        self.started_at = time.monotonic()
        self._runtime_name = f"w-{token}"
        self._workers = workers
        # Raw memory, since a lock held by a killed process would never be released.
        self._board = RawArray("d", 2)
        self._first_pid = 0
        self._worker_ends: int | None = None
        self._guard = multiprocessing.get_context("fork").Process(target=self._run_guard, name=f"guard-{token}")

    def start(self) -> None:
        """Fork the guard, which forks the rest."""
        connections.close_all()
        self._guard.start()

    def handles(self) -> list[int]:
        """What `multiprocessing.connection.wait` can wait for: each becomes ready when a process has died."""
        if not self._first_pid and self._pid:
            self._first_pid = self._pid
            if hasattr(os, "pidfd_open"):
                with contextlib.suppress(ProcessLookupError):
                    self._worker_ends = os.pidfd_open(self._first_pid)
        return [self._guard.sentinel, *([] if self._worker_ends is None else [self._worker_ends])]

    def fault(self) -> str | None:
        """Why this cluster must be replaced, or None while it works."""
        dead = wait(self.handles(), timeout=0)
        if self._guard.sentinel in dead:
            return f"its guard ended with status {self._guard.exitcode}"
        if dead or self._pid != self._first_pid:  # without pidfd: the guard has put another one in its place
            return "its worker died"
        silent = time.monotonic() - (self._board[_BEAT] or self.started_at)
        if silent > (STUCK_SECONDS if self._board[_BEAT] else START_SECONDS):
            return f"its worker has been silent for {silent:.0f} s"
        return None

    def drain(self) -> None:
        """Ask the worker to finish and end; `fault` tells when it has."""
        if self._pid:
            try:
                os.kill(self._pid, signal.SIGTERM)
            except ProcessLookupError:
                return

    def kill(self) -> None:
        """End what is left of it, at once, and remove its files."""
        if self._guard.pid is None:  # it could not be started
            return
        try:
            os.killpg(self._guard.pid, signal.SIGKILL)
        except ProcessLookupError:  # it has no session of its own yet, or nobody in it any more
            self._guard.kill()
        self._guard.join()
        if self._worker_ends is not None:
            os.close(self._worker_ends)
            self._worker_ends = None
        shutil.rmtree(Path(settings.RUNTIME_DIR) / self._runtime_name, ignore_errors=True)

    @property
    def _pid(self) -> int:
        """The worker's process, 0 before it began."""
        return int(self._board[_PID])

    # -- in the guard's process

    def _run_guard(self) -> None:
        os.setsid()  # so that one SIGKILL reaches the whole cluster, and a terminal's Ctrl-C nobody in it
        post_spawn.connect(self._run_worker, weak=False)
        guard = _Guard()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # whoever signals everybody must not interrupt the worker's draining
        guard.start()

    # -- in the worker's process

    def _run_worker(self, **_signal: object) -> None:
        """Called by django-q2 in the new worker, before it waits for its first ring."""
        self._board[_PID] = os.getpid()
        # Handlers rather than SIG_IGN: that would be inherited by every program the engine starts.
        signal.signal(signal.SIGINT, _ignore)
        signal.signal(signal.SIGTERM, _leave)
        try:
            engine = import_string(getattr(settings, "JOBS_ENGINE", _ENGINE))(self._runtime_name, self._workers)
            engine.start()
        except Exception as error:
            health.report_fault(name=self.worker, fault=str(error), now=timezone.now())
            raise
        worker = execution.Worker(self.worker, engine, self._beat)
        worker.start()
        execution.serve(worker)

        def leave() -> None:
            try:
                worker.drain(settings.DRAIN_SECONDS)
                engine.stop(0)
            finally:
                os._exit(0)  # the main thread waits for rings and cannot be asked

        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=leave).start())

    def _beat(self) -> None:
        self._board[_BEAT] = time.monotonic()


class _Guard(Sentinel):  # type: ignore[misc]  # django-q2 ships no types
    """django-q2's guard, for one worker, and without what a killed process could leave locked.

    Rings have no results, so there is no queue and no monitor process for them. The queue of rings has no limit: the
    place of a ring that dies with the pusher would stay taken.
    """

    def __init__(self) -> None:
        super().__init__(multiprocessing.Event(), multiprocessing.Event(), uuid.uuid4(), start=False)
        self.pool_size = 1
        self.task_queue = Queue()
        self.result_queue = _Nowhere()

    def spawn_monitor(self) -> "_Nowhere":
        return self.result_queue


class _Nowhere:
    """Where results go: a queue that is always empty, and a monitor that never dies."""

    pid = 0

    def put(self, _result: object) -> None:
        pass

    def empty(self) -> bool:
        return True

    def qsize(self) -> int:
        return 0

    def is_alive(self) -> bool:
        return True


def _ignore(_number: int, _frame: FrameType | None) -> None:
    pass


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)
