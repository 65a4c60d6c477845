"""What a policy comes to, for the people who write it: every known thing, judged, and what looks like a slip."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from apps.permissions.policy import Policy, judge
from apps.permissions.refs import KINDS, Kind, Pattern, Ref, ref
from apps.permissions.verdict import Permit
from apps.permissions.words import budget, count

Names = Mapping[Kind, Sequence[tuple[str, ...]]]
Verdict = Literal["Allowed", "Asks first", "Denied", "Not allowed"]
TITLES: dict[Kind, str] = {"tool": "Tools", "agent": "Agents", "skill": "Skills", "model": "Models"}
ORDER: tuple[Verdict, ...] = ("Allowed", "Asks first", "Denied", "Not allowed")


@dataclass(frozen=True, slots=True)
class Group:
    """The known things that one rule decides."""

    verdict: Verdict
    rule: str
    """Empty where none speaks."""
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """All of one kind. Where the members of a kind are not known there are rules only."""

    title: str
    groups: tuple[Group, ...]
    allowed_globs: tuple[str, ...]
    denied_globs: tuple[str, ...]
    listed: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """The page's content, in the order it is shown."""

    limits: str
    notes: tuple[str, ...]
    sections: tuple[Section, ...]


def overview(policy: Policy, known: Names) -> Overview:
    """Judge every known name exactly as a request would be judged."""
    limits = policy.limits
    most = budget(limits.max_cost_microusd, limits.max_seconds, limits.max_turns)
    return Overview(
        limits=f"At most {most} a task; {count(limits.max_concurrency, 'open job')} a key.",
        notes=tuple(_notes(policy, known)),
        sections=tuple(_section(policy, kind, known) for kind in KINDS),
    )


def _section(policy: Policy, kind: Kind, known: Names) -> Section:
    names: dict[tuple[Verdict, str], list[str]] = {}
    for thing in (ref(kind, *names) for names in known.get(kind, ())):
        names.setdefault(_verdict(policy, thing), []).append(_title(thing))
    groups = [Group(verdict, rule, tuple(members)) for (verdict, rule), members in names.items()]
    return Section(
        title=TITLES[kind],
        groups=tuple(sorted(groups, key=lambda group: ORDER.index(group.verdict))),
        allowed_globs=tuple(rule.glob for rule in policy.allow if rule.kind == kind),
        denied_globs=tuple(rule.glob for rule in policy.deny if rule.kind == kind),
        listed=kind in known,
    )


def _title(thing: Ref) -> str:
    name, *others = thing.names
    return f"{name} ({', '.join(others)})" if others else name


def _verdict(policy: Policy, thing: Ref) -> tuple[Verdict, str]:
    match judge(policy, thing):
        case Permit(rule=rule, waits_for=waits):
            return "Asks first" if waits else "Allowed", rule
        case reason:
            return "Denied" if reason.rule else "Not allowed", reason.rule or ""


def _notes(policy: Policy, known: Names) -> Iterator[str]:
    """What the rules probably do not mean to say, worst first."""
    things = {kind: [ref(kind, *names) for names in known[kind]] for kind in known}
    if "model" in things and not any(_may(policy, model) for model in things["model"]):
        yield "No known model is allowed: every request would be refused."
    if _may(policy, ref("tool", "Bash")):
        yield (
            "Bash is allowed. A shell can read, write and fetch whatever the workspace's jail permits, so rules about "
            "other tools no longer bind; the jail and the spending limit do."
        )
    starters: tuple[tuple[Kind, str], ...] = (("agent", "Agent"), ("skill", "Skill"))
    for kind, tool in starters:
        denied = any(rule.matches(ref("tool", tool)) for rule in policy.deny)
        if denied and any(rule.kind == kind for rule in policy.allow):
            yield f"The tool {tool} is denied, so no {kind} can start, whatever is allowed."
    for rule in policy.ask:
        asked = [thing for thing in things.get(rule.kind, ()) if rule.matches(thing)]
        if asked and not any(_may(policy, thing) for thing in asked):
            yield f"{rule} would ask first, but nothing allows it: it is refused instead."
    for rule in (*policy.allow, *policy.deny, *policy.ask):
        if rule.kind in things and not _foreign(rule) and not any(rule.matches(thing) for thing in things[rule.kind]):
            yield f"{rule} matches no known {rule.kind}."


def _may(policy: Policy, thing: Ref) -> bool:
    return isinstance(judge(policy, thing), Permit)


def _foreign(rule: Pattern) -> bool:
    """Whether the rule speaks of tools of MCP servers, which only their servers know."""
    return rule.kind == "tool" and rule.glob.startswith("mcp__")
