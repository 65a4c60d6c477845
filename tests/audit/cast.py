"""Events as the service writes them, and what an ill-meaning superuser of the database does to them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from apps.audit import appendonly, chain, services, verification
from apps.audit.findings import Finding
from apps.audit.models import AuditEvent

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
Record = Callable[..., AuditEvent]


def record(**facts: Any) -> AuditEvent:
    """A deed of alice, at noon unless told otherwise."""
    usual = {
        "actor": "user:alice",
        "action": "key.issued",
        "target_type": "key",
        "target_id": "k1",
        "project_id": "atlas",
    }
    return services.record(**{**usual, "now": NOON, **facts})


def sealed(count: int) -> chain.Head:
    """That many sealed events, a second apart, each of another key."""
    for number in range(count):
        record(target_id=f"k{number + 1}", now=NOON + timedelta(seconds=number))
    return services.seal(now=NOON + timedelta(seconds=count))


@contextmanager
def superuser() -> Iterator[Callable[..., None]]:
    """SQL by somebody who lifts the triggers before and puts them back after, so that they tell nothing."""
    with appendonly.lifted(connection):
        yield sql


def sql(statement: str, *values: object) -> None:
    """Run a statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)  # type: ignore[arg-type]


def first_finding(**where: Any) -> Finding:
    """The first thing that a verification finds wrong; fails if it finds nothing."""
    report = verification.verify(**where)
    assert not report.whole
    return report.findings[0]


def assert_whole() -> verification.Report:
    """Fails with what is wrong, if anything is."""
    report = verification.verify()
    assert [str(finding) for finding in report.findings] == []
    return report
