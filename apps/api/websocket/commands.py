"""What a client may say on a socket. Pure but for the settings."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from apps.api import jsonio
from apps.api.openai import fields
from apps.api.openai.requests import Reading, read
from apps.api.problems import ApiError, invalid
from apps.api.tasks.requests import TaskReading
from apps.api.tasks.requests import read as read_task

MAX_FRAME_BYTES = 256 * 1024
ClientId = str | int | None


@dataclass(frozen=True, slots=True)
class Auth:
    """Who speaks."""

    api_key: str


@dataclass(frozen=True, slots=True)
class Chat:
    """Ask, and follow the answer."""

    reading: Reading


@dataclass(frozen=True, slots=True)
class Follow:
    """Follow a job of the project, from after a sequence number."""

    job_id: str
    starting_after: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop a job of the project."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Task:
    """Have something done, and follow it."""

    reading: TaskReading


@dataclass(frozen=True, slots=True)
class Approve:
    """Decide a tool call that waits."""

    job_id: str
    call_id: str
    decision: Any


Command = Auth | Chat | Task | Follow | Cancel | Approve


class BadCommand(Exception):
    """A frame that cannot be followed; it keeps the client's id, so that the error can be matched."""

    def __init__(self, error: ApiError, client_id: ClientId) -> None:
        super().__init__(str(error))
        self.problem = error.problem
        self.client_id = client_id


def parse(frame: str | bytes, *, default_model: str) -> tuple[Command, ClientId]:
    """The command in a frame, and the id that is echoed in everything that answers it. Raises BadCommand."""
    client_id: ClientId = None
    try:
        message = _object(frame)
        client_id = _client_id(message)
        return _command(message, default_model), client_id
    except ApiError as error:
        raise BadCommand(error, client_id) from None


def _object(frame: str | bytes) -> dict[str, Any]:
    try:
        raw = frame.encode() if isinstance(frame, str) else frame
        message = jsonio.loads(raw)
    except (jsonio.BadJson, UnicodeEncodeError) as error:
        raise invalid(f"The frame is not valid JSON: {error}.", code="invalid_json") from None
    if not isinstance(message, dict):
        raise fields.wrong_type("frame", "a JSON object")
    return message


def _client_id(message: dict[str, Any]) -> ClientId:
    value = message.get("id")
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    return fields.text(message, "id", longest=128)


def _command(message: dict[str, Any], default_model: str) -> Command:
    match message.get("type"):
        case "auth":
            return Auth(_required(message, "api_key"))
        case "chat":
            return Chat(read({**_body(message), "stream": True}, default_model=default_model))
        case "task":
            longest = settings.JOB_TIMEOUT_SECONDS
            return Task(read_task(_body(message), default_model=default_model, longest_seconds=longest))
        case "follow":
            after = fields.whole(message, "starting_after", least=0)
            return Follow(_required(message, "job_id"), after or 0)
        case "cancel":
            return Cancel(_required(message, "job_id"))
        case "approve":
            ids = _required(message, "job_id"), _required(message, "tool_use_id")
            return Approve(*ids, message.get("decision"))
        case _:
            raise fields.wrong_value("type", "A frame's type is auth, chat, task, follow, cancel or approve.")


def _body(message: dict[str, Any]) -> dict[str, Any]:
    """What the same request has as its body over HTTP; here everything is a stream, with its usage."""
    return {k: v for k, v in message.items() if k not in ("type", "id", "stream", "stream_options")}


def _required(message: dict[str, Any], name: str) -> str:
    value = fields.text(message, name, longest=200)
    if not value:
        raise fields.wrong_type(name, "a string")
    return value
