from typing import Any

import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsBase

from apps.api.openai.parameters import PARAMETERS, table
from apps.api.openai.requests import Reading, read
from apps.api.problems import ApiError, Problem
from config.env import ROOT

HI = [{"role": "user", "content": "Hi"}]
IGNORED = {each.name for each in PARAMETERS if each.fate == "ignored"}
REFUSED = {each.name for each in PARAMETERS if each.fate == "refused"}
SAMPLING_MODEL = "claude-haiku-4-5"


def request(**fields: Any) -> Reading:
    return read({"model": "sonnet", "messages": HI, **fields}, default_model="haiku")


def refused(**fields: Any) -> Problem:
    with pytest.raises(ApiError) as caught:
        request(**fields)
    return caught.value.problem


def test_an_alias_becomes_the_full_id_and_is_remembered() -> None:
    chat = request().chat
    assert (chat.model, chat.requested_model) == ("claude-sonnet-5-5", "sonnet")


def test_without_a_model_the_default_one_answers() -> None:
    assert read({"messages": HI}, default_model="haiku").chat.model == "claude-haiku-5-5"


def test_an_unknown_model_is_a_404_that_lists_the_known_ones() -> None:
    problem = refused(model="gpt-9")
    assert (problem.status, problem.code, problem.param) == (404, "model_not_found", "model")
    assert "sonnet" in problem.message


def test_both_names_of_the_token_limit_are_honoured() -> None:
    assert request(max_tokens=5).chat.max_tokens == 5
    assert request(max_completion_tokens=7).chat.max_tokens == 7
    assert request(max_tokens=7, max_completion_tokens=7).chat.max_tokens == 7
    assert refused(max_tokens=5, max_completion_tokens=7).param == "max_tokens"


@pytest.mark.parametrize("value", [0, -1, 1.5, "5", True])
def test_a_token_limit_is_a_whole_number_above_zero(value: Any) -> None:
    assert refused(max_tokens=value).param == "max_tokens"


def test_stop_is_a_string_or_up_to_four() -> None:
    assert request(stop="END").chat.stop == ("END",)
    assert request(stop=["a", "b", "c", "d"]).chat.stop == ("a", "b", "c", "d")
    assert request(stop=None).chat.stop == ()
    wrong: Any
    for wrong in (["a"] * 5, [1], "", [" "], 5, {}):
        assert refused(stop=wrong).param == "stop"


def test_sampling_is_honoured_from_0_to_1_where_the_model_takes_it() -> None:
    chat = request(model=SAMPLING_MODEL, temperature=0.3, top_p=0).chat
    assert (chat.temperature, chat.top_p) == (0.3, 0.0)


def test_the_default_sampling_is_taken_by_every_model() -> None:
    chat = request(temperature=1, top_p=1.0).chat
    assert (chat.temperature, chat.top_p) == (None, None)


@pytest.mark.parametrize("value", [1.5, 2, -0.1, 3, "1", True, float("inf")])
def test_a_temperature_that_claude_does_not_take_is_refused(value: Any) -> None:
    assert refused(model=SAMPLING_MODEL, temperature=value).param == "temperature"


def test_models_without_sampling_answer_without_and_say_so() -> None:
    """Most applications send a temperature with every request; refusing it would refuse them."""
    reading = request(temperature=0.7, top_p=0.5)
    assert (reading.chat.temperature, reading.chat.top_p) == (None, None)
    assert reading.ignored == ("temperature", "top_p")
    assert refused(temperature=-1).param == "temperature"


def test_streaming_options_need_a_stream() -> None:
    reading = request(stream=True, stream_options={"include_usage": True})
    assert (reading.stream, reading.include_usage) == (True, True)
    assert not request(stream=True, stream_options=None).include_usage
    assert refused(stream_options={"include_usage": True}).param == "stream_options"
    assert refused(stream=True, stream_options={"x": 1}).param == "stream_options.x"
    assert refused(stream=True, stream_options={"include_usage": 1}).param == "stream_options.include_usage"
    assert refused(stream="yes").param == "stream"


def test_only_one_choice_can_be_had() -> None:
    request(n=1)
    assert refused(n=2).param == "n"


def test_user_and_metadata_are_kept() -> None:
    chat = request(user="u-1", metadata={"ticket": "7"}).chat
    assert (chat.user, chat.metadata) == ("u-1", {"ticket": "7"})
    assert refused(user="x" * 513).param == "user"
    wrong: Any
    for wrong in ({"a": 1}, {str(n): "" for n in range(17)}, {"k" * 65: ""}, {"k": "v" * 513}, []):
        assert refused(metadata=wrong).param == "metadata"


