"""How many tokens a prompt is: the upstream's own count, which is free. No CLI takes part."""

from collections.abc import Mapping
from typing import Any

import aiohttp

from apps.claude.credential import Credential

_COUNTED = ("system", "messages", "tools", "tool_choice", "thinking", "output_config")
_SECONDS = 30
_VERSION = "2023-06-01"


class CountFailed(Exception):
    """The upstream did not count; `status` is its own HTTP status, or 502."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def question(model: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """What of a request of the Messages API is counted."""
    return {"model": model, **{name: body[name] for name in _COUNTED if body.get(name) is not None}}


async def count(upstream: str, credential: Credential, asked: Mapping[str, Any]) -> int:
    """Input tokens of that question. Raises CountFailed."""
    headers = {"anthropic-version": _VERSION, "accept-encoding": "identity"}
    credential.apply(headers)
    url = f"{upstream.rstrip('/')}/v1/messages/count_tokens"
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(url, json=asked, headers=headers) as told,
        ):
            reply = await told.json(content_type=None)
            if told.status == 200:
                return int(reply["input_tokens"])
            raise CountFailed(502 if told.status in (401, 403) else told.status, _message(reply))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError) as error:
        raise CountFailed(502, "The upstream could not be asked to count the tokens.") from error


def _message(reply: Any) -> str:
    try:
        return str(reply["error"]["message"])
    except (KeyError, TypeError):
        return "The upstream refused to count the tokens."
