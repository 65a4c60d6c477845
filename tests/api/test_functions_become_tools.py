from typing import Any

import pytest

from apps.api.openai.messages import conversation
from apps.api.openai.requests import read
from apps.api.problems import ApiError, Problem
from apps.jobs.requests import ChatRequest

HI = [{"role": "user", "content": "Hi"}]
WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "description": "Wetter für eine Stadt 🌦",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "when": {"$ref": "#/$defs/When"}},
        "required": ["city"],
        "$defs": {"When": {"type": "object", "properties": {"day": {"type": ["string", "null"]}}}},
    },
}


def function(**fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {**WEATHER, **fields}}


def chat(**fields: Any) -> ChatRequest:
    return read({"model": "sonnet", "messages": HI, **fields}, default_model="haiku").chat


def refused(**fields: Any) -> Problem:
    with pytest.raises(ApiError) as caught:
        chat(**fields)
    assert caught.value.problem.status == 400
    return caught.value.problem


def call(call_id: str = "call_1", name: str = "get_weather", arguments: str = '{"city": "Oslo"}') -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def called(*calls: dict[str, Any], content: Any = None) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(calls)}


def result(call_id: str = "call_1", content: Any = "sunny", **more: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content, **more}


def turns(*messages: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    return [(turn.role, list(turn.content)) for turn in conversation([*HI, *messages])[1]]


def not_taken(*messages: dict[str, Any]) -> Problem:
    with pytest.raises(ApiError) as caught:
        conversation([*HI, *messages])
    return caught.value.problem


def test_a_function_is_a_tool_with_its_schema_as_it_was() -> None:
    (tool,) = chat(tools=[function()]).tools
    assert tool == {
        "name": "get_weather",
        "description": WEATHER["description"],
        "input_schema": WEATHER["parameters"],
    }


@pytest.mark.parametrize("parameters", [None, {}, {"type": "object", "properties": {}}])
def test_a_function_may_have_no_parameters(parameters: Any) -> None:
    (tool,) = chat(tools=[function(parameters=parameters)]).tools
    assert tool["input_schema"] == {"type": "object", "properties": {}}


def test_strict_is_kept() -> None:
    assert chat(tools=[function(strict=True)]).tools[0]["strict"] is True
    assert "strict" not in chat(tools=[function(strict=False)]).tools[0]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, None),
        ("auto", None),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "get_weather"}}, {"type": "tool", "name": "get_weather"}),
    ],
)
def test_every_choice_has_its_counterpart(choice: Any, expected: Any) -> None:
    assert chat(tools=[function()], tool_choice=choice).tool_choice == expected


def test_allowed_tools_leave_the_others_out() -> None:
    tools = [function(), function(name="other")]
    allowed = [{"type": "function", "function": {"name": "other"}}]
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": allowed}}
    request = chat(tools=tools, tool_choice=choice)
    assert ([tool["name"] for tool in request.tools], request.tool_choice) == (["other"], {"type": "any"})


