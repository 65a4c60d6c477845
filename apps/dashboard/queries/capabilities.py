"""What exists, and which of a project's profiles may use it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from apps.capabilities.models import Capability
from apps.claude.catalog import MODELS
from apps.keys.models import ApiKey, Project
from apps.permissions import known
from apps.permissions.models import Profile
from apps.permissions.policy import Policy, judge
from apps.permissions.refs import Kind, ref
from apps.permissions.verdict import Permit

Verdict = Literal["yes", "asks", "no"]
KINDS: dict[Kind, str] = {"tool": "Tools", "agent": "Agents", "skill": "Skills", "model": "Models"}
MOST = 300
PURPOSES = {
    "Read": "Reads a file of the workspace.",
    "Glob": "Finds files by their names.",
    "Grep": "Searches in files.",
    "Write": "Writes a file of the workspace.",
    "Edit": "Changes a part of a file.",
    "NotebookEdit": "Changes a cell of a notebook.",
    "Bash": "Runs shell commands in the jail: whoever has it can do what the jail allows.",
    "Monitor": "Watches what runs in the background.",
    "WebFetch": "Reads a page of the web.",
    "WebSearch": "Searches the web, by the provider of the model.",
    "Agent": "Starts a granted agent.",
    "Skill": "Uses a granted skill.",
}


@dataclass(frozen=True, slots=True)
class Profiled:
    """A profile of the project's keys, and how many of them carry it."""

    profile: Profile
    policy: Policy
    keys: Sequence[str]


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that exists. `verdicts`: one for each profile, in their order, with the rule or reason."""

    kind: Kind
    name: str
    description: str
    source: str
    verdicts: Sequence[tuple[Verdict, str]]


def profiles(project: Project) -> list[Profiled]:
    """The profiles of the project's usable keys; a key without one has the default. Two queries."""
    keys = (
        ApiKey.objects.filter(project=project, revoked_at=None).order_by("-pk").values_list("name", "profile_id")[:500]
    )
    default = Profile.objects.default()
    by_profile: dict[int, list[str]] = {}
    for name, profile_id in keys:
        by_profile.setdefault(profile_id or default.pk, []).append(name)
    rows = Profile.objects.filter(pk__in=by_profile or [default.pk]).order_by("max_cost_microusd", "slug")
    return [Profiled(row, row.policy(), by_profile.get(row.pk, [])) for row in rows]


def things(profiled: Sequence[Profiled], *, kind: str, text: str) -> Mapping[str, list[Thing]]:
    """Everything there is by kind, narrowed to a kind and to a text in name or description. One query."""
    found: dict[str, list[Thing]] = {}
    for each, title in KINDS.items():
        if kind in ("", each):
            rows = [row for row in _all(each) if text.lower() in f"{row[0]} {row[1]}".lower()]
            found[title] = [_thing(each, names, about, source, profiled) for names, about, source in _named(each, rows)]
    return {title: rows for title, rows in found.items() if rows}


def _all(kind: Kind) -> list[tuple[str, str, str]]:
    if kind == "tool":
        return [(name, PURPOSES.get(name, ""), "Claude Code CLI") for name in known.TOOLS]
    if kind == "model":
        return [
            (model.id, f"{model.display_name}{f', {model.alias}' if model.alias else ''}", "catalog")
            for model in MODELS
        ]
    rows = Capability.objects.usable().filter(kind=kind).order_by("name")
    return list(rows.values_list("name", "description", "source")[:MOST])


def _named(kind: Kind, rows: Sequence[tuple[str, str, str]]) -> list[tuple[tuple[str, ...], str, str]]:
    if kind != "model":
        return [((name,), about, source) for name, about, source in rows]
    by_id = {model.id: known.model_names(model) for model in MODELS}
    return [(by_id[name], about, source) for name, about, source in rows]


def _thing(kind: Kind, names: tuple[str, ...], about: str, source: str, profiled: Sequence[Profiled]) -> Thing:
    return Thing(kind, names[0], about, source, [_verdict(each.policy, kind, names) for each in profiled])


def _verdict(policy: Policy, kind: Kind, names: tuple[str, ...]) -> tuple[Verdict, str]:
    match judge(policy, ref(kind, *names)):
        case Permit(rule=rule, waits_for=waits):
            return ("asks", f"{rule}; each call waits for a yes") if waits else ("yes", rule)
        case reason:
            return "no", reason.rule or "no rule allows it"