@pytest.mark.parametrize("name", sorted(IGNORED))
def test_what_openai_lets_one_ignore_is_reported(name: str) -> None:
    assert request(**{name: "something"}).ignored == (name,)
    assert request(**{name: None}).ignored == ()


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_cannot_be_honoured_is_refused_by_name(name: str) -> None:
    problem = refused(**{name: {"something": "else"}})
    assert (problem.status, problem.param, problem.code) == (400, name, "unsupported_parameter")


@pytest.mark.parametrize(
    "fields",
    [
        {"presence_penalty": 0, "frequency_penalty": 0.0},
        {"tools": [], "tool_choice": "none", "logit_bias": {}, "functions": [], "function_call": "auto"},
        {"response_format": {"type": "text"}, "modalities": ["text"]},
        {"logprobs": False, "top_logprobs": 0, "verbosity": "medium"},
        dict.fromkeys(REFUSED),
    ],
)
def test_asking_for_nothing_special_is_no_mistake(fields: dict[str, Any]) -> None:
    assert request(**fields).ignored == ()


def test_an_unknown_parameter_is_never_dropped_in_silence() -> None:
    problem = refused(temprature=0.5)
    assert (problem.param, problem.code) == ("temprature", "unknown_parameter")


def test_what_is_ignored_is_listed_once_and_in_order() -> None:
    messages = [{"role": "user", "content": "Hi", "name": "a"}, {"role": "user", "content": "Hi", "name": "b"}]
    assert request(messages=messages, store=True, seed=1).ignored == ("messages[].name", "seed", "store")


@pytest.mark.parametrize("body", [None, [], "x", 5])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    with pytest.raises(ApiError):
        read(body, default_model="haiku")


def test_what_a_client_sent_is_not_repeated_without_end() -> None:
    problem = refused(**{"x" * 100_000: 1})
    assert len(problem.message) <= 500
    assert problem.param is not None
    assert len(problem.param) <= 500


@pytest.mark.parametrize(
    ("asked", "model", "effort"),
    [
        ("minimal", "sonnet", "low"),
        ("low", "sonnet", "low"),
        ("medium", "sonnet", "medium"),
        ("high", "sonnet", "high"),
        ("xhigh", "sonnet", "xhigh"),
        ("xhigh", "claude-sonnet-4-6", "high"),
        ("high", "claude-haiku-4-5", "high"),
        (None, "sonnet", None),
        ("none", "claude-sonnet-4-6", None),
    ],
)
def test_reasoning_effort_is_the_nearest_that_the_model_knows(asked: Any, model: str, effort: str | None) -> None:
    assert request(model=model, reasoning_effort=asked).chat.effort == effort


def test_no_reasoning_is_no_thinking_where_the_model_can() -> None:
    assert request(model="claude-sonnet-4-6", reasoning_effort="none").chat.thinking == {"type": "disabled"}
    problem = refused(reasoning_effort="none")
    assert (problem.param, problem.code) == ("reasoning_effort", "unsupported_parameter")
    assert refused(reasoning_effort="much").param == "reasoning_effort"


def test_thinking_is_shown_when_asked() -> None:
    reading = request(include_reasoning=True)
    assert reading.include_reasoning
    assert reading.chat.thinking == {"type": "adaptive", "display": "summarized"}
    assert request().chat.thinking is None


def test_a_request_without_a_stream_has_nobody_reading_along() -> None:
    assert request(stream=True).chat.streamed
    assert not request().chat.streamed


def test_every_parameter_has_its_line_once() -> None:
    names = [each.name for each in PARAMETERS]
    assert len(names) == len(set(names))
    assert all(each.note for each in PARAMETERS)


def test_what_openai_knows_has_a_fate_here() -> None:
    """The SDK's own list of parameters, so that a new one is not overlooked."""
    known = set(CompletionCreateParamsBase.__annotations__) | {"stream"}
    assert known - {each.name for each in PARAMETERS} == set()


def test_the_docs_list_every_parameter_as_the_code_has_it() -> None:
    docs = (ROOT / "docs" / "parameters.md").read_text()
    found = docs.split("<!-- parameters -->")[1].split("<!-- /parameters -->")[0].strip()
    assert found == table().strip(), "run `bin/manage parameters_table` and put its output between the markers"
