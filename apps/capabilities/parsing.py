"""An agent's or a skill's file as a value. Pure: text in, facts or a fault out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from apps.capabilities.frontmatter import Malformed, Value, split
from apps.permissions.refs import ref

MAX_DESCRIPTION = 8_000
"""Characters; what is longer is cut."""
_USED = frozenset({"name", "description", "tools", "allowed-tools", "model"})
_COMMAND = re.compile(r"(?:^|\s)!`[^`]+`|^```!", re.MULTILINE)
_TOOL = re.compile(r"[A-Za-z][\w-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What a file says of itself. Nothing of it is obeyed before it has met a grant."""

    name: str
    description: str
    body: str
    tools: tuple[str, ...] | None
    """Whole tools it wants; None where it names none, which for an agent means whatever the task has."""
    model: str
    """An alias or a full id; empty for the task's own."""
    runs_commands: bool
    """Whether the body holds `!` and a command in backticks, which the CLI would run by itself."""
    ignored: tuple[str, ...]
    """Fields of the front matter that have no effect here, such as `hooks` and `mcpServers`."""


def agent(text: str, *, stem: str, namespace: str = "") -> Parsed:
    """The agent of a file `<stem>.md`. Raises Malformed."""
    facts, body = split(text)
    if not body.strip():
        raise Malformed("it has no prompt below its front matter")
    return _parsed(facts, body, fallback=stem, namespace=namespace)


def skill(text: str, *, folder: str, namespace: str = "") -> Parsed:
    """The skill of a file `<folder>/SKILL.md`. Raises Malformed."""
    facts, body = split(text)
    return _parsed(facts, body, fallback=folder, namespace=namespace)


def _parsed(facts: Mapping[str, Value], body: str, *, fallback: str, namespace: str) -> Parsed:
    bare = _text(facts, "name") or fallback
    name = f"{namespace}:{bare}" if namespace else bare
    if not ref("agent", name).is_well_formed():
        raise Malformed(f"{name[:60]!r} is not a name: use letters, digits, _ . - and :")
    description = _text(facts, "description")
    if not description:
        raise Malformed("it has no description")
    return Parsed(
        name=name,
        description=description[:MAX_DESCRIPTION],
        body=body,
        tools=_tools(facts.get("tools", facts.get("allowed-tools"))),
        model=_model(_text(facts, "model")),
        runs_commands=bool(_COMMAND.search(body)),
        ignored=tuple(sorted(_clean(name)[:60] for name in facts.keys() - _USED)),
    )


def _text(facts: Mapping[str, Value], name: str) -> str:
    value = facts.get(name, "")
    return _clean(", ".join(value) if isinstance(value, tuple) else value).strip()


def _clean(text: str) -> str:
    """What every database takes as text: no NUL and no half of a pair, which YAML can write."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _tools(value: Value | None) -> tuple[str, ...] | None:
    """Whole tools: `Bash(git:*)` wants Bash. `*` and nothing at all mean every tool."""
    if value is None or value in ("", "*", ("*",)):
        return None
    # Commas inside parentheses belong to a rule, not to the list.
    items = value if isinstance(value, tuple) else re.split(r",(?![^(]*\))|\s+(?![^(]*\))", value)
    names = (found[0] for item in items if (found := _TOOL.match(item.strip())))
    return tuple(dict.fromkeys(names))


def _model(name: str) -> str:
    return "" if name.lower() in ("inherit", "default") else name[:64]
