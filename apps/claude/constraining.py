"""A JSON Schema in the subset that the upstream holds a model to while it writes. Pure.

The upstream (structured outputs, strict tools) knows no constraints on numbers, lengths and patterns, no open objects
and no recursion. The first are told in the description instead, as Anthropic's own SDK does; whatever else is outside
cannot be constrained. What comes out is held against the whole schema in any case (`contract`).
"""

from typing import Any

from apps.claude import schemas

Schema = dict[str, Any]

MAX_OPTIONAL, MAX_UNIONS = 24, 16
"""The upstream's limits on a schema's optional properties and its unions."""
_FORMATS = frozenset(["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"])
_KEPT = ("description", "title", "default")
_TOLD = (
    "format", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "minItems", "maxItems", "uniqueItems",
)  # fmt: skip
_SCALARS = ("string", "number", "integer", "boolean", "null")
_KNOWN = frozenset({
    *_KEPT, *_TOLD, "type", "enum", "const", "properties", "required", "additionalProperties", "items", "anyOf",
    "oneOf", "allOf", "$ref", "$defs", "definitions", "$schema", "$id", "$comment", "examples", "deprecated",
})  # fmt: skip


class _Outside(Exception):
    """The schema asks for something that the upstream cannot constrain."""


def constrained(schema: Schema) -> Schema | None:
    """The schema as the upstream takes it, None where it would not. `schema` is usable (`schemas.unusable`)."""
    parts = list(schemas.subschemas(schema))
    optional = sum(len(part.get("properties", {}).keys() - set(part.get("required", ()))) for part in parts)
    unions = sum("anyOf" in part or "oneOf" in part or isinstance(part.get("type"), list) for part in parts)
    if optional > MAX_OPTIONAL or unions > MAX_UNIONS or _recursive(schema):
        return None
    try:
        return _schema(schema)
    except _Outside:
        return None


def _schema(part: Any) -> Schema:
    if not isinstance(part, dict) or part.keys() - _KNOWN:
        raise _Outside
    made: Schema = {name: part[name] for name in _KEPT if name in part}
    for name in ("$defs", "definitions"):
        if name in part:
            made[name] = {key: _schema(inner) for key, inner in part[name].items()}
    if "$ref" in part:
        return {"$ref": part["$ref"]} | ({k: made[k] for k in ("$defs", "definitions") if k in made})
    if isinstance(part.get("type"), list):
        return made | {"anyOf": [_of_type(part, kind) for kind in part["type"]]}
    for name, kept_as in (("anyOf", "anyOf"), ("oneOf", "anyOf"), ("allOf", "allOf")):
        if name in part:
            if part.keys() & {"properties", "items", "enum", "const"}:
                raise _Outside
            return made | {kept_as: [_schema(inner) for inner in part[name]]}
    return made | _plain(part, made)


def _of_type(part: Schema, kind: str) -> Schema:
    """One of several types; null has nothing else to it."""
    values = [value for value in part.get("enum", ()) if (value is None) == (kind == "null")]
    if kind == "null":
        return {"type": "null"}
    alone = {name: value for name, value in part.items() if name not in (*_KEPT, "$defs", "definitions", "enum")}
    return _schema(alone | {"type": kind} | ({"enum": values} if "enum" in part else {}))


def _plain(part: Schema, made: Schema) -> Schema:
    if "enum" in part or "const" in part:
        values = part.get("enum", [part.get("const")])
        if not all(value is None or isinstance(value, str | int | float | bool) for value in values):
            raise _Outside
        return {name: part[name] for name in ("enum", "const") if name in part}
    told = {name: part[name] for name in _TOLD if name in part}
    match part.get("type") or ("object" if "properties" in part else None):
        case "object":
            plain = _object(part)
        case "array" if "items" in part:
            plain = {"type": "array", "items": _schema(part["items"])}
            if told.get("minItems") in (0, 1):
                plain["minItems"] = told.pop("minItems")
        case str(kind) if kind in _SCALARS:
            plain = {"type": kind}
            if told.get("format") in _FORMATS:
                plain["format"] = told.pop("format")
        case _:
            raise _Outside
    if told:
        words = ", ".join(f"{name}: {value}" for name, value in told.items())
        plain["description"] = "\n\n".join(filter(None, (made.get("description"), f"{{{words}}}")))
    return plain


def _object(part: Schema) -> Schema:
    properties = part.get("properties", {})
    more = part.get("additionalProperties")
    if isinstance(more, dict) or (not properties and more is not False):
        raise _Outside  # a map of names that nobody knows beforehand
    made = {"type": "object", "properties": {name: _schema(inner) for name, inner in properties.items()}}
    if unknown := set(part.get("required", ())) - properties.keys():
        raise _Outside(unknown)
    return made | {"required": list(part.get("required", ())), "additionalProperties": False}


def _recursive(schema: Schema) -> bool:
    """Whether a reference leads back to itself."""
    done: set[str] = set()

    def leads_back(part: Schema, trail: tuple[str, ...]) -> bool:
        for inner in schemas.subschemas(part):
            reference = inner.get("$ref")
            if reference is None or reference in done:
                continue
            target = schemas.resolve(schema, reference)
            if reference in trail or target is schema:
                return True
            if isinstance(target, dict) and leads_back(target, (*trail, reference)):
                return True
            done.add(reference)
        return False

    return leads_back(schema, ())
