"""What a process of the admission bench can be told to do, once Django is set up."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from django.core.management import call_command
from django.db import connections
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.sealing import Raced
from apps.budgets import services as budgets
from apps.budgets.periods import Cycle
from apps.claude.spec import Turn
from apps.jobs import services as jobs
from apps.jobs.requests import ChatRequest
from apps.keys import services as keys
from apps.permissions.models import Profile
from bench import admission_filling

_THREADS = 4
_CHAT = ChatRequest(
    model="claude-haiku-5-5",
    requested_model="haiku",
    turns=(Turn("user", ({"type": "text", "text": "What is a monad?"},)),),
)
_secrets: list[str] = []


def prepare(*, count: int) -> None:
    """The tables, and so many projects with a key and two budgets each: those that are measured."""
    call_command("migrate", verbosity=0)
    profile, now = Profile.objects.get(slug="enterprise"), timezone.now()
    terms = budgets.Terms(limit_microusd=10**12)
    for n in range(count):
        project, _ = keys.ensure_project(slug=f"p-{n}", now=now)
        key, secret = keys.issue(project=project, name="measured", profile=profile, now=now)
        for whose, period in ((None, "month"), (key, "day")):
            cycle = Cycle(period)  # type: ignore[arg-type]  # both are periods
            budgets.create(project=project, api_key=whose, cycle=cycle, terms=terms, actor="bench", now=now)
        _secrets.append(secret)
    seal()


def fill(*, keys: int, budgets: int, rows: int) -> float:
    """Seconds that it took."""
    began = time.perf_counter()
    admission_filling.fill(keys=keys, budgets=budgets, rows=rows)
    return time.perf_counter() - began


def measure(*, samples: int) -> list[float]:
    """Seconds of each admission, its key's row read anew."""
    return [_admit() for _ in range(samples)]


def sustain(*, seconds: float) -> float:
    """Submissions a second of a few threads, while the record is sealed every second as the sweep does."""
    until = time.perf_counter() + seconds
    over = threading.Event()

    def work(_: int) -> int:
        done = 0
        while time.perf_counter() < until:
            _admit()
            done += 1
        connections.close_all()
        return done

    def chain() -> None:
        while not over.wait(1):
            seal()
        connections.close_all()

    sealer = threading.Thread(target=chain)
    sealer.start()
    began = time.perf_counter()
    with ThreadPoolExecutor(_THREADS) as threads:
        done = sum(threads.map(work, range(_THREADS)))
    rate = done / (time.perf_counter() - began)
    over.set()
    sealer.join()
    seal()
    return rate


def seal() -> None:
    """Link what was recorded."""
    try:
        audit.seal(now=timezone.now())
    except Raced:
        return


def _admit() -> float:
    secret = random.choice(_secrets)
    keys._cache.clear()
    began = time.perf_counter()
    key = keys.authenticate(secret=secret, ip="127.0.0.1", now=timezone.now())
    jobs.submit(key=key, request=_CHAT, request_id="req_bench", now=timezone.now())
    return time.perf_counter() - began
