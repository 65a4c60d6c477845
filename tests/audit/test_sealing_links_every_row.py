"""Committed rows become one chain: none skipped, none twice, and no deed waits for it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.audit import rows, services
from apps.audit.models import AuditEvent, AuditHead
from apps.audit.sealing import BATCH
from tests.audit.cast import NOON, Record, assert_whole, record, sealed
from tests.audit.conftest import both_databases, on

WAIT_SECONDS = 20


def targets() -> list[str]:
    """The targets of sealed rows in the order of the chain."""
    return list(AuditEvent.objects.sealed().order_by("position").values_list("target_id", flat=True))


def in_threads(*work: Callable[[], object]) -> list[object]:
    """Run these at once, each with a connection of its own; raises what one of them raises."""

    def run(one: Callable[[], object]) -> object:
        try:
            return one()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(work)) as pool:
        return [future.result(WAIT_SECONDS) for future in [pool.submit(run, one) for one in work]]


@both_databases
def test_rows_are_linked_in_the_order_of_their_time(recorded: Record) -> None:
    head = sealed(3)
    assert targets() == ["k1", "k2", "k3"]
    assert (head.position, head.seal) == (3, bytes(AuditEvent.objects.get(position=3).seal or b""))
    assert_whole()


@both_databases
def test_more_rows_than_a_batch_are_all_linked(recorded: Record) -> None:
    with transaction.atomic():
        for number in range(BATCH + 7):
            recorded(target_id=f"{number}")
    assert services.seal(now=NOON).position == BATCH + 7
    assert assert_whole().rows == BATCH + 7


@both_databases
def test_an_older_row_that_appears_late_is_linked_after_the_younger(recorded: Record) -> None:
    sealed(2)
    recorded(target_id="late", now=NOON - timedelta(hours=9))
    services.seal(now=NOON)
    assert targets() == ["k1", "k2", "late"]
    assert_whole()


@on("postgresql")
def test_a_row_whose_transaction_is_open_is_linked_once_it_commits(recorded: Record) -> None:
    written, commit = threading.Event(), threading.Event()

    def slow_deed() -> None:
        with transaction.atomic():
            record(target_id="slow")
            written.set()
            assert commit.wait(WAIT_SECONDS)

    def others() -> None:
        assert written.wait(WAIT_SECONDS)
        recorded(target_id="quick", now=NOON + timedelta(seconds=5))
        services.seal(now=NOON)
        assert targets() == ["quick"]
        commit.set()

    in_threads(slow_deed, others)
    services.seal(now=NOON)
    assert targets() == ["quick", "slow"]
    assert_whole()


@on("postgresql")
def test_no_deed_waits_for_a_sealer_or_for_another_deed(recorded: Record) -> None:
    sealed(1)
    with transaction.atomic():
        AuditHead.objects.select_for_update().get()  # a sealer in the middle of its batch
        recorded(target_id="this transaction")
        in_threads(lambda: record(target_id="another"), lambda: record(target_id="a third"))
    assert AuditEvent.objects.unsealed().count() == 3


@both_databases
def test_several_sealers_and_writers_at_once_make_one_chain(recorded: Record) -> None:
    def write() -> None:
        for number in range(60):
            record(target_id=f"{threading.get_ident()}-{number}")

    def seal_often() -> None:
        for _ in range(15):
            services.seal(now=NOON)

    in_threads(write, seal_often, seal_often, write, seal_often)
    assert services.seal(now=NOON).position == 120
    assert len(set(targets())) == 120
    assert_whole()


@both_databases
def test_the_slower_of_two_sealers_without_locks_begins_again(
    recorded: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a database without row locks leaves to the conditional UPDATEs: a head read too early."""
    sealed(2)
    stale = AuditHead.objects.get()
    recorded(target_id="k3")
    services.seal(now=NOON)
    recorded(target_id="k4")

    heads = [stale]
    real = AuditHead.objects.select_for_update

    class Early:
        """The first look at the head is an old one."""

        def order_by(self, *names: str) -> "Early":
            return self

        def first(self) -> AuditHead | None:
            return heads.pop() if heads else real().order_by("pk").first()

    monkeypatch.setattr(AuditHead.objects, "select_for_update", Early)
    services.seal(now=NOON)
    assert heads == []
    assert targets() == ["k1", "k2", "k3", "k4"]


@both_databases
def test_a_row_that_another_sealer_has_linked_is_not_linked_again(
    recorded: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for rows that were read too early."""
    recorded(target_id="k1")
    early = [rows.waiting(BATCH)]
    services.seal(now=NOON)
    recorded(target_id="k2")
    look = rows.waiting
    monkeypatch.setattr(rows, "waiting", lambda limit: early.pop() if early else look(limit))
    services.seal(now=NOON)
    assert early == []
    assert targets() == ["k1", "k2"]
    assert_whole()


@both_databases
def test_sealing_with_nothing_to_do_costs_two_look_ups(recorded: Record) -> None:
    sealed(1)
    with CaptureQueriesContext(connection) as queries:
        services.seal(now=NOON)
    assert len(queries) == 2


def test_finding_what_is_to_seal_reads_no_sealed_row(recorded: Record) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN QUERY PLAN SELECT id FROM audit_auditevent WHERE position IS NULL ORDER BY id LIMIT 500"
        )
        plan = " ".join(row[3] for row in cursor.fetchall())
    assert "audit_unsealed" in plan
    assert "TEMP" not in plan
