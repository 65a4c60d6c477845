"""Client JSON Schemas: what can be used, what satisfies them, what the upstream can constrain; none can stall us."""

import time
from typing import Any

import pytest

from apps.claude import schemas
from apps.claude.constraining import constrained

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "age": {"type": ["integer", "null"], "minimum": 0},
        "mood": {"enum": ["good", "bad"]},
        "home": {"$ref": "#/$defs/Address"},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True, "minItems": 1},
        "born": {"type": "string", "format": "date"},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
    "$defs": {"Address": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
}
NODE = {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["next"]}


def test_a_value_that_satisfies_has_no_fault() -> None:
    assert schemas.unusable(PERSON) is None
    value = {"name": "Zoë", "age": None, "mood": "good", "home": {"city": "Łódź", "zip": 1}, "tags": ["a", "b"]}
    assert schemas.fault(PERSON, value | {"born": "2001-02-28"}) is None
    assert schemas.fault(NODE, {"next": {"next": {"next": None}}}) is None


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"age": -1}, "age"),
        ({"age": "5"}, "age"),
        ({"mood": "so so"}, "mood"),
        ({"home": {}}, "home"),
        ({"tags": []}, "tags"),
        ({"tags": ["a", "a"]}, "different"),
        ({"tags": ["a", 1]}, "tags[1]"),
        ({"born": "2001-02-30"}, "born"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_fault_says_where_it_is(change: dict[str, Any], word: str) -> None:
    assert word in str(schemas.fault(PERSON, {"name": "Zoë", "age": 5} | change))


def test_draft_7_is_understood_where_the_schema_says_so() -> None:
    seven = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "definitions": {"n": {"type": "integer"}},
        "properties": {"pair": {"type": "array", "items": [{"$ref": "#/definitions/n"}, {"type": "string"}]}},
    }
    assert schemas.unusable(seven) is None
    assert schemas.fault(seven, {"pair": [1, "a"]}) is None
    assert schemas.fault(seven, {"pair": ["a", "a"]})


@pytest.mark.parametrize(
    "schema",
    [
        "string",
        {"type": "strnig"},
        {"properties": []},
        {"$ref": "http://169.254.169.254/latest/meta-data"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#/$defs/missing"},
        {"properties": {"a": {"$ref": "other.json"}}},
        {"pattern": "("},
        {"unevaluatedProperties": False},
        {"allOf": [{}] * (schemas.MAX_SUBSCHEMAS + 1)},
    ],
)
def test_what_cannot_be_used_is_said_beforehand(schema: Any) -> None:
    assert schemas.unusable(schema)


def test_a_property_may_have_any_name() -> None:
    schema = {"type": "object", "properties": {"$ref": {"type": "string"}, "pattern": {"type": "integer"}}}
    assert schemas.unusable(schema) is None
    assert schemas.fault(schema, {"$ref": "x", "pattern": "y"})


HOSTILE: list[tuple[dict[str, Any], Any]] = [
    ({"pattern": "(a|aa)+$"}, "a" * 5_000 + "!"),
    ({"items": {"pattern": "^(.*a){4}$|!$"}}, ["a" * 200 + "!"] * 5_000),
    ({"patternProperties": {"(a|aa)+$": {}}}, {"a" * 5_000 + "!": 1}),
    ({"additionalProperties": False, "patternProperties": {"^(a|aa)+$": {}}}, {"a" * 5_000 + "!": 1}),
    ({"$ref": "#"}, 1),
    ({"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}, 1),
    (
        {"$defs": {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)} | {"d40": {}},
         "$ref": "#/$defs/d0"},
        1,
    ),
    ({"items": {"enum": [[n] for n in range(4_000)]}}, [[n] for n in range(4_000)]),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "value"), HOSTILE)
def test_no_schema_stalls_the_service(schema: dict[str, Any], value: Any) -> None:
    spent = time.process_time()
    with pytest.raises(schemas.TooComplex):
        schemas.fault(schema, value)
    assert time.process_time() - spent < 20, "it was not stopped"


def test_many_equal_items_are_no_trouble() -> None:
    assert schemas.fault({"uniqueItems": True}, [{"n": n} for n in range(30_000)]) is None


def test_the_upstream_is_given_what_it_can_constrain() -> None:
    made = constrained(PERSON)
    assert made is not None
    name, age, tags = (made["properties"][each] for each in ("name", "age", "tags"))
    assert name == {"type": "string", "description": "{minLength: 1}"}
    assert age["anyOf"] == [{"type": "integer", "description": "{minimum: 0}"}, {"type": "null"}]
    assert tags["minItems"] == 1
    assert "uniqueItems" in tags["description"]
    assert made["properties"]["born"] == {"type": "string", "format": "date"}
    assert made["$defs"]["Address"]["additionalProperties"] is False
    assert made["required"] == ["name", "age"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "object", "properties": {"any": {}}},
        {"type": "object", "properties": {"list": {"type": "array"}}},
        {"type": "object", "properties": {"x": {"enum": [{"a": 1}]}}},
        {"type": "object", "properties": {"x": {"not": {"type": "string"}}}},
        {"type": "object", "properties": {str(n): {"type": "string"} for n in range(25)}},
        NODE,
    ],
)
def test_what_it_cannot_is_left_to_us(schema: dict[str, Any]) -> None:
    assert schemas.unusable(schema) is None
    assert constrained(schema) is None


def test_everything_the_upstream_is_given_stays_inside_what_was_asked() -> None:
    """A value of the narrowed schema satisfies the asked one, but for what only a description can tell."""
    made = constrained(PERSON)
    assert made is not None
    assert schemas.unusable(made) is None
    for value in ({"name": "a", "age": 1, "home": {"city": "x"}}, {"name": "b", "age": None, "tags": ["x"]}):
        assert schemas.fault(made, value) is schemas.fault(PERSON, value) is None
