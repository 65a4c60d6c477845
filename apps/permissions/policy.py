"""What may be asked: `decide(policy, ask)` weighs a request against a profile's rules and limits.

Pure: no clock, no database, no Django. Three sentences hold everything: a deny rule wins over every allow rule; what no
rule allows is refused; an explicit wish beyond a limit is refused, a missing one means the limit itself.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isfinite

from apps.permissions.refs import MAX_LENGTH, Kind, Pattern, Ref, ref
from apps.permissions.verdict import Grant, Permit, Reason, Refusal
from apps.permissions.words import describe, dollars

_STARTERS: dict[Kind, Ref] = {"agent": ref("tool", "Agent"), "skill": ref("tool", "Skill")}
"""The tool through which the CLI starts an agent or a skill: who denies the tool denies all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that one task (and, for concurrency, one key) may take."""

    max_cost_microusd: int
    max_seconds: int
    max_turns: int
    max_concurrency: int
    """Jobs of one key open at the same time, waiting ones included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A profile's rules as they were at one version."""

    profile: str
    version: int
    allow: tuple[Pattern, ...]
    deny: tuple[Pattern, ...]
    ask: tuple[Pattern, ...]
    """Tools that may be used only after somebody has said yes to the call. They must be allowed as well."""
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a request wants. Raises ValueError without a model, or for a limit that is not a positive number."""

    model: tuple[str, ...]
    """Every name of the model, the full id first: `("claude-haiku-4-5-20251001", "haiku")`."""
    tools: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    max_cost_microusd: int | None = None
    max_seconds: float | None = None
    max_turns: int | None = None

    def __post_init__(self) -> None:
        if not self.model:
            raise ValueError("an ask names its model")
        for name in ("max_cost_microusd", "max_seconds", "max_turns"):
            wish: float | None = getattr(self, name)
            if wish is not None and not (isfinite(wish) and wish > 0):
                raise ValueError(f"{name} must be a positive number, not {wish}")

    def refs(self) -> Iterator[Ref]:
        """Everything that is asked for, each thing once."""
        yield ref("model", *self.model)
        named: tuple[tuple[Kind, tuple[str, ...]], ...] = (
            ("tool", self.tools),
            ("agent", self.agents),
            ("skill", self.skills),
        )
        for kind, names in named:
            yield from (ref(kind, name) for name in dict.fromkeys(names))


def decide(policy: Policy, ask: Ask) -> Grant | Refusal:
    """Grant exactly what was asked for, or refuse all of it with every reason at once."""
    verdicts = [judge(policy, thing) for thing in ask.refs()]
    permits = tuple(verdict for verdict in verdicts if isinstance(verdict, Permit))
    reasons = [verdict for verdict in verdicts if isinstance(verdict, Reason)]
    reasons += _beyond(policy, ask)
    if reasons:
        return Refusal(tuple(reasons))
    limits = policy.limits
    return Grant(
        profile=policy.profile,
        version=policy.version,
        model=ask.model[0],
        tools=tuple(dict.fromkeys(ask.tools)),
        agents=tuple(dict.fromkeys(ask.agents)),
        skills=tuple(dict.fromkeys(ask.skills)),
        ask_tools=tuple(dict.fromkeys(name for permit in permits for name in permit.waits_for)),
        max_cost_microusd=ask.max_cost_microusd or limits.max_cost_microusd,
        max_seconds=ask.max_seconds or limits.max_seconds,
        max_turns=ask.max_turns or limits.max_turns,
        max_concurrency=limits.max_concurrency,
        permits=permits,
    )


def judge(policy: Policy, thing: Ref) -> Permit | Reason:
    """May this one thing be used, and which rule says so? `decide` is this for all things of a request, and limits."""
    subject = f"This key may not use {describe(thing)}"
    if not thing.is_well_formed():
        return Reason("bad_name", str(thing)[:MAX_LENGTH], None, f"{subject}: that is not the name of a {thing.kind}")
    starter = _STARTERS.get(thing.kind)
    for rule in policy.deny:
        if rule.matches(thing):
            why = f"rule {rule} of profile '{policy.profile}' denies it"
            return Reason("denied", str(thing), str(rule), f"{subject}: {why}")
        if starter and rule.matches(starter):
            why = f"rule {rule} of profile '{policy.profile}' denies the tool that starts every {thing.kind}"
            return Reason("denied", str(thing), str(rule), f"{subject}: {why}")
    for rule in policy.allow:
        if rule.matches(thing):
            return Permit(str(thing), str(rule), tuple(_waits_for(policy, thing)))
    return Reason("not_allowed", str(thing), None, f"{subject}: no rule of profile '{policy.profile}' allows {thing}")


def _waits_for(policy: Policy, thing: Ref) -> Iterator[str]:
    """The tool whose calls wait for an approval because this thing was granted."""
    tool = _STARTERS.get(thing.kind, thing)
    if any(rule.matches(tool) for rule in policy.ask):
        yield tool.names[0]


def _beyond(policy: Policy, ask: Ask) -> Iterator[Reason]:
    """One reason for every wish above its limit, naming both numbers."""
    limits = policy.limits
    wishes: tuple[tuple[str, float | None, float, str, str], ...] = (
        ("max_cost_microusd", ask.max_cost_microusd, limits.max_cost_microusd, "spend", ""),
        ("max_seconds", ask.max_seconds, limits.max_seconds, "run for", " seconds"),
        ("max_turns", ask.max_turns, limits.max_turns, "take", " turns"),
    )
    for name, wish, limit, verb, unit in wishes:
        if wish is not None and wish > limit:
            most, wanted = (dollars(int(n)) if name == "max_cost_microusd" else f"{n:,}" for n in (limit, wish))
            message = f"A task of this key may {verb} at most {most}{unit}, not {wanted} (profile '{policy.profile}')"
            yield Reason("over_limit", name, f"{name}={limit}", message)


def allowed(policy: Policy, kind: Kind, names: Iterable[str]) -> list[str]:
    """Those of the names that the policy allows, in the given order: what a request that names none may use."""
    return [name for name in names if isinstance(judge(policy, ref(kind, name)), Permit)]


def models_allowed(policy: Policy, models: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Those of the models that the policy allows, in the given order; each model is the tuple of all its names."""
    return [names for names in models if isinstance(judge(policy, ref("model", *names)), Permit)]
