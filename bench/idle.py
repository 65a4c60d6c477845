"""What an idle service weighs, and what each live process adds."""

from bench.report import Report
from bench.rig import Target


def weigh(target: Target, report: Report) -> None:
    """Proportional memory by kind of process."""
    memory = target.memory()
    clis = memory.get("live CLI processes", 0) + memory.get("jails", 0)
    service = sum(memory.values()) - clis
    parts = ", ".join(f"{kind} {size / 2**20:.0f}" for kind, size in sorted(memory.items()))
    report.add("idle service without CLI", f"{service / 2**20:.0f} MB ({parts})")
    count = sum(
        "--input-format" in " ".join(p.cmdline()) and "bwrap" not in p.name() for p in target.service.processes()
    )
    if count:
        report.add("one live process adds", f"{clis / count / 2**20:.0f} MB ({count} running)")
