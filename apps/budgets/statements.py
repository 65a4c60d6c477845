"""The statements that every job runs, in SQL: building them with the ORM costs ten times what running them does.

They are called inside a transaction. Lock order, for everybody: the holds of one job, then windows by their budget's
id. Two jobs never want them crosswise.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from django.db import connection

from apps.budgets.fitting import Amounts, Rule, increased
from apps.budgets.periods import Bounds, Cycle, period_name

_RULE: Final = (
    "b.id, b.project_id, b.api_key_id, b.name, b.period, b.rolling, b.time_zone, b.anchor, b.created_at, "
    "b.limit_microusd, b.limit_tokens, b.extra_microusd, b.extra_tokens, b.extra_until, b.thresholds"
)
_WINDOW: Final = (
    "w.id, w.starts_at, w.ends_at, w.horizon_at, "
    "w.spent_microusd, w.spent_tokens, w.reserved_microusd, w.reserved_tokens"
)
# Two halves with an index each: a project may have a budget for each of its ten thousand keys. A rotated key's budgets
# are its successor's now, and bind both while the old one still works.
_BINDING: Final = (
    "WITH RECURSIVE successor(id) AS (SELECT CAST(%s AS bigint) UNION "  # noqa: S608
    "SELECT k.id FROM keys_apikey k JOIN successor ON k.rotated_from_id = successor.id) "
    f"SELECT {_RULE} FROM budgets_budget b WHERE b.active AND b.project_id = %s AND b.api_key_id IS NULL "
    f"UNION ALL SELECT {_RULE} FROM budgets_budget b WHERE b.active AND b.api_key_id IN (SELECT id FROM successor) "
    "ORDER BY 1"
)
_LOCK: Final = f"SELECT {_WINDOW} FROM budgets_budgetwindow w WHERE w.budget_id = %s AND w.starts_at = %s"  # noqa: S608
_TAKE: Final = (
    "UPDATE budgets_budgetwindow SET reserved_microusd = reserved_microusd + %s, "
    "reserved_tokens = reserved_tokens + %s WHERE id = %s "
    "AND (%s OR spent_microusd + reserved_microusd + %s <= %s) AND (%s OR spent_tokens + reserved_tokens + %s <= %s)"
)
_ADD: Final = (
    "UPDATE budgets_budgetwindow SET spent_microusd = spent_microusd + %s, spent_tokens = spent_tokens + %s, "
    "reserved_microusd = reserved_microusd + %s, reserved_tokens = reserved_tokens + %s WHERE id = %s"
)
_HOLDS: Final = (
    f"SELECT h.id, h.state, h.amount_microusd, h.amount_tokens, h.expires_at, h.project_id, h.api_key_id, "  # noqa: S608
    f"{_WINDOW}, {_RULE} FROM budgets_hold h JOIN budgets_budgetwindow w ON w.id = h.window_id "
    "JOIN budgets_budget b ON b.id = w.budget_id WHERE h.job_id = %s AND h.state <> 'settled' ORDER BY b.id"
)
_ENVELOPE: Final = (
    "SELECT h.id, h.window_id, h.amount_microusd, h.amount_tokens FROM budgets_hold h "
    "WHERE h.job_id = %s AND h.state = 'held'"
)
_CARVE: Final = (
    "UPDATE budgets_hold SET amount_microusd = amount_microusd - %s, amount_tokens = amount_tokens - %s WHERE id = %s"
)
_END: Final = "UPDATE budgets_hold SET state = %s, ended_at = %s WHERE id = %s AND state = %s"
_HOLD: Final = (
    "INSERT INTO budgets_hold (job_id, window_id, project_id, api_key_id, amount_microusd, amount_tokens, state, "
    "created_at, expires_at) VALUES (%s, %s, %s, %s, %s, %s, 'held', %s, %s)"
)
_ENTRY: Final = (
    "INSERT INTO budgets_ledgerentry (kind, project_id, api_key_id, window_id, job_id, reserved_microusd, "
    "spent_microusd, reserved_tokens, spent_tokens, input_tokens, output_tokens, cache_read_input_tokens, "
    "cache_creation_input_tokens, reason, created_at) "
    "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
_STEP: Final = (
    "INSERT INTO budgets_rollingstep AS step (window_id, starts_at, spent_microusd, spent_tokens) "
    "VALUES (%s, %s, %s, %s) ON CONFLICT (window_id, starts_at) DO UPDATE SET "
    "spent_microusd = step.spent_microusd + excluded.spent_microusd, "
    "spent_tokens = step.spent_tokens + excluded.spent_tokens"
)

Value: TypeAlias = int | str | datetime | None


@dataclass(slots=True)
class Window:
    """A window's row, locked. Its counters follow what is done through here."""

    pk: int
    rule: Rule
    where: Bounds
    horizon_at: datetime | None
    spent: Amounts
    reserved: Amounts


@dataclass(frozen=True, slots=True)
class Held:
    """A hold's row that is not settled, locked, as is its window."""

    pk: int
    state: str
    amounts: Amounts
    expires_at: datetime
    project_id: int
    key_id: int | None
    window: Window


@dataclass(frozen=True, slots=True)
class Entry:
    """A ledger row to be written. `kinds`: input, output, cache read and cache creation tokens."""

    kind: str
    project_id: int
    key_id: int | None
    window_id: int | None
    job_id: str
    reserved: Amounts
    spent: Amounts
    kinds: tuple[int, int, int, int] = (0, 0, 0, 0)
    reason: str = ""


