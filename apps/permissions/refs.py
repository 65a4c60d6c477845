"""What a key can be allowed to use, by name (`tool:Bash`, `model:haiku`), and the patterns that match such names.

A pattern is `kind:glob`. The only wild card is `*`, any run of characters, also none; everything else stands for
itself and case counts. No `?`, no `[a-z]`, no `**`, no Bash(…) arguments: a rule must not mean more than it shows.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Kind = Literal["tool", "agent", "skill", "model"]
KINDS: tuple[Kind, ...] = ("tool", "agent", "skill", "model")

MAX_LENGTH = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]*")
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@/-]*")  # upstreams have ids such as `region/vendor.model-v1:0`
_GLOB = re.compile(r"[A-Za-z0-9*][A-Za-z0-9_.:@/*-]*")

_SAME_TOOL = (("Agent", "Task"), ("TaskStop", "KillShell", "KillBash"), ("SendUserMessage", "Brief"))
"""Tools that the CLI (2.1.330) takes under several names; it lists `Agent` as `Task`. A rule must catch them all."""


class BadPattern(ValueError):
    """A pattern that cannot be read; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Ref:
    """One thing under all its names: a pattern that matches any of them matches the thing. The first is shown."""

    kind: Kind
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind}:{self.names[0]}"

    def is_well_formed(self) -> bool:
        """Whether every name could be a name at all. `*`, `Bash(git:*)`, `Read Bash`, `--tools` could not."""
        shape = _MODEL_NAME if self.kind == "model" else _NAME
        return all(len(name) <= MAX_LENGTH and shape.fullmatch(name) for name in self.names)


def ref(kind: Kind, *names: str) -> Ref:
    """The thing of these names, the CLI's own synonyms included. Raises ValueError without a name."""
    if not names:
        raise ValueError(f"a {kind} needs a name")
    synonyms = [other for same in _SAME_TOOL if kind == "tool" and not set(same).isdisjoint(names) for other in same]
    return Ref(kind, tuple(dict.fromkeys([*names, *synonyms])))


@dataclass(frozen=True, slots=True)
class Pattern:
    """A rule's left-hand side, read by `parse`."""

    kind: Kind
    glob: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.glob}"

    def matches(self, thing: Ref) -> bool:
        """Whether the rule speaks of this thing, under any of its names."""
        return self.kind == thing.kind and any(_fits(self.glob, name) for name in thing.names)


def _fits(glob: str, name: str) -> bool:
    """Match in linear time: a pattern of many stars must not cost more than its length."""
    head, *rest = glob.split("*")
    if not rest:
        return glob == name
    *middle, tail = rest
    if len(name) < len(head) + len(tail) or not (name.startswith(head) and name.endswith(tail)):
        return False
    at, end = len(head), len(name) - len(tail)
    for part in middle:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


@lru_cache(maxsize=4096)
def parse(text: str) -> Pattern:
    """Read `kind:glob`. Raises BadPattern with a message for the person who typed it."""
    if not text:
        raise BadPattern("a pattern must not be empty: write for instance tool:Read")
    if len(text) > MAX_LENGTH:
        raise BadPattern(f"'{text[:20]}…' is longer than {MAX_LENGTH} characters")
    kind, colon, glob = text.partition(":")
    if not colon:
        raise BadPattern(f"'{text}' has no kind: write for instance tool:{text}")
    if kind not in KINDS:
        hint = f"write {kind.lower()}:{glob}" if kind.lower() in KINDS else "use tool, agent, skill or model"
        raise BadPattern(f"'{text}': there is no kind '{kind}', {hint}")
    if not glob:
        raise BadPattern(f"'{text}' names nothing: write {kind}:* for every {kind}")
    if "(" in glob and kind == "tool":
        whole = glob.partition("(")[0]
        raise BadPattern(f"'{text}': a rule names a whole tool, its arguments cannot be fenced; write {kind}:{whole}")
    if any(mark in glob for mark in " \t\n,;"):
        raise BadPattern(f"'{text}' names more than one thing: write one pattern for each")
    if not _GLOB.fullmatch(glob):
        raise BadPattern(f"'{text}': only letters, digits, _ - . : @ / and the wild card * may stand after '{kind}:'")
    return Pattern(kind, glob)


def parse_all(texts: Iterable[str]) -> tuple[Pattern, ...]:
    """Read every pattern, in order, repetitions dropped. Raises BadPattern for the first that cannot be read."""
    return tuple(dict.fromkeys(parse(text) for text in texts))
