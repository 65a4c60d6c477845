"""What one job adds to the roll-ups. Pure, and the same whether it has just ended or is read back years later."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from apps.claude import pricing
from apps.claude.spec import Usage
from apps.jobs.usage.histograms import counted

REFUSED = "refused"
"""The status of a request that never became a job: its key may not, or its budgets cannot."""


def of_call(*, model: str, usage: Usage, cost_microusd: int, priced: bool, price_version: str) -> Counter[str]:
    """Of a metered call. A call of another day's price table is not priced again: that table is gone."""
    current = price_version == pricing.VERSION
    table = (pricing.cost_microusd(model, usage) or 0) if current else cost_microusd
    more = cost_microusd - table
    if more > 0 and more % pricing.SEARCH_MICROUSD == 0:  # web searches: metered, but not among the tokens
        table = cost_microusd
    return Counter(
        calls=1,
        unpriced=int(not priced),
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_input_tokens=usage.cache_read_input_tokens,
        cache_creation_input_tokens=usage.cache_creation_input_tokens,
        cost_microusd=cost_microusd,
        saved_microusd=pricing.saved_microusd(model, usage) or 0,
        table_microusd=table,
    )


def of_job(
    calls: Iterable[Counter[str]],
    *,
    completed: bool,
    estimated: bool,
    cli_microusd: int | None,
    created_at: datetime,
    started_at: datetime | None,
    first_token_at: datetime | None,
    finished_at: datetime,
) -> Counter[str]:
    """Of an ended job, its calls included."""
    facts: Counter[str] = sum(calls, Counter())
    facts.update(requests=1, estimated=int(estimated))
    if cli_microusd is not None:
        facts.update(cli_requests=1, cli_microusd=cli_microusd, cli_metered_microusd=facts["cost_microusd"])
    if completed:
        _time(facts, "latency", created_at, finished_at)
    _time(facts, "first_token", created_at, first_token_at)
    _time(facts, "queue_wait", created_at, started_at)
    return facts


def _time(facts: Counter[str], timing: str, since: datetime, until: datetime | None) -> None:
    if until is not None:
        milliseconds = max(0, round((until - since).total_seconds() * 1000))
        column, one = counted(milliseconds)
        facts.update({f"{timing}_ms": milliseconds, f"{timing}_{column:02}": one})
