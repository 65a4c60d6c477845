"""`session_id`: a client sends only what is new, whatever wire it speaks; the service knows the rest."""

from typing import Any

from anthropic import Anthropic
from openai import OpenAI

from tests.support.http import Answer, chat_body
from tests.support.scripted import ScriptedServer
from tests.support.service import Person, Service

CHAT = "/v1/chat/completions"
WEATHER = {"type": "function", "function": {"name": "get_weather"}}


def say(person: Person, session_id: str, text: str, **fields: Any) -> Answer:
    return person.http.post(CHAT, {**chat_body(text), "session_id": session_id, **fields})


def session_of(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    return str(answer.json()["x_claude"]["session_id"])


def asked(scripted_model: ScriptedServer, marker: str) -> list[tuple[str, str]]:
    """The roles and first texts of the newest upstream request with the marker."""
    body = scripted_model.log.containing(marker)[-1]["body"]
    return [
        (turn["role"], str(turn["content"][0].get("text"))) for turn in body["messages"] if turn["role"] != "system"
    ]


def test_only_what_is_new_is_sent_and_all_of_it_is_asked(
    alice: Person, scripted_model: ScriptedServer, marker: str
) -> None:
    session = session_of(say(alice, "new", f"[[say: One.]] {marker} first"))
    assert session_of(say(alice, session, f"[[say: Two.]] {marker} second")) == session
    say(alice, session, f"[[say: Three.]] {marker} third")
    assert asked(scripted_model, marker) == [
        ("user", f"[[say: One.]] {marker} first"),
        ("assistant", "One."),
        ("user", f"[[say: Two.]] {marker} second"),
        ("assistant", "Two."),
        ("user", f"[[say: Three.]] {marker} third"),
    ]
    found = alice.http.get(f"/v1/sessions/{session}").json()
    assert (found["kind"], found["project_id"]) == ("chat", "atlas")


def test_an_answer_that_failed_is_not_part_of_it(alice: Person, scripted_model: ScriptedServer, marker: str) -> None:
    session = session_of(say(alice, "new", f"[[say: One.]] {marker} first"))
    assert say(alice, session, f"[[fail: 529]] {marker} lost").status == 529
    say(alice, session, f"[[say: Two.]] {marker} second")
    assert [text for _, text in asked(scripted_model, marker)] == [
        f"[[say: One.]] {marker} first",
        "One.",
        f"[[say: Two.]] {marker} second",
    ]


def test_a_fork_goes_its_own_way(alice: Person, scripted_model: ScriptedServer, marker: str) -> None:
    session = session_of(say(alice, "new", f"[[say: One.]] {marker} first"))
    fork = alice.http.post(f"/v1/sessions/{session}/fork", {}).json()["id"]
    say(alice, session, f"[[say: Two.]] {marker} second")
    say(alice, fork, f"[[say: Other.]] {marker} other")
    assert [text for _, text in asked(scripted_model, marker)] == [
        f"[[say: One.]] {marker} first",
        "One.",
        f"[[say: Other.]] {marker} other",
    ]


def test_results_of_functions_go_on_from_their_calls(
    alice: Person, scripted_model: ScriptedServer, marker: str
) -> None:
    call = say(alice, "new", f"[[tool: get_weather {{}}]] {marker}", tools=[WEATHER])
    called = call.json()["choices"][0]["message"]["tool_calls"][0]["id"]
    result = {"role": "tool", "tool_call_id": called, "content": "21 degrees"}
    body = {"model": "sonnet", "session_id": session_of(call), "messages": [result], "tools": [WEATHER]}
    assert alice.http.post(CHAT, body).status == 200
    last = scripted_model.log.containing(marker)[-1]["body"]["messages"]
    assert [turn["role"] for turn in last if turn["role"] != "system"] == ["user", "assistant", "user"]


def test_wires_share_a_session(
    service: Service, openai: OpenAI, alice: Person, scripted_model: ScriptedServer, marker: str
) -> None:
    session = session_of(say(alice, "new", f"[[say: One.]] {marker} first"))
    anthropic = Anthropic(base_url=service.url, api_key=alice.key, max_retries=0)
    anthropic.messages.create(
        model="sonnet",
        max_tokens=50,
        messages=[{"role": "user", "content": f"[[say: Two.]] {marker} second"}],
        extra_body={"session_id": session},
    )
    openai.chat.completions.create(
        model="sonnet",
        messages=[{"role": "user", "content": f"[[say: Three.]] {marker} third"}],
        extra_body={"session_id": session},
    )
    assert [text for _, text in asked(scripted_model, marker)][1::2] == ["One.", "Two."]


def test_a_session_that_is_not_there_is_a_404_also_somebody_else_s(alice: Person, charlie: Person, marker: str) -> None:
    session = session_of(say(alice, "new", marker))
    for person, name in ((alice, "session_none"), (charlie, session)):
        refused = say(person, name, marker)
        assert refused.status == 404
        assert refused.json()["error"]["param"] == "session_id"
