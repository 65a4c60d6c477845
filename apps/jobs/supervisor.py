"""Keeps the clusters of one node alive, closes the jobs of workers that died, sweeps, stops everything in order."""

import ctypes
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import wait
from types import FrameType

from django.conf import settings
from django.db import Error, connections
from django.db.models import Q
from django.utils import timezone

from apps.jobs import execution, sweep, valkey
from apps.jobs.cluster import Cluster

POLL_SECONDS = 0.5
STEADY_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 10.0
STOP_SECONDS = execution.CANCEL_SECONDS + 3.0
"""What a worker needs beyond DRAIN_SECONDS to stop the rest and to write it down."""

_PR_SET_PDEATHSIG = 1

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Place:
    """One worker of the node, whichever cluster provides it now."""

    cluster: Cluster | None = None
    pause: float = 0.0
    start_at: float = 0.0


class Supervisor:
    """Runs in the main thread of a process of its own and starts no thread, because it forks."""

    def __init__(self, *, workers: int) -> None:
        self._node = socket.gethostname()[:60]
        self._places = [_Place() for _ in range(workers)]
        self._stopping = False

    def run(self) -> None:
        """Work until SIGTERM or SIGINT, then drain. Nothing that was started here is left when it returns."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        children_die_with_us()
        sweep_at = 0.0
        try:
            while not self._stopping:
                self._tend()
                if time.monotonic() >= sweep_at:
                    sweep_at = time.monotonic() + sweep.INTERVAL_SECONDS
                    self._record(lambda: sweep.sweep(node=self._name, now=timezone.now()))
                _wait([place.cluster for place in self._places if place.cluster])
            self._drain()
        finally:
            for place in self._places:
                self._end(place)

    @property
    def _name(self) -> str:
        return f"{self._node}-sweep-{os.getpid()}"

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _tend(self) -> None:
        """Replace what does not work, more slowly each time that it fails early."""
        for place in self._places:
            if place.cluster and (fault := place.cluster.fault()):
                logger.error("worker %s is replaced: %s", place.cluster.worker, fault)
                steady = time.monotonic() - place.cluster.started_at > STEADY_SECONDS
                place.pause = 0.0 if steady else min(max(place.pause * 2, POLL_SECONDS), LONGEST_PAUSE_SECONDS)
                place.start_at = time.monotonic() + place.pause
                self._end(place)
            if not place.cluster and time.monotonic() >= place.start_at and not self._stopping:
                place.cluster = Cluster(node=self._node, workers=len(self._places))
                place.cluster.start()

    def _drain(self) -> None:
        """Have all workers finish at the same time, and wait for them as long as that may take."""
        left = [place.cluster for place in self._places if place.cluster]
        for cluster in left:
            cluster.drain()
        deadline = time.monotonic() + settings.DRAIN_SECONDS + STOP_SECONDS
        while left and time.monotonic() < deadline:
            _wait(left)
            left = [cluster for cluster in left if not cluster.fault()]

    def _end(self, place: _Place) -> None:
        """Kill the place's cluster and close the jobs that its worker had."""
        if cluster := place.cluster:
            place.cluster = None
            cluster.kill()
            where = Q(worker=cluster.worker)
            self._record(lambda: sweep.close_lost_jobs(closer=self._name, where=where, now=timezone.now()))

    def _record(self, act: Callable[[], object]) -> None:
        """Do what needs the database and Valkey; while they are away it is left to a later sweep."""
        try:
            act()
        except (Error, *valkey.ERRORS) as error:
            logger.warning("will be tried again: %s", error)
        finally:
            connections.close_all()


def _wait(clusters: list[Cluster]) -> None:
    """Until a process of theirs dies, but no longer than POLL_SECONDS."""
    wait([handle for cluster in clusters for handle in cluster.handles()], timeout=POLL_SECONDS)


def children_die_with_us() -> None:
    """From now on, whatever this process forks, and what that forks, is killed as soon as its parent ends (Linux)."""
    if sys.platform != "linux":
        return
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parents: list[int] = []

    def in_child() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parents[-1]:  # it ended before we asked
            os._exit(1)

    def before() -> None:
        parents.append(os.getpid())

    os.register_at_fork(before=before, after_in_parent=parents.pop, after_in_child=in_child)