def binding(*, project_id: int, key_id: int | None, now: datetime) -> list[Rule]:
    """The rules of the active budgets of the project and the key, by their ids."""
    return [_rule(row, now) for row in _rows(_BINDING, [key_id, project_id])]


def lock_window(rule: Rule, starts_at: datetime) -> Window | None:
    """The rule's window that starts then, locked; None where there is none yet."""
    rows = _rows(_LOCK + _for_update(""), [rule.budget_id, _stored(starts_at)])
    return _window(rows[0], rule) if rows else None


def lock_holds(job_id: str, *, now: datetime) -> list[Held]:
    """A job's holds that are not settled, locked in the order that everybody keeps."""
    return [_held(row, now) for row in _rows(_HOLDS + _for_update(" OF h, w"), [job_id])]


def lock_envelope(job_id: str) -> dict[int, tuple[int, Amounts]]:
    """By window, the holds out of which parts may be taken, locked; their windows are not."""
    rows = _rows(_ENVELOPE + _for_update(" OF h"), [job_id])
    return {window_id: (pk, Amounts(microusd, tokens)) for pk, window_id, microusd, tokens in rows}


def carve(hold_pk: int, part: Amounts) -> None:
    """Make a locked hold smaller."""
    _run(_CARVE, [part.microusd, part.tokens, hold_pk])


def take(window: Window, amounts: Amounts) -> bool:
    """Hold an amount if the window's limits allow it. The UPDATE that no race gets past."""
    money, tokens = window.rule.limit_microusd, window.rule.limit_tokens
    limits = [money is None, amounts.microusd, money or 0, tokens is None, amounts.tokens, tokens or 0]
    if not _run(_TAKE, [amounts.microusd, amounts.tokens, window.pk, *limits]):
        return False
    window.reserved += amounts
    return True


def add(window: Window, *, spent: Amounts, reserved: Amounts) -> None:
    """Change the counters."""
    _run(_ADD, [spent.microusd, spent.tokens, reserved.microusd, reserved.tokens, window.pk])
    window.spent += spent
    window.reserved += reserved


def add_to_step(window: Window, starts_at: datetime, spent: Amounts) -> None:
    """Note in which step of time a rolling window spent."""
    _run(_STEP, [window.pk, _stored(starts_at), spent.microusd, spent.tokens])


def end_hold(held: Held, *, state: str, now: datetime) -> bool:
    """Put an end to a hold that still is as it was read."""
    return _run(_END, [state, _stored(now), held.pk, held.state])


def insert_holds(
    windows: Iterable[Window], *, job_id: str, key_id: int | None, amounts: Amounts, expires_at: datetime, now: datetime
) -> None:
    """One hold in each window."""
    times = (_stored(now), _stored(expires_at))
    rows = [
        (job_id, window.pk, window.rule.project_id, key_id, amounts.microusd, amounts.tokens, *times)
        for window in windows
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_HOLD, rows)


def insert_entries(entries: Iterable[Entry], *, now: datetime) -> None:
    """Add to the ledger."""
    stored = _stored(now)
    rows = [
        (
            entry.kind,
            entry.project_id,
            entry.key_id,
            entry.window_id,
            entry.job_id,
            entry.reserved.microusd,
            entry.spent.microusd,
            entry.reserved.tokens,
            entry.spent.tokens,
            *entry.kinds,
            entry.reason[:200],
            stored,
        )
        for entry in entries
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_ENTRY, rows)


def _rows(statement: str, parameters: Sequence[Value]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _run(statement: str, parameters: Sequence[Value]) -> bool:
    """Whether a row was changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return bool(cursor.rowcount > 0)


def _for_update(of: str) -> str:
    # SQLite has no row locks: its transactions are IMMEDIATE, one writer at a time.
    return f" FOR UPDATE{of}" if connection.features.has_select_for_update else ""


def _stored(moment: datetime) -> str | datetime:
    return connection.ops.adapt_datetimefield_value(moment) or moment


def _moment(value: datetime | None) -> datetime | None:
    """SQLite gives naive UTC."""
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def _always(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


def _rule(row: Sequence[Any], now: datetime) -> Rule:
    pk, project_id, key_id, name, period, rolling, zone, anchor, since, *limits, thresholds = row
    microusd, tokens, extra_microusd, extra_tokens, until = limits
    return Rule(
        budget_id=pk,
        project_id=project_id,
        key_id=key_id,
        name=name,
        cycle=Cycle(period_name(period), bool(rolling), zone, anchor),
        since=_always(since),
        limit_microusd=increased(microusd, extra_microusd, until=_moment(until), now=now),
        limit_tokens=increased(tokens, extra_tokens, until=_moment(until), now=now),
        thresholds=tuple(json.loads(thresholds)),
    )


def _window(row: Sequence[Any], rule: Rule) -> Window:
    pk, starts_at, ends_at, horizon_at, *counters = row
    return Window(
        pk=pk,
        rule=rule,
        where=Bounds(_always(starts_at), _moment(ends_at)),
        horizon_at=_moment(horizon_at),
        spent=Amounts(*counters[:2]),
        reserved=Amounts(*counters[2:]),
    )


def _held(row: Sequence[Any], now: datetime) -> Held:
    pk, state, microusd, tokens, expires_at, project_id, key_id, *rest = row
    window = _window(rest[:8], _rule(rest[8:], now))
    return Held(pk, state, Amounts(microusd, tokens), _always(expires_at), project_id, key_id, window)
