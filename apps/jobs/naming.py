"""Whether what a request names exists at all, before anybody asks whether it may be used."""

from collections.abc import Iterable, Iterator

from apps.capabilities import mcp
from apps.capabilities.models import Capability
from apps.permissions import known
from apps.permissions.policy import Ask, Policy, allowed
from apps.permissions.refs import Kind, ref

_SHOWN = 60
PARAMS: dict[Kind, str] = {"tool": "allow_tools", "agent": "allow_agents", "skill": "allow_skills"}


class UnknownNames(Exception):
    """A request names what does not exist; the message lists what its key may use instead."""

    def __init__(self, unknown: dict[Kind, list[str]], usable: dict[Kind, list[str]]) -> None:
        self.unknown = unknown
        self.param = PARAMS[next(iter(unknown))]
        super().__init__(" ".join(_complaint(kind, names, usable[kind]) for kind, names in unknown.items()))


def check(policy: Policy, ask: Ask) -> None:
    """Raises UnknownNames, with everything that is not known at once."""
    asked: dict[Kind, tuple[str, ...]] = {"tool": ask.tools, "agent": ask.agents, "skill": ask.skills}
    unknown = {kind: missing for kind, names in asked.items() if names and (missing := _unknown(kind, names))}
    if unknown:
        raise UnknownNames(unknown, {kind: usable(policy, kind) for kind in unknown})


def usable(policy: Policy, kind: Kind) -> list[str]:
    """Everything of that kind that the policy allows, by name."""
    return allowed(policy, kind, [*known.TOOLS, *mcp.tools()] if kind == "tool" else sorted(_existing(kind)))


def canonical_tool(name: str) -> str:
    """A tool's own name where the CLI has several for it: `Agent` for `Task`. Anything else as it is."""
    return next((each for each in ref("tool", name).names if each in known.TOOLS), name) if name else name


def _unknown(kind: Kind, names: Iterable[str]) -> list[str]:
    existing = _existing(kind, names)
    return [name for name in dict.fromkeys(names) if name not in existing]


def _existing(kind: Kind, names: Iterable[str] | None = None) -> set[str]:
    if kind == "tool":
        return {*known.TOOLS, *mcp.tools()}
    rows = Capability.objects.usable().filter(kind=kind)
    return set((rows if names is None else rows.filter(name__in=list(names))).values_list("name", flat=True))


def _complaint(kind: Kind, names: list[str], usable: list[str]) -> str:
    return "".join(_sentences(kind, names, usable))


def _sentences(kind: Kind, names: list[str], usable: list[str]) -> Iterator[str]:
    yield f"There is no {kind} {', '.join(repr(name[:60]) for name in names[:10])}. "
    if not usable:
        yield f"This key may use no {kind}s."
        return
    more = f" and {len(usable) - _SHOWN} more: see GET /v1/capabilities" if len(usable) > _SHOWN else ""
    yield f"This key may use: {', '.join(usable[:_SHOWN])}{more}."
