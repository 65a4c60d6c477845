"""JSON Schemas that clients send: whether one can be used, and whether a value satisfies it, in bounded time. Pure.

The schema and, through the prompt, the value are a stranger's. So nothing is fetched, expressions match under a time
limit, and the number of steps is limited: a few kilobytes of schema can ask for a century of checking.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import regex
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker, SchemaError, ValidationError, validators
from referencing import Registry

MAX_SUBSCHEMAS = 5_000
MAX_STEPS = 200_000
PATTERN_SECONDS = 0.25
"""For all expressions of one check together."""
_MAPS = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "additionalItems")
_REFUSED = ("unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef")
_FORMATS = FormatChecker(("date", "email", "ipv4", "ipv6", "uuid"))


@dataclass(slots=True)
class _Left:
    steps: int = MAX_STEPS
    pattern_seconds: float = PATTERN_SECONDS


_left: ContextVar[_Left | None] = ContextVar("left", default=None)

Schema = dict[str, Any]


class TooComplex(Exception):
    """Checking takes more steps than a client may ask for."""


def unusable(schema: object) -> str | None:
    """Why this cannot be used as a JSON Schema, None if it can."""
    if not isinstance(schema, dict):
        return "it is not an object"
    for count, part in enumerate(subschemas(schema), 1):
        if count > MAX_SUBSCHEMAS:
            return f"it has more than {MAX_SUBSCHEMAS} parts"
        if refused := [name for name in _REFUSED if name in part]:
            return f"'{refused[0]}' is not supported"
        if "$ref" in part and resolve(schema, part["$ref"]) is None:
            return f"the reference {str(part['$ref'])[:100]!r} does not point into the schema"
        if not _compiles(part.get("pattern")):
            return f"the pattern {str(part.get('pattern'))[:100]!r} is not a regular expression"
    try:
        _validator_of(schema).check_schema(schema)
    except SchemaError as error:
        return _where(error)
    return None


def fault(schema: Schema, value: object) -> str | None:
    """What is wrong with the value, None where it satisfies the schema. `schema` is usable. Raises TooComplex."""
    steps = _left.set(_Left())
    try:
        checker = _validator_of(schema)(schema, registry=Registry(), format_checker=_FORMATS)
        error = next(checker.iter_errors(value), None)
    except (RecursionError, TimeoutError):
        raise TooComplex from None
    finally:
        _left.reset(steps)
    return None if error is None else _where(error)


def subschemas(schema: Schema) -> Iterator[Schema]:
    """The schema and every one inside it, however deep; what stands for itself (`enum`, `default`) is not looked at."""
    waiting: list[Any] = [schema]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict):
            continue
        yield part
        for name in _MAPS:
            if isinstance(part.get(name), dict):
                waiting.extend(part[name].values())
        for name in _LISTS:
            if isinstance(part.get(name), list):
                waiting.extend(part[name])
        for name in _SINGLE:
            inner = part.get(name)
            waiting.extend(inner if isinstance(inner, list) else [inner])


def resolve(schema: Schema, reference: object) -> Schema | bool | None:
    """What `#` or `#/…` points to in the schema; None for anything else."""
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        return None
    found: Any = schema
    for step in reference.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, dict) and name in found:
            found = found[name]
        else:
            return None
    return found if isinstance(found, dict | bool) else None


def _compiles(pattern: object) -> bool:
    if not isinstance(pattern, str):
        return pattern is None
    try:
        regex.compile(pattern)
    except (regex.error, RecursionError):
        return False
    return True


def _where(error: ValidationError | SchemaError) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path).lstrip(".")
    return f"{path}: {error.message[:300]}" if path else error.message[:300]


def _spend(steps: int) -> None:
    if left := _left.get():  # the schema of schemas is ours: checking by that is not counted
        left.steps -= steps
        if left.steps < 0:
            raise TooComplex


def _found(pattern: str, text: str) -> bool:
    """Whether the expression is found in the text. Raises TimeoutError."""
    left = _left.get() or _Left()
    if left.pattern_seconds <= 0:
        raise TooComplex
    began = time.monotonic()
    try:
        return regex.search(pattern, text, timeout=left.pattern_seconds) is not None
    finally:
        left.pattern_seconds -= time.monotonic() - began


_Check = Callable[[Any, Any, Any, Any], Iterable[ValidationError] | None]


def _counted(check: _Check) -> _Check:
    def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        _spend(1 + (len(value) if isinstance(value, list | dict) else 0))
        yield from check(validator, value, instance, schema) or ()

    return counted


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _found(pattern, instance):
        yield ValidationError(f"{instance[:100]!r} does not match {pattern[:100]!r}")


def _pattern_properties(
    validator: Any, patterns: Mapping[str, Any], instance: Any, _: Any
) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for pattern, inner in patterns.items():
            for name, value in instance.items():
                if _found(pattern, name):
                    yield from validator.descend(value, inner, path=name, schema_path=pattern)


def _unique(_validator: Any, wanted: bool, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if not wanted or not isinstance(instance, list):
        return
    if len({json.dumps(item, sort_keys=True) for item in instance}) != len(instance):
        yield ValidationError("the items are not all different")


def _additional(validator: Any, allowed: Any, instance: Any, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    """As in the library, whose own joins the patterns to one expression and matches that without a limit."""
    if not isinstance(instance, dict):
        return
    patterns = schema.get("patternProperties", {})
    for name, value in instance.items():
        if name in schema.get("properties", {}):
            continue
        if any(_found(pattern, name) for pattern in patterns):
            continue
        if allowed is False:
            yield ValidationError(f"{name[:100]!r} is not one of its properties")
        elif isinstance(allowed, dict):
            yield from validator.descend(value, allowed, path=name)


_OWN: dict[str, _Check] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "uniqueItems": _unique,
    "additionalProperties": _additional,
}


def _bounded(base: Any) -> Any:
    """The library's validator with every keyword counted."""
    checks = {name: _counted(check) for name, check in {**base.VALIDATORS, **_OWN}.items()}
    return validators.extend(base, checks)  # type: ignore[no-untyped-call]


_CURRENT, _SEVEN = _bounded(Draft202012Validator), _bounded(Draft7Validator)


def _validator_of(schema: Schema) -> Any:
    """Draft 7 where the schema says so, which is what JavaScript's libraries write; else the current one."""
    return _SEVEN if "draft-07" in str(schema.get("$schema")) else _CURRENT
