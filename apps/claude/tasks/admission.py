"""What a task's jail may send upstream. Pure; it judges a body that hostile code may have written by hand.

Nothing passes that could cost what is not metered, reach the network by way of the upstream, or use what was not
granted. What is not known is refused, so a newer CLI that asks for something new fails closed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_KEYS = frozenset(
    {
        *("model", "messages", "system", "tools", "tool_choice", "max_tokens", "stream", "metadata", "thinking"),
        *("temperature", "top_p", "top_k", "stop_sequences", "context_management", "output_config", "output_format"),
        "diagnostics",
    }
)
_COUNTED_KEYS = ("model", "messages", "system", "tools", "tool_choice", "thinking")
_BLOCKS = frozenset(
    {
        *("text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking", "search_result"),
        *("tool_reference", "compaction", "tool_addition", "tool_removal"),
    }
)
_SEARCH_BLOCKS = frozenset({"server_tool_use", "web_search_tool_result"})
_SOURCES = frozenset({"base64", "text", "content"})
_COSTLY_BETAS = (
    "context-1m",
    "fast-mode",
    "mcp-client",
    "code-execution",
    "files-api",
    "skills-",
    "web-fetch",
    "fallback",
)
_MAX_TOKENS = 128_000
MAX_SEARCHES = 8
"""How many searches one call may make; each is paid for."""


class Refused(Exception):
    """The request may not leave; the message says why."""


@dataclass(frozen=True, slots=True)
class Fence:
    """What a task's calls may use."""

    models: frozenset[str]
    web_search: bool


def admitted(asked: dict[str, Any], fence: Fence) -> dict[str, Any]:
    """The body as it may go upstream. Raises Refused."""
    if unknown := sorted(set(asked) - _KEYS):
        raise Refused(f"{', '.join(unknown)[:200]} may not be used")
    model = asked.get("model")
    if model not in fence.models:
        raise Refused(f"model {str(model)[:100]!r} was not granted")
    body = dict(asked)
    body["max_tokens"] = _max_tokens(asked.get("max_tokens"))
    if "tools" in asked:
        body["tools"] = [_tool(tool, fence) for tool in _listed(asked["tools"], "tools")]
    for block in _blocks(asked):
        _check_block(block, fence)
    return body


def counted(asked: dict[str, Any], fence: Fence) -> dict[str, Any]:
    """The body of a question that only counts tokens. Raises Refused."""
    body = admitted({"max_tokens": 1, **{name: asked[name] for name in _COUNTED_KEYS if name in asked}}, fence)
    del body["max_tokens"]
    return body


def betas(header: str) -> str:
    """The beta header without what changes a call's price or what it can reach."""
    names = [name.strip() for name in header.split(",")]
    return ",".join(name for name in names if name and not any(word in name for word in _COSTLY_BETAS))


def searches(body: dict[str, Any]) -> int:
    """How many paid searches the call may make at most."""
    return sum(int(tool.get("max_uses", 0)) for tool in body.get("tools") or () if _is_search(tool))


def _max_tokens(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise Refused("max_tokens has to be a positive integer")
    return min(value, _MAX_TOKENS)


def _tool(tool: Any, fence: Fence) -> dict[str, Any]:
    if not isinstance(tool, dict):
        raise Refused("a tool has to be an object")
    if tool.get("type") in (None, "custom"):
        return tool
    if not _is_search(tool) or not fence.web_search:
        raise Refused(f"the server tool {str(tool.get('type'))[:100]!r} was not granted")
    wanted = tool.get("max_uses")
    allowed = isinstance(wanted, int) and not isinstance(wanted, bool) and 0 < wanted <= MAX_SEARCHES
    return tool | {"max_uses": wanted if allowed else MAX_SEARCHES}


def _is_search(tool: dict[str, Any]) -> bool:
    return str(tool.get("type", "")).startswith("web_search_")


def _blocks(asked: dict[str, Any]) -> Iterator[Any]:
    """Every content block of the request, those inside tool results and documents too."""
    pending: list[Any] = [asked.get("system")]
    for message in _listed(asked.get("messages"), "messages"):
        if not isinstance(message, dict):
            raise Refused("a message has to be an object")
        pending.append(message.get("content"))
    while pending:
        content = pending.pop()
        if content is None or isinstance(content, str):
            continue
        for block in _listed(content, "content"):
            yield block
            if block.get("type") == "tool_result":
                pending.append(block.get("content"))
            source = block.get("source")
            if isinstance(source, dict) and source.get("type") == "content":
                pending.append(source.get("content"))


def _check_block(block: Any, fence: Fence) -> None:
    if not isinstance(block, dict):
        raise Refused("a content block has to be an object")
    kind = block.get("type")
    if kind not in _BLOCKS and not (fence.web_search and kind in _SEARCH_BLOCKS):
        raise Refused(f"content of type {str(kind)[:100]!r} may not be sent")
    if kind in ("tool_addition", "tool_removal"):
        _check_change(block.get("tool"))
    source = block.get("source")
    if isinstance(source, dict) and source.get("type") not in _SOURCES:
        raise Refused(f"a {kind} by {str(source.get('type'))[:100]} may not be sent: the upstream would fetch it")


def _check_change(tool: Any) -> None:
    """A tool that comes or goes in the middle of a conversation is the CLI's own, never one that the upstream runs."""
    if not isinstance(tool, dict):
        raise Refused("a change of tools has to name one")
    definition = tool.get("definition")
    if tool.get("type") == "tool_reference" and definition is None:
        return
    if not isinstance(definition, dict) or definition.get("type") not in (None, "custom"):
        raise Refused("a server tool may not be added")


def _listed(value: object, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise Refused(f"{name} has to be a list")
    return value