def test_parallel_calls_can_be_forbidden() -> None:
    assert chat(tools=[function()], parallel_tool_calls=True).tool_choice is None
    one = {"type": "auto", "disable_parallel_tool_use": True}
    assert chat(tools=[function()], parallel_tool_calls=False).tool_choice == one
    choice = chat(tools=[function()], tool_choice="required", parallel_tool_calls=False).tool_choice
    assert choice == {"type": "any", "disable_parallel_tool_use": True}
    reading = read({"messages": HI, "parallel_tool_calls": False}, default_model="haiku")
    assert reading.ignored == ("parallel_tool_calls",)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": [5]}, "tools[0]"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [function(name="with space")]}, "tools[0].function.name"),
        ({"tools": [function(name="x" * 65)]}, "tools[0].function.name"),
        ({"tools": [function(), function()]}, "tools[1].function.name"),
        ({"tools": [function(description=5)]}, "tools[0].function.description"),
        ({"tools": [function(parameters={"type": "array"})]}, "tools[0].function.parameters.type"),
        ({"tools": [function(parameters={"properties": {"a": {"type": "text"}}})]}, "tools[0].function.parameters"),
        ({"tools": [function(parameters={"$ref": "http://x/y"})]}, "tools[0].function.parameters"),
        ({"tools": [function(strict="yes")]}, "tools[0].function.strict"),
        ({"tools": [function(name=f"f{n}") for n in range(129)]}, "tools"),
        ({"tools": [function()], "tool_choice": "any"}, "tool_choice"),
        ({"tools": [function()], "tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [function()], "parallel_tool_calls": "no"}, "parallel_tool_calls"),
        ({"functions": [WEATHER]}, "functions"),
        ({"function_call": {"name": "x"}}, "function_call"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refused(**fields).param == param


def test_calls_and_results_are_blocks_with_their_ids() -> None:
    assert turns(called(call(), content="Let me see."), result()) == [
        ("user", [{"type": "text", "text": "Hi"}]),
        (
            "assistant",
            [
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"city": "Oslo"}},
            ],
        ),
        (
            "user",
            [{"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "sunny"}]}],
        ),
    ]


def test_results_of_one_answer_are_one_turn_and_a_question_may_follow() -> None:
    found = turns(called(call("a"), call("b")), result("b"), result("a", ""), {"role": "user", "content": "And?"})
    kinds = [block["type"] for block in found[-1][1]]
    assert kinds == ["tool_result", "tool_result", "text"]
    assert "content" not in found[-1][1][1], "an empty result is one without content"


def test_a_result_may_hold_images_and_may_be_an_error() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    (block,) = turns(called(call()), result(content=[image], is_error=True))[-1][1]
    assert (block["content"][0]["type"], block["is_error"]) == ("image", True)


def test_an_id_that_the_upstream_does_not_take_is_replaced_everywhere_alike() -> None:
    found = turns(called(call("call:ü/1")), result("call:ü/1"))
    assert found[1][1][0]["id"] == found[2][1][0]["tool_use_id"]
    assert found[1][1][0]["id"].isascii()


@pytest.mark.parametrize(
    ("arguments", "expected"), [("", {}), ("{}", {}), ("[1]", {"invalid_json": "[1]"}), ("{a", {"invalid_json": "{a"})]
)
def test_arguments_that_were_no_object_are_shown_as_they_were(arguments: str, expected: dict[str, Any]) -> None:
    assert turns(called(call(arguments=arguments)), result())[1][1][0]["input"] == expected


def test_every_call_needs_its_result_next() -> None:
    for messages in (
        [called(call("a"), call("b")), result("a")],
        [called(call()), {"role": "user", "content": "Well?"}],
        [called(call())],
    ):
        problem = not_taken(*messages)
        assert problem.param == "messages[1].tool_calls"
        assert "must be followed by tool messages" in problem.message


def test_a_result_needs_its_call() -> None:
    for messages in ([result()], [called(call()), result("other")], [called(call()), result(), result()]):
        assert "must be a response to a preceding message" in not_taken(*messages).message


def test_the_former_way_is_refused_clearly() -> None:
    problem = not_taken({"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}})
    assert problem.param == "messages[1].function_call"
    assert not_taken({"role": "function", "name": "f", "content": "1"}).param == "messages[1].role"


@pytest.mark.parametrize(
    ("value", "param"),
    [
        (call() | {"id": 5}, "messages[1].tool_calls[0].id"),
        (call() | {"type": "custom"}, "messages[1].tool_calls[0].type"),
        (call(name="not a name"), "messages[1].tool_calls[0].function.name"),
        ({"id": "a", "type": "function", "function": {"name": "f", "arguments": {}}},
         "messages[1].tool_calls[0].function.arguments"),
        (5, "messages[1].tool_calls[0]"),
    ],
)  # fmt: skip
def test_calls_that_make_no_sense_are_refused_by_name(value: Any, param: str) -> None:
    assert not_taken(called(value), result()).param == param


def test_old_calls_are_declared_where_there_are_no_functions_any_more() -> None:
    request = chat(messages=[*HI, called(call()), result()])
    assert [tool["name"] for tool in request.tools] == ["get_weather"]
    assert request.tool_choice == {"type": "none"}


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def test_a_response_format_is_a_schema() -> None:
    asked = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}}
    assert chat(response_format=asked).output_schema == SCHEMA
    assert chat(response_format={"type": "json_object"}).output_schema == {"type": "object"}
    assert chat(response_format={"type": "text"}).output_schema is None
    rooted = {"$ref": "#/$defs/A", "$defs": {"A": SCHEMA}}
    asked = {"type": "json_schema", "json_schema": {"name": "answer", "schema": rooted}}
    assert chat(response_format=asked).output_schema == rooted


@pytest.mark.parametrize(
    ("value", "param"),
    [
        ("json", "response_format"),
        ({"type": "xml"}, "response_format.type"),
        ({"type": "json_schema"}, "response_format.json_schema"),
        ({"type": "json_schema", "json_schema": {"schema": SCHEMA}}, "response_format.json_schema.name"),
        ({"type": "json_schema", "json_schema": {"name": "a b", "schema": SCHEMA}}, "response_format.json_schema.name"),
        ({"type": "json_schema", "json_schema": {"name": "a"}}, "response_format.json_schema.schema"),
        ({"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "array"}}},
         "response_format.json_schema.schema"),
        ({"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "thing"}}},
         "response_format.json_schema.schema"),
        ({"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA, "strict": 1}},
         "response_format.json_schema.strict"),
    ],
)  # fmt: skip
def test_formats_that_cannot_be_honoured_are_refused_by_name(value: Any, param: str) -> None:
    assert refused(response_format=value).param == param
