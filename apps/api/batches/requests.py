"""The body of `POST /v1/batch`, read item by item: what is wrong with one harms no other. Pure but for the settings."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from apps.api.openai import fields
from apps.api.openai.requests import read as read_chat
from apps.api.problems import ApiError, Problem, invalid
from apps.api.tasks.requests import FIELDS as TASK_FIELDS
from apps.api.tasks.requests import ONLY_OF_TASKS
from apps.api.tasks.requests import read as read_task
from apps.jobs.batches.items import NewItem
from apps.jobs.batches.services import MAX_ITEMS
from apps.jobs.requests import Request

MAX_WAITING = 100
"""Items of a batch that a client may wait for on one connection."""
_OF_THE_BATCH = frozenset({"prompts", "metadata"})
_NOT_OF_CHATS = ONLY_OF_TASKS | {"timeout", "files", "output_schema", "webhook_url"}


def read(body: Any, *, default_model: str, waits: bool) -> list[NewItem]:
    """The items, in order. Raises ApiError only for what is wrong with the batch as a whole."""
    if not isinstance(body, dict):
        raise fields.wrong_type("body", "a JSON object")
    prompts = body.get("prompts")
    if not isinstance(prompts, list):
        raise fields.wrong_type("prompts", "a list of texts, or of objects with 'prompt', 'messages' or 'description'")
    if not 1 <= len(prompts) <= MAX_ITEMS:
        raise fields.wrong_value("prompts", f"'prompts' takes 1 to {MAX_ITEMS:,} items, not {len(prompts):,}.")
    if waits and len(prompts) > MAX_WAITING:
        message = f"More than {MAX_WAITING} items are not waited for: send the header 'Prefer: respond-async'."
        raise invalid(message, param="prompts", code="too_many_items")
    defaults = {name: value for name, value in body.items() if name not in _OF_THE_BATCH}
    return [_item(each, f"prompts[{index}]", defaults, default_model) for index, each in enumerate(prompts)]


def error_of(problem: Problem, at: str = "") -> dict[str, Any]:
    """A problem as it is kept with an item."""
    param = ".".join(filter(None, (at, problem.param))) or None
    return {"code": problem.code, "message": problem.message, "param": param, "status": problem.status}


def _item(value: Any, at: str, defaults: Mapping[str, Any], default_model: str) -> NewItem:
    custom_id = ""
    try:
        said = {"prompt": value} if isinstance(value, str) else value
        if not isinstance(said, dict):
            raise invalid("An item is a text or an object.", code="invalid_type")
        custom_id = fields.text(said, "custom_id", longest=128) or ""
        own = {name: each for name, each in said.items() if name != "custom_id"}
        return NewItem(request=_request(own, defaults, default_model), custom_id=custom_id)
    except ApiError as wrong:
        return NewItem(error=error_of(wrong.problem, at), custom_id=custom_id)


def _request(own: Mapping[str, Any], defaults: Mapping[str, Any], default_model: str) -> Request:
    if own.keys() & ONLY_OF_TASKS:
        shared = {name: value for name, value in defaults.items() if name in TASK_FIELDS}
        longest = settings.JOB_TIMEOUT_SECONDS
        reading = read_task({**shared, **own}, default_model=default_model, longest_seconds=longest)
        _no_stream(reading.stream)
        return reading.task
    shared = {name: value for name, value in defaults.items() if name not in _NOT_OF_CHATS}
    chat = read_chat(_chat_body({**shared, **own}), default_model=default_model)
    _no_stream(chat.stream)
    if chat.chat.session_id:
        raise fields.unsupported("session_id", "Chats of a batch belong to no session: send the whole conversation.")
    return chat.chat


def _chat_body(body: dict[str, Any]) -> dict[str, Any]:
    """With `prompt` and `system` as messages."""
    system = fields.text(body, "system", longest=1_000_000)
    prompt = fields.text(body, "prompt", longest=10_000_000)
    if prompt is None and "messages" not in body:
        raise invalid("An item has 'prompt', 'messages' or 'description'.", param="prompt", code="missing_parameter")
    chat = {name: value for name, value in body.items() if name not in ("prompt", "system")}
    if prompt is not None:
        chat["messages"] = [{"role": "user", "content": prompt}]
    if system and isinstance(chat["messages"], list):
        chat["messages"] = [{"role": "system", "content": system}, *chat["messages"]]
    return chat


def _no_stream(stream: bool) -> None:
    if stream:
        raise fields.unsupported("stream", "The answers of a batch are not streamed.")
