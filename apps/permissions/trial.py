"""A request tried on a policy: the verdict, and for each thing asked for what becomes of it and why."""

from dataclasses import dataclass

from apps.permissions.policy import Ask, Policy, decide, judge
from apps.permissions.verdict import Grant, Permit, Refusal
from apps.permissions.words import budget


@dataclass(frozen=True, slots=True)
class Row:
    """One thing asked for."""

    asked: str
    verdict: str
    rule: str
    """What decided, empty where no rule speaks."""
    why: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What `decide` says, and how it came to it."""

    grant: Grant | None
    """What the engine would run with."""
    refusals: int
    limits: str
    """What a task may take if it is granted, else empty."""
    rows: tuple[Row, ...]


def trial(policy: Policy, ask: Ask) -> Trial:
    """Decide, and show the things that would be granted beside those that are refused."""
    verdict = decide(policy, ask)
    rows = []
    for thing in ask.refs():
        match judge(policy, thing):
            case Permit(ref=name, rule=rule, waits_for=waits):
                why = f"each call of {', '.join(waits)} waits for an approval" if waits else ""
                rows.append(Row(name, "Asks first" if waits else "Allowed", rule, why))
            case reason:
                rows.append(Row(reason.ref, "Refused", reason.rule or "", reason.message))
    reasons = verdict.reasons if isinstance(verdict, Refusal) else ()
    beyond = [reason for reason in reasons if reason.code == "over_limit"]
    rows += [Row(reason.ref, "Refused", reason.rule or "", reason.message) for reason in beyond]
    grant = verdict if isinstance(verdict, Grant) else None
    limits = budget(grant.max_cost_microusd, grant.max_seconds, grant.max_turns) if grant else ""
    return Trial(grant, len(reasons), limits, tuple(rows))
