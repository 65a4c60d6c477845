import base64
from typing import Any

import pytest

from apps.api.openai.messages import conversation
from apps.api.problems import ApiError, Problem
from apps.claude.spec import Turn

PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG not really").decode()


def user(content: Any = "Hi") -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any = "Hello.") -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def text(value: str) -> dict[str, str]:
    return {"type": "text", "text": value}


def image(url: str = PNG) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def refused(*messages: Any) -> Problem:
    with pytest.raises(ApiError) as caught:
        conversation(list(messages))
    assert caught.value.problem.status == 400
    return caught.value.problem


def test_a_string_becomes_one_turn() -> None:
    assert conversation([user("Hi")]) == ("", (Turn("user", (text("Hi"),)),), set())


def test_a_whole_conversation_keeps_its_roles() -> None:
    system, turns, _ = conversation([user("a"), assistant("b"), user("c")])
    assert [turn.role for turn in turns] == ["user", "assistant", "user"]
    assert system == ""


def test_system_and_developer_messages_form_the_system_prompt_wherever_they_stand() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        user(),
        {"role": "developer", "content": [text("Use metric units."), text("No jokes.")]},
    ]
    system, turns, _ = conversation(messages)
    assert system == "Be brief.\n\nUse metric units.\n\nNo jokes."
    assert len(turns) == 1


def test_neighbours_of_one_role_become_one_turn() -> None:
    _, turns, _ = conversation([user("a"), user("b"), assistant("c"), assistant("d"), user("e")])
    assert [len(turn.content) for turn in turns] == [2, 2, 1]


def test_each_turn_of_a_growing_conversation_is_a_prefix_of_the_next() -> None:
    history = [user("a"), user("b"), assistant("c")]
    _, first, _ = conversation(history[:2])
    _, second, _ = conversation([*history, user("d")])
    assert second[: len(first)] == first


def test_white_space_within_text_is_kept_as_it_is() -> None:
    _, turns, _ = conversation([user("  a\n\n b ")])
    assert turns[0].content == (text("  a\n\n b "),)


def test_images_become_image_blocks() -> None:
    _, turns, _ = conversation([user([text("What is this?"), image()])])
    block = turns[0].content[1]
    assert block == {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": PNG.split(",")[1]},
    }


def test_an_image_alone_is_a_message() -> None:
    _, turns, _ = conversation([user([image()])])
    assert len(turns[0].content) == 1


def test_the_media_type_jpg_is_understood() -> None:
    _, turns, _ = conversation([user([image(PNG.replace("png", "jpg"))])])
    assert turns[0].content[0]["source"]["media_type"] == "image/jpeg"


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("https://example.com/cat.png", "fetches nothing"),
        ("http://169.254.169.254/latest/meta-data", "fetches nothing"),
        ("file:///etc/passwd", "fetches nothing"),
        ("data:image/png,raw", "looks like"),
        ("data:image/tiff;base64,AAAA", "not supported"),
        ("data:text/html;base64,AAAA", "not supported"),
        ("data:image/png;base64,???", "not valid base64"),
        ("data:image/png;base64,", "empty"),
        ("ftp://example.com/cat.png", "fetches nothing"),
        ("data:image/png;base64," + "A" * (5 * 1024 * 1024 * 4 // 3 + 128), "at most 5 MB"),
    ],
)
def test_images_that_cannot_be_taken_are_refused_by_name(url: str, word: str) -> None:
    problem = refused(user([text("look"), image(url)]))
    assert problem.param == "messages[0].content[1].image_url.url"
    assert word in problem.message


def test_images_belong_to_the_user() -> None:
    assert refused(user(), assistant([image()]), user()).param == "messages[1].content[0]"


@pytest.mark.parametrize("kind", ["input_audio", "video_url", "tool_result"])
def test_other_content_parts_are_refused_by_name(kind: str) -> None:
    problem = refused(user([{"type": kind, kind: {}}]))
    assert problem.param == "messages[0].content[0].type"
    assert kind in problem.message


@pytest.mark.parametrize(
    "content",
    [None, "", "   \n", [], [{"type": "text", "text": " "}]],
    ids=["null", "empty", "blank", "none", "blanks"],
)
def test_a_user_who_says_nothing_is_asked_to_say_something(content: Any) -> None:
    problem = refused(user(content))
    assert problem.param == "messages[0].content"


