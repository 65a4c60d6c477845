"""The front matter of an agent's or a skill's file: YAML from strangers, read without trusting it. Pure.

Only a flat mapping of texts, numbers and lists of them comes out. Aliases, tags and deep nesting are refused before
anything is built from them, so that a small file cannot become a large value.
"""

import re
from collections.abc import Mapping

import yaml

MAX_BYTES = 64 * 1024
"""Of the front matter alone."""
_MAX_EVENTS = 2_000
_MAX_DEPTH = 8
_FENCE = re.compile(r"\A\ufeff?---[ \t]*\r?\n(?P<yaml>.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_LINE = re.compile(r"(?P<name>[A-Za-z][\w-]*):[ \t]*(?P<value>.*)")

Value = str | tuple[str, ...]


class Malformed(ValueError):
    """The file cannot be used; the message says why, for the person who wrote it."""


def split(text: str) -> tuple[Mapping[str, Value], str]:
    """The front matter and the body below it. Raises Malformed.

    Descriptions with an unquoted `: ` in them are no YAML, but the CLI takes them, and so do we: line by line.
    """
    found = _FENCE.match(text)
    if not found:
        raise Malformed("it has no front matter: begin it with --- and end that with ---")
    source = found["yaml"]
    if len(source.encode()) > MAX_BYTES:
        raise Malformed(f"its front matter is larger than {MAX_BYTES // 1024} kB")
    body = text[found.end() :]
    try:
        return _read(source), body
    except yaml.YAMLError as error:
        lenient = _read_lines(source)
        if lenient is None:
            raise Malformed(f"its front matter is not YAML: {_where(error)}") from None
        return lenient, body


def _read(source: str) -> dict[str, Value]:
    _check(source)
    value = yaml.load(source, Loader=yaml.CSafeLoader)
    if not isinstance(value, dict):
        raise Malformed("its front matter is not a list of names and values")
    return {str(name): _value(item) for name, item in value.items() if item is not None}


def _check(source: str) -> None:
    """Refuse what could grow or recurse. Raises Malformed, or YAMLError for what is no YAML."""
    depth = 0
    for number, event in enumerate(yaml.parse(source, Loader=yaml.CSafeLoader)):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise Malformed("its front matter uses YAML anchors or aliases")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if number > _MAX_EVENTS or depth > _MAX_DEPTH:
            raise Malformed("its front matter is too large or too deep")


def _value(item: object) -> Value:
    if isinstance(item, list):
        return tuple(str(each) for each in item)
    return str(item)


def _read_lines(source: str) -> dict[str, Value] | None:
    """Each line `name: value` with its value as plain text; None where a line is neither that, empty, nor nested."""
    found: dict[str, Value] = {}
    for line in source.splitlines():
        if not line.strip() or line.startswith((" ", "\t", "#", "-")):
            continue
        matched = _LINE.fullmatch(line)
        if not matched:
            return None
        found[matched["name"]] = matched["value"].strip().strip("\"'")
    return found or None


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "it cannot be read"
    return f"{problem}, line {mark.line + 2}" if mark else str(problem)
