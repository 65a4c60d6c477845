"""`response_format` as a schema that the answer has to satisfy. Pure."""

from typing import Any

from apps.api.openai import fields
from apps.api.openai.fields import Body
from apps.api.openai.tools import NAME
from apps.claude import schemas
from apps.claude.options import ANY_OBJECT


def output_schema(body: Body) -> dict[str, Any] | None:
    """The schema, None for free text. Raises ApiError."""
    value = body.get("response_format")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise fields.wrong_type("response_format", "an object")
    match value.get("type"):
        case "text":
            return None
        case "json_object":
            return dict(ANY_OBJECT)
        case "json_schema":
            return _json_schema(value.get("json_schema"), "response_format.json_schema")
    raise fields.wrong_value("response_format.type", "The type is text, json_object or json_schema.")


def _json_schema(value: Any, at: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise fields.wrong_type(at, "an object")
    name = value.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise fields.wrong_value(f"{at}.name", "A name is needed: 1 to 64 letters, digits, underscores and hyphens.")
    fields.flag(value, "strict", param=f"{at}.strict")  # the answer is held against the schema in any case
    return usable_object(value.get("schema"), f"{at}.schema")


def usable_object(schema: Any, at: str) -> dict[str, Any]:
    """A schema of objects. Raises ApiError."""
    if reason := schemas.unusable(schema):
        raise fields.wrong_value(at, f"This is no JSON Schema that can be used: {reason}.")
    root = schemas.resolve(schema, schema["$ref"]) if "$ref" in schema else schema
    if not isinstance(root, dict) or root.get("type", "object") != "object":
        raise fields.wrong_value(at, "The answer's schema must be one of an object: its 'type' must be 'object'.")
    found: dict[str, Any] = schema
    return found
