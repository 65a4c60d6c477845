"""Proof that the counters are what the ledger says, that the ledger is what the holds say, and what the jobs cost.

Everything is read as of one moment, in streams side by side, so that neither traffic nor the ledger's size matters.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Max, Min, Q, Sum

from apps.budgets.models import BudgetWindow, Hold, LedgerEntry, RollingStep

CHUNK = 5_000
COUNTERS = ("spent_microusd", "reserved_microusd", "spent_tokens", "reserved_tokens")
SPENT = ("spent_microusd", "spent_tokens")
BILL = (
    "spent_microusd",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)


@dataclass(frozen=True, slots=True)
class Metered:
    """What the egress saw of a job, all its calls together."""

    job_id: str
    cost_microusd: int
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Two records that should agree."""

    subject: str
    """`window 12` or a job's id."""
    what: str
    says: int
    """What the first-named record of `what` has."""
    but: int
    """What the second has."""

    def __str__(self) -> str:
        return f"{self.subject}: {self.what}: {self.says} against {self.but}"


@dataclass(frozen=True, slots=True)
class Report:
    """How much was compared, and what did not agree."""

    windows: int
    holds: int
    bills: int
    metered_jobs: int | None
    """None: nobody has said where the egress rows are."""
    differences: tuple[Difference, ...]
    more: Mapping[str, int] = field(default_factory=dict)
    """How much was compared for each proof of the floors above."""


EgressSource = Callable[[], Iterable[Metered]]
"""What jobs spent by their egress rows: closed jobs only, one item each, ascending by job id, none twice."""

_egress: list[EgressSource] = []
Proof = Callable[[], Iterable[list[Difference]]]
"""Compares, and says what differs: one list for each comparison."""

_proofs: dict[str, Proof] = {}


def egress_rows_are(source: EgressSource) -> None:
    """Say where the egress rows are. The floor above does, when it is ready; the last word counts."""
    _egress[:] = [source]


def also_prove(what: str, proof: Proof) -> None:
    """Have `verify` prove something of the floor above, too. The last word on a subject counts."""
    _proofs[what] = proof


def verify(*, egress: EgressSource | None = None) -> Report:
    """Compare everything. Without `egress`, the rows that `egress_rows_are` named."""
    source = egress or (_egress[0] if _egress else None)
    differences: list[Difference] = []
    with snapshot():
        windows = _check(_windows(), differences)
        holds = _check(_holds(), differences)
        bills = _check(_bills(), differences)
        metered = None if source is None else _check(_egress_against_bills(source), differences)
        more = {what: _check(proof(), differences) for what, proof in _proofs.items()}
    return Report(windows, holds, bills, metered, tuple(differences), more)


@contextmanager
def snapshot() -> Iterator[None]:
    """All reads in the block see one moment, and nobody waits for them. In a transaction: what that one gives."""
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield
    else:
        # In WAL mode a deferred transaction that only reads is a snapshot. Ours are IMMEDIATE: they keep writers out.
        wrapper: Any = connection
        wrapper.ensure_connection()
        mode, wrapper.transaction_mode = wrapper.transaction_mode, "DEFERRED"
        try:
            with transaction.atomic():
                yield
        finally:
            wrapper.transaction_mode = mode


def _check(comparisons: Iterable[list[Difference]], differences: list[Difference]) -> int:
    compared = 0
    for found in comparisons:
        compared += 1
        differences += found
    return compared


def _windows() -> Iterator[list[Difference]]:
    """A window's counters against the ledger, its holds and, if it rolls, its steps."""
    windows = BudgetWindow.objects.order_by("pk").values_list("pk", *COUNTERS, "budget__rolling")
    for pk, (window, booked, held, steps) in align(
        ((row[0], row[1:]) for row in windows.iterator(CHUNK)),
        _sums(LedgerEntry.objects.bookings(), COUNTERS),
        _sums(Hold.objects.held(), ("amount_microusd", "amount_tokens")),
        _sums(RollingStep.objects.all(), SPENT),
    ):
        counters, rolling = window[:4], window[4]
        subject = f"window {pk}"
        found = compare(subject, "counter and ledger, {}", COUNTERS, counters, booked)
        found += compare(subject, "counter and holds, {}", COUNTERS[1::2], counters[1::2], held)
        if rolling:
            found += compare(subject, "counter and steps, {}", SPENT, counters[::2], steps)
        yield found


