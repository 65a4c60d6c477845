"""The upstream's own web search, as far as a script needs one: a request that offers it gets made-up results. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any

from apps.claude.scripted.wire import Block

_QUERY = re.compile(r"Perform a web search for the query: (.+)", re.DOTALL)


def query(body: Mapping[str, object], prompt: str) -> str | None:
    """What is to be searched for, where the request offers the search and asks for nothing else."""
    tools = body.get("tools")
    if not isinstance(tools, list) or not any(_is_search(tool) for tool in tools):
        return None
    found = _QUERY.search(prompt)
    return found[1].strip() if found else None


def blocks(asked: str, new_id: str) -> tuple[Block, ...]:
    """The answer: the search, two results, a sentence."""
    use = Block("server_tool_use", _dump({"query": asked}), id=f"srvtoolu_{new_id}", name="web_search")
    results = [_result(asked, number) for number in (1, 2)]
    return (
        use,
        Block("web_search_tool_result", _dump(results), id=use.id),
        Block("text", f"Two made-up pages tell of: {asked}"),
    )


def usage(asked: str | None) -> dict[str, object]:
    """What the answer's usage says of searches."""
    return {} if asked is None else {"server_tool_use": {"web_search_requests": 1}}


def _is_search(tool: Any) -> bool:
    return isinstance(tool, dict) and str(tool.get("type", "")).startswith("web_search_")


def _result(asked: str, number: int) -> dict[str, object]:
    return {
        "type": "web_search_result",
        "title": f"Made-up page {number} on {asked}"[:200],
        "url": f"https://page-{number}.example/",
        "encrypted_content": "bWFkZSB1cA==",
        "page_age": None,
    }


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
