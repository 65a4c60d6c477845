"""`bin/bench [case …]`: everything, or the cases that are named."""

import asyncio
import sys
from collections.abc import Sequence

from bench import (
    admission,
    batch,
    bigbatch,
    calling,
    capabilities,
    chat,
    fit_routing,
    following,
    idle,
    routing,
    tasks,
    usage,
)
from bench.report import Report
from bench.rig import scripted_model, service

CASES = (
    "discovery",
    "routing",
    "admission",
    "tasks",
    "idle",
    "first",
    "calling",
    "throughput",
    "burst",
    "batch",
    "bigbatch",
    "slow",
    "fanout",
    "usage",
)
_ALONE = {
    "discovery": capabilities.discovery,
    "routing": routing.measure,
    "admission": admission.admission,
    "tasks": tasks.measure,
}
"""Those that need no service."""


def main() -> None:
    """Run the cases and print the table."""
    wanted = sys.argv[1:] or CASES
    if wanted == ["fit-routing"]:  # no measurement: it rewrites what `routing` measures
        fit_routing.main()
        return
    unknown = set(wanted) - set(CASES)
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; there are {', '.join(CASES)}")
    report = Report()
    for name, measure in _ALONE.items():
        if name in wanted:
            measure(report)
    with scripted_model() as upstream:
        if set(wanted) & {"idle", "first", "calling", "throughput", "burst"}:
            _chats(wanted, upstream, report)
        if "batch" in wanted:
            with service(upstream, slots=8) as target:
                asyncio.run(batch.measure(target, report))
        if "bigbatch" in wanted:
            with service(upstream, slots=8) as target:
                asyncio.run(bigbatch.measure(target, upstream, report))
        if "slow" in wanted or "fanout" in wanted:
            _crowds(wanted, upstream, report)
        if "usage" in wanted:
            usage.measure(upstream, report)
    print(f"\n{report.markdown()}")


def _chats(wanted: Sequence[str], upstream: str, report: Report) -> None:
    with service(upstream, slots=4) as target:
        if "idle" in wanted:
            idle.weigh(target, report)
        if "first" in wanted:
            asyncio.run(chat.first_token(target, upstream, report))
        if "calling" in wanted:
            asyncio.run(calling.calling(target, upstream, report))
        if "throughput" in wanted:
            asyncio.run(chat.throughput(target, report))
        if "burst" in wanted:
            asyncio.run(chat.burst(target, report))


def _crowds(wanted: Sequence[str], upstream: str, report: Report) -> None:
    with service(upstream, slots=32) as target:
        if "slow" in wanted:
            asyncio.run(chat.slow_model(target, report))
        if "fanout" in wanted:
            asyncio.run(following.fan_out(target, report))


if __name__ == "__main__":
    main()
