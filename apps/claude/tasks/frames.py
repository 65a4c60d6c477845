"""What a CLI that runs a task says beyond a chat's frames: its set-up, tool calls, results, questions, the end."""

import json
from dataclasses import dataclass
from typing import Any

from apps.claude import protocol
from apps.claude.protocol import ControlAsk, Frame, OtherFrame, Result


@dataclass(frozen=True, slots=True)
class Init(OtherFrame):
    """What the CLI says it was started with; compared with what was granted."""

    session_id: str
    tools: tuple[str, ...]
    agents: tuple[str, ...]
    skills: tuple[str, ...]
    plugins: tuple[str, ...]
    mcp_servers: tuple[str, ...]
    commands: tuple[str, ...]
    """What could be called by a slash, if a prompt were not taken verbatim."""
    permission_mode: str
    version: str


@dataclass(frozen=True, slots=True)
class Called(OtherFrame):
    """The model asked for a tool."""

    id: str
    name: str
    input: dict[str, Any]
    parent_id: str | None
    message_id: str
    """The upstream's id of the answer that asks; ties the call to what was billed."""


@dataclass(frozen=True, slots=True)
class Spoke(OtherFrame):
    """An answer's upstream id, and the call that started the subagent whose answer it is."""

    message_id: str
    parent_id: str | None


@dataclass(frozen=True, slots=True)
class Returned(OtherFrame):
    """What a tool call came to."""

    id: str
    content: str
    is_error: bool
    parent_id: str | None
    denied: bool = False
    """Whether the CLI itself did not let it run."""


@dataclass(frozen=True, slots=True)
class HookAsk(OtherFrame):
    """The CLI asks whether a tool call may go on, and waits for our answer."""

    request_id: str
    tool_name: str
    tool_input: dict[str, Any]
    tool_use_id: str


@dataclass(frozen=True, slots=True)
class TaskResult(Result):
    """The CLI's word that the task is over."""

    subtype: str = ""
    stop_reason: str | None = None
    num_turns: int = 0
    structured_output: Any = None
    errors: tuple[str, ...] = ()
    session_id: str = ""


def parse(line: bytes) -> tuple[Frame, ...]:
    """One line of the CLI's stdout; empty for what is not JSON or does not concern us."""
    try:
        raw = json.loads(line)
    except ValueError:
        return ()
    if not isinstance(raw, dict):
        return ()
    try:
        return _parse(raw, line)
    except (KeyError, TypeError, AttributeError, ValueError):
        return ()


def _parse(raw: dict[str, Any], line: bytes) -> tuple[Frame, ...]:
    parent_id = raw.get("parent_tool_use_id")
    match raw.get("type"):
        case "system" if raw.get("subtype") == "init":
            return (_init(raw),)
        case "assistant":
            return _asked(raw["message"], parent_id)
        case "user":
            return _returned(raw, parent_id)
        case "result":
            return (_result(raw),)
        case "stream_event" if parent_id is not None:
            return ()  # a subagent's words are not the answer's
        case "control_request":
            return (_ask(raw),)
    frame = protocol.parse(line)
    return () if frame is None else (frame,)


def _init(raw: dict[str, Any]) -> Init:
    return Init(
        session_id=str(raw.get("session_id", "")),
        tools=_names(raw.get("tools")),
        agents=_names(raw.get("agents")),
        skills=_names(raw.get("skills")),
        plugins=_names(raw.get("plugins")),
        mcp_servers=_names(raw.get("mcp_servers")),
        commands=_names(raw.get("slash_commands")),
        permission_mode=str(raw.get("permissionMode")),
        version=str(raw.get("claude_code_version")),
    )


def _names(values: object) -> tuple[str, ...]:
    if not isinstance(values, list):
        return ()
    return tuple(str(value.get("name") if isinstance(value, dict) else value) for value in values)


def _asked(message: dict[str, Any], parent_id: str | None) -> tuple[Frame, ...]:
    message_id = str(message.get("id", ""))
    calls = [block for block in message.get("content") or () if block.get("type") in ("tool_use", "server_tool_use")]
    called = (
        Called(str(block["id"]), str(block["name"]), dict(block.get("input") or {}), parent_id, message_id)
        for block in calls
    )
    return (Spoke(message_id, parent_id), *called)


def _returned(raw: dict[str, Any], parent_id: str | None) -> tuple[Frame, ...]:
    content = raw["message"].get("content")
    if not isinstance(content, list):
        return ()
    kinds = {str(meta.get("id")): meta.get("non_execution_kind") for meta in raw.get("tool_result_meta") or ()}
    return tuple(
        Returned(
            id=str(block["tool_use_id"]),
            content=_text(block.get("content")),
            is_error=bool(block.get("is_error")),
            parent_id=parent_id,
            denied=_not_run(kinds.get(str(block["tool_use_id"])), block),
        )
        for block in content
        if block.get("type") == "tool_result"
    )


def _not_run(kind: object, block: dict[str, Any]) -> bool:
    """Refused by a rule or a hook, or a tool that this session does not have."""
    return bool(block.get("is_error")) and (kind is not None or "No such tool available" in _text(block.get("content")))


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = [part for part in content if isinstance(part, dict)]
    return "\n".join(str(part["text"]) if part.get("type") == "text" else f"[{part.get('type')}]" for part in parts)


def _result(raw: dict[str, Any]) -> TaskResult:
    errors = raw.get("errors")
    return TaskResult(
        is_error=bool(raw.get("is_error")),
        api_error_status=raw.get("api_error_status"),
        total_cost_usd=float(raw.get("total_cost_usd") or 0),
        text=str(raw.get("result") or ""),
        subtype=str(raw.get("subtype")),
        stop_reason=raw.get("stop_reason"),
        num_turns=int(raw.get("num_turns") or 0),
        structured_output=raw.get("structured_output"),
        errors=tuple(map(str, errors)) if isinstance(errors, list) else (),
        session_id=str(raw.get("session_id", "")),
    )


def _ask(raw: dict[str, Any]) -> Frame:
    """A question of the CLI; anything but a hook's is refused by whoever reads it."""
    request_id, request = str(raw["request_id"]), raw["request"]
    if request.get("subtype") != "hook_callback":
        return ControlAsk(request_id, str(request.get("subtype")))
    asked = request["input"]
    return HookAsk(
        request_id, str(asked["tool_name"]), dict(asked.get("tool_input") or {}), str(asked.get("tool_use_id") or "")
    )


def hook_reply(request_id: str, denial: str | None) -> bytes:
    """The answer to a hook. None lets the CLI's own rules decide: a hook of ours never allows anything by itself."""
    response: dict[str, Any] = {}
    if denial is not None:
        said = {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": denial,
        }
        response = {"hookSpecificOutput": said}
    reply = {"subtype": "success", "request_id": request_id, "response": response}
    return json.dumps({"type": "control_response", "response": reply}, separators=(",", ":")).encode() + b"\n"
