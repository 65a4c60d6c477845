"""Three figures for the same requests: metered, the CLI's own, the price table. Where they part, it is told once."""

import logging
from datetime import datetime

from django.db import connection, transaction

from apps.audit import services as audit
from apps.jobs import notices
from apps.jobs.models import Drift
from apps.jobs.usage.figures import drifted
from apps.jobs.usage.spans import DAY, floor, moment

_SUMS = """
    SELECT start, model, SUM(calls), SUM(cost_microusd), SUM(table_microusd), SUM(cli_metered_microusd),
    SUM(cli_microusd) FROM jobs_rollup WHERE span = 1440 AND start >= %s GROUP BY start, model
"""
logger = logging.getLogger(__name__)


def raise_drifts(*, now: datetime) -> int:
    """Look at today and yesterday; how many drifts were new. Each is told once: on record, and to the operators."""
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, [floor(now, DAY) - DAY])
        rows = [(start, model, *map(int, sums)) for start, model, *sums in cursor.fetchall()]
    raised = 0
    for start, model, calls, metered, table, cli_metered, cli in rows:
        if drifted(cli_metered, cli, calls=calls):
            raised += _raise(start, model, "cli", cli_metered, cli, now)
        if drifted(metered, table, calls=calls):
            raised += _raise(start, model, "table", metered, table, now)
    return raised


def _raise(start: int, model: str, measure: str, metered: int, other: int, now: datetime) -> bool:
    day = moment(start).date()
    with transaction.atomic():
        sums = {"metered_microusd": metered, "other_microusd": other}
        drift, new = Drift.objects.get_or_create(
            day=day, model=model, measure=measure, defaults={**sums, "created_at": now}
        )
        if new:
            notices.announce(drift=drift, now=now)
            facts = {"day": day.isoformat(), "measure": measure, **sums}
            audit.record(
                actor="system",
                action="cost.drifted",
                target_type="model",
                target_id=model,
                outcome="differs",
                data=facts,
                now=now,
            )
    if new:
        logger.warning("what %s costs differs: %d micro-dollars metered, %d by the %s", model, metered, other, measure)
    return new
