"""Alice's project atlas with the key ci, another key of it, a foreign project, and budgets for them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from apps.budgets import services, verifying
from apps.budgets.models import Budget, BudgetWindow, Hold
from apps.budgets.periods import Cycle
from apps.budgets.services import Reservation, Terms
from apps.claude.spec import Usage
from apps.keys import services as keys
from apps.keys.models import ApiKey, Project

NOON = datetime(2025, 11, 12, 12, tzinfo=UTC)
CENT = 10_000
USD = 1_000_000
"""Both in micro-dollars."""


@pytest.fixture(autouse=True)
def no_egress_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """These jobs exist in the budgets only; a test that compares their egress rows brings its own."""
    monkeypatch.setattr(verifying, "_egress", [])
    monkeypatch.setattr(verifying, "_proofs", {})


@pytest.fixture
def atlas(db: None) -> Project:
    return keys.ensure_project(slug="atlas", now=NOON)[0]


@pytest.fixture
def ci(atlas: Project) -> ApiKey:
    """A key of atlas."""
    return keys.issue(project=atlas, name="ci", now=NOON)[0]


@pytest.fixture
def bot(atlas: Project) -> ApiKey:
    """Another key of atlas."""
    return keys.issue(project=atlas, name="bot", now=NOON)[0]


@pytest.fixture
def foreign(db: None) -> ApiKey:
    """A key of somebody else's project."""
    project, _ = keys.ensure_project(slug="borealis", now=NOON)
    return keys.issue(project=project, name="charlie", now=NOON)[0]


MakeBudget = Callable[..., Budget]


@pytest.fixture
def budget(atlas: Project) -> MakeBudget:
    """`budget(USD, period="day", key=ci, rolling=True, …)`: made at noon."""

    def make(
        usd: int | None = None,
        *,
        tokens: int | None = None,
        period: Any = "day",
        key: ApiKey | None = None,
        rolling: bool = False,
        zone: str = "UTC",
        anchor: int = 1,
        now: datetime = NOON,
        **terms: Any,
    ) -> Budget:
        return services.create(
            project=key.project if key else atlas,
            api_key=key,
            cycle=Cycle(period, rolling, zone, anchor),
            terms=Terms(limit_microusd=usd, limit_tokens=tokens, **terms),
            actor="user:alice",
            now=now,
        )

    return make


def hold(key: ApiKey, job_id: str, microusd: int, tokens: int = 0, *, now: datetime = NOON, **more: Any) -> Reservation:
    """Reserve for a job that has ten minutes."""
    return services.reserve(
        project_id=key.project_id,
        key_id=key.pk,
        job_id=job_id,
        amount_microusd=microusd,
        tokens=tokens,
        expires_at=now + timedelta(minutes=10),
        now=now,
        **more,
    )


def settle(key: ApiKey, job_id: str, microusd: int, usage: Usage | None = None, *, now: datetime = NOON) -> bool:
    """Settle it; ten tokens in, five out, unless told otherwise."""
    return services.settle(
        project_id=key.project_id,
        key_id=key.pk,
        job_id=job_id,
        usage=Usage(input_tokens=10, output_tokens=5) if usage is None else usage,
        cost_microusd=microusd,
        now=now,
    )


def window(budget: Budget) -> BudgetWindow:
    """Its newest window."""
    return BudgetWindow.objects.filter(budget=budget).latest("starts_at")


def counters(budget: Budget) -> tuple[int, int]:
    """Spent and held micro-dollars of its newest window."""
    newest = window(budget)
    return newest.spent_microusd, newest.reserved_microusd


def states(job_id: str) -> list[str]:
    """How the holds of a job stand, in the order of their budgets."""
    return [each.state for each in Hold.objects.of_job(job_id)]


@pytest.fixture
def operator(db: None) -> Client:
    """A superuser's browser. No password, because hashing one is half of a test's time."""
    return browser(User.objects.create_superuser("petra"))


@pytest.fixture
def onlooker(db: None) -> Client:
    """The browser of a member of staff who may look at everything about money and do nothing."""
    user = User.objects.create_user("olga", is_staff=True)
    names = [f"view_{model}" for model in ("budget", "budgetwindow", "hold", "ledgerentry", "alert")]
    user.user_permissions.add(*Permission.objects.filter(codename__in=names))
    return browser(user)


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client
