"""How things and sums are called in sentences."""

from decimal import Decimal

from apps.permissions.refs import Ref


def describe(thing: Ref) -> str:
    """`Bash`, `agent security-auditor`, `model claude-haiku-5-5 (haiku)`: safe to print, whatever was asked for."""
    if not thing.is_well_formed():
        return f"{thing.kind} {thing.names[0][:60]!r}"
    name, *others = thing.names
    if thing.kind == "tool":
        return name
    return f"{thing.kind} {name}" + (f" ({', '.join(others)})" if others else "")


def dollars(microusd: int) -> str:
    """The exact amount, never rounded, so that limits that differ read differently: `$0.10`, `$0.0042`, `$1,234.50`."""
    whole, _, cents = f"{Decimal(microusd).scaleb(-6):,.6f}".partition(".")
    return f"${whole}.{cents[:2]}{cents[2:].rstrip('0')}"


def budget(microusd: int, seconds: float, turns: int) -> str:
    """What a task may take: `$0.10, 2 min and 10 turns`."""
    return f"{dollars(microusd)}, {duration(round(seconds))} and {count(turns, 'turn')}"


def count(number: int, noun: str) -> str:
    """`1 turn`, `1,000 turns`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def duration(seconds: int) -> str:
    """`45 s`, `10 min`, `1 h 30 min`."""
    parts = ((seconds // 3600, "h"), (seconds % 3600 // 60, "min"), (seconds % 60, "s"))
    return " ".join(f"{number:,} {unit}" for number, unit in parts if number) or "0 s"
