"""How things and sums are called in sentences."""

from decimal import Decimal

from apps.permissions.refs import Ref


def describe(thing: Ref) -> str:
    """`Bash`, `agent security-auditor`, `model claude-haiku-4-5 (haiku)`: safe to print, whatever was asked for."""
    name = thing.names[0] if thing.is_well_formed() else repr(thing.names[0][:60])
    if thing.kind == "tool":
        return name
    also = ", ".join(thing.names[1:]) if thing.is_well_formed() else ""
    return f"{thing.kind} {name} ({also})" if also else f"{thing.kind} {name}"


def dollars(microusd: int) -> str:
    """The exact amount, never rounded: `$0.10`, `$0.0042`, `$1,234.50`. Two limits that differ must read differently."""
    whole, _, cents = f"{Decimal(microusd).scaleb(-6):,.6f}".partition(".")
    return f"${whole}.{cents[:2]}{cents[2:].rstrip('0')}"