@pytest.mark.parametrize("content", [5, {"text": "x"}, True])
def test_content_of_another_type_is_refused(content: Any) -> None:
    assert refused(user(content)).code == "invalid_type"


def test_an_assistant_that_said_nothing_is_left_out() -> None:
    _, turns, _ = conversation([user("a"), assistant(None), user("b")])
    assert [turn.role for turn in turns] == ["user"]


def test_a_refusal_is_what_the_assistant_said() -> None:
    _, turns, _ = conversation([user(), {"role": "assistant", "content": None, "refusal": "No."}, user()])
    assert turns[1].content == (text("No."),)


def test_prefilling_the_answer_is_refused_clearly() -> None:
    problem = refused(user(), assistant("The answer is"))
    assert problem.param == "messages[1]"
    assert "prefill" in problem.message


def test_a_conversation_begins_with_the_user() -> None:
    assert "begins with a user message" in refused(assistant(), user()).message


def test_system_messages_alone_ask_nothing() -> None:
    assert "no user message" in refused({"role": "system", "content": "Be brief."}).message


def test_an_answer_of_ours_can_be_sent_back_as_it_came() -> None:
    answer: dict[str, Any] = {
        "role": "assistant",
        "content": "Hello.",
        "refusal": None,
        "annotations": [],
        "tool_calls": None,
        "audio": None,
    }
    _, turns, _ = conversation([user(), answer, user()])
    assert turns[1].content == (text("Hello."),)


def test_names_of_speakers_are_ignored_and_reported() -> None:
    _, _, ignored = conversation([{**user(), "name": "alice"}])
    assert ignored == {"messages[].name"}


def test_unknown_fields_and_roles_are_refused_by_name() -> None:
    assert refused({**user(), "cache_control": {"type": "ephemeral"}}).param == "messages[0].cache_control"
    assert refused({"role": "critic", "content": "x"}).param == "messages[0].role"
    assert refused("hello").param == "messages[0]"


def test_histories_may_be_long_but_not_endless() -> None:
    history = [user(), assistant()] * 999 + [user()]
    assert len(conversation(history)[1]) == 1999
    assert "1 to 2000" in refused(*[user()] * 2001).message
    assert "1 to 2000" in refused().message


def test_an_empty_message_among_others_says_nothing() -> None:
    _, turns, _ = conversation([user("a"), assistant("b"), user(""), user("c")])
    assert [len(turn.content) for turn in turns] == [1, 1, 1]


def pdf(**fields: Any) -> dict[str, Any]:
    data = "data:application/pdf;base64," + base64.b64encode(b"%PDF-1.7").decode()
    return {"type": "file", "file": {"file_data": data, "filename": "report.pdf", **fields}}


def test_a_pdf_becomes_a_document_with_its_name() -> None:
    _, turns, _ = conversation([user([pdf(), text("Sum it up.")])])
    block = turns[0].content[0]
    assert (block["type"], block["title"]) == ("document", "report.pdf")
    assert block["source"]["media_type"] == "application/pdf"
    assert base64.b64decode(block["source"]["data"]) == b"%PDF-1.7"


def test_a_text_file_becomes_a_document_of_text() -> None:
    data = "data:text/csv;charset=utf-8;base64," + base64.b64encode("a,ä".encode()).decode()
    _, turns, _ = conversation([user([pdf(file_data=data)])])
    assert turns[0].content[0]["source"] == {"type": "text", "media_type": "text/plain", "data": "a,ä"}


@pytest.mark.parametrize(
    ("fields", "param", "word"),
    [
        ({"file_id": "file-1"}, "file_id", "stored files"),
        ({"file_data": None}, "file_data", "string"),
        ({"file_data": "JVBERi0="}, "file_data", "looks like"),
        ({"file_data": "data:application/zip;base64,AAAA"}, "file_data", "not supported"),
        ({"file_data": "data:text/plain;base64,/w=="}, "file_data", "UTF-8"),
        ({"file_data": "data:application/pdf;base64,"}, "file_data", "empty"),
        ({"filename": 5}, "filename", "string"),
    ],
)
def test_files_that_cannot_be_taken_are_refused_by_name(fields: dict[str, Any], param: str, word: str) -> None:
    problem = refused(user([pdf(**fields)]))
    assert problem.param == f"messages[0].content[0].file.{param}"
    assert word in problem.message