def _holds() -> Iterator[list[Difference]]:
    """A hold against the ledger: what is booked as held for it, and that it was settled once if it was settled."""
    holds = Hold.objects.order_by("job_id", "window_id").values_list(
        "job_id", "window_id", "amount_microusd", "amount_tokens", "state"
    )
    entries = LedgerEntry.objects.bookings().exclude(job_id="").order_by("job_id", "window_id")
    booked = entries.values_list("job_id", "window_id").annotate(
        Sum("reserved_microusd"),
        Sum("reserved_tokens"),
        settlements=Count("pk", filter=Q(kind=LedgerEntry.Kind.SETTLE)),
    )
    names = ("reserved_microusd", "reserved_tokens", "times settled")
    for (job_id, window_id), (hold, sums) in align(
        ((row[:2], row[2:]) for row in holds.iterator(CHUNK)), ((row[:2], row[2:]) for row in booked.iterator(CHUNK))
    ):
        microusd, tokens, state = hold or (0, 0, Hold.State.RELEASED)
        held, settled = state == Hold.State.HELD, state == Hold.State.SETTLED
        expected = (microusd * held, tokens * held, int(settled))
        yield compare(f"{job_id} in window {window_id}", "hold and ledger, {}", names, expected, sums)


def _bills() -> Iterator[list[Difference]]:
    """A job's bill against what was booked on its windows: the same on each."""
    bills = LedgerEntry.objects.bills().order_by("job_id").values_list("job_id", *SPENT)
    settled = LedgerEntry.objects.bookings().filter(kind=LedgerEntry.Kind.SETTLE).order_by("job_id")
    extremes = settled.values_list("job_id").annotate(
        Min("spent_microusd"), Min("spent_tokens"), Max("spent_microusd"), Max("spent_tokens")
    )
    for job_id, (bill, booked) in align(
        ((row[0], row[1:]) for row in bills.iterator(CHUNK)), ((row[0], row[1:]) for row in extremes.iterator(CHUNK))
    ):
        if booked is None:
            yield []
            continue
        low = compare(job_id, "bill and smallest booking, {}", SPENT, bill, booked[:2])
        yield low or compare(job_id, "bill and largest booking, {}", SPENT, bill, booked[2:])


def _egress_against_bills(source: EgressSource) -> Iterator[list[Difference]]:
    bills = LedgerEntry.objects.bills().order_by("job_id").values_list("job_id", *BILL)
    for job_id, (bill, metered) in align(
        ((row[0], row[1:]) for row in bills.iterator(CHUNK)), ((row.job_id, astuple(row)[1:]) for row in source())
    ):
        yield compare(job_id, "bill and egress rows, {}", BILL, bill, metered)


def _sums(rows: Any, fields: tuple[str, ...]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """The fields' sums for each window, ascending."""
    grouped = rows.order_by("window_id").values_list("window_id").annotate(*map(Sum, fields))
    return ((row[0], row[1:]) for row in grouped.iterator(CHUNK))


def compare(
    subject: str, what: str, names: Iterable[str], one: tuple[int, ...] | None, other: tuple[int, ...] | None
) -> list[Difference]:
    """What differs between two records of the same things; a missing record is one full of zeros."""
    wanted = list(names)
    pairs = zip(wanted, one or (0,) * len(wanted), other or (0,) * len(wanted), strict=True)
    return [Difference(subject, what.format(name), first, second) for name, first, second in pairs if first != second]


class Unordered(Exception):
    """A stream that was to be compared is not in ascending order."""


def align(*streams: Iterable[tuple[Any, Any]]) -> Iterator[tuple[Any, list[Any]]]:
    """Rows of several streams by key, side by side; None where a stream has no such key. Raises Unordered."""
    tagged = [_tagged(stream, index) for index, stream in enumerate(streams)]
    for key, group in groupby(merge(*tagged, key=itemgetter(0)), key=itemgetter(0)):
        row: list[Any] = [None] * len(streams)
        for _, index, value in group:
            row[index] = value
        yield key, row


def _tagged(stream: Iterable[tuple[Any, Any]], index: int) -> Iterator[tuple[Any, int, Any]]:
    last = None
    for key, value in stream:
        if last is not None and key <= last:
            raise Unordered(f"{key!r} comes after {last!r}")
        last = key
        yield key, index, value
