"""Images that a request names by their URL, fetched from public addresses only; off unless the operator allows it.

A fetch keeps the thread of its request, so only a few requests may fetch at a time.
"""

import asyncio
import base64
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace

import aiohttp
from yarl import URL

from apps.api.openai.content import MAX_IMAGE_BYTES, Block
from apps.api.problems import ApiError, Problem, invalid
from apps.claude import outside
from apps.claude.spec import Turn
from apps.jobs.requests import ChatRequest

MAX_REMOTE_IMAGES = 16
SECONDS = 8.0
"""For all images of a request together."""
WAIT_SECONDS = 4.0
_FETCHING = threading.BoundedSemaphore(4)
_BUSY = Problem(503, "Too many images are being fetched; try again.", "unavailable", headers={"Retry-After": "2"})
_KINDS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}

Connector = Callable[[str, int], Awaitable[aiohttp.TCPConnector]]


def fetched(request: ChatRequest, *, connect: Connector = outside.connector) -> ChatRequest:
    """The request with every remote image in it. Call it in a thread. Raises ApiError."""
    urls = list(dict.fromkeys(_urls(block for turn in request.turns for block in turn.content)))
    if not urls:
        return request
    if len(urls) > MAX_REMOTE_IMAGES:
        raise invalid(f"A request may name at most {MAX_REMOTE_IMAGES} images by URL.", param="messages")
    if not _FETCHING.acquire(timeout=WAIT_SECONDS):
        raise ApiError(_BUSY)
    try:
        sources = asyncio.run(_fetch_all(urls, connect))
    finally:
        _FETCHING.release()
    turns = (Turn(turn.role, tuple(_filled(block, sources) for block in turn.content)) for turn in request.turns)
    return replace(request, turns=tuple(turns))


def _is_remote(block: Block) -> bool:
    return block.get("type") == "image" and block["source"]["type"] == "url"


def _urls(blocks: Iterable[Block]) -> Iterator[str]:
    for block in blocks:
        if _is_remote(block):
            yield block["source"]["url"]
        elif block.get("type") == "tool_result" and isinstance(block.get("content"), list):
            yield from _urls(block["content"])


def _filled(block: Block, sources: dict[str, Block]) -> Block:
    if _is_remote(block):
        return block | {"source": sources[block["source"]["url"]]}
    if block.get("type") == "tool_result" and isinstance(block.get("content"), list):
        return block | {"content": [_filled(inner, sources) for inner in block["content"]]}
    return block


async def _fetch_all(urls: list[str], connect: Connector) -> dict[str, Block]:
    try:
        async with asyncio.timeout(SECONDS):
            sources = await asyncio.gather(*(_fetch(url, connect) for url in urls))
    except TimeoutError:
        message = f"The images could not be fetched within {SECONDS:g} s."
        raise invalid(message, param="messages", code="invalid_image_url") from None
    return dict(zip(urls, sources, strict=True))


async def _fetch(url: str, connect: Connector) -> Block:
    """The image as a source of the Messages API. Redirects are not followed: they could lead inside."""
    try:
        where = URL(url)
        if where.scheme != "https" or not where.host:
            raise _not_taken(url, "it is not https")
        connector = await connect(where.host, where.port or 443)
        async with (
            aiohttp.ClientSession(connector=connector, trust_env=False) as session,
            session.get(where, allow_redirects=False, headers={"accept": "image/*"}) as answer,
        ):
            if answer.status != 200:
                raise _not_taken(url, f"its server answered {answer.status}")
            return _source(url, await _read(url, answer))
    except outside.NotOutside:
        raise _not_taken(url, "it is not at a public address") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise _not_taken(url, type(error).__name__) from None


async def _read(url: str, answer: aiohttp.ClientResponse) -> bytes:
    data = bytearray()
    async for piece in answer.content.iter_any():
        data += piece
        if len(data) > MAX_IMAGE_BYTES:
            raise _not_taken(url, f"it has more than {MAX_IMAGE_BYTES // 1024**2} MB")
    return bytes(data)


def _source(url: str, data: bytes) -> Block:
    """What it is is told by its first bytes, not by its server."""
    kind = next((kind for mark, kind in _KINDS.items() if data.startswith(mark)), None)
    if kind is None or (kind == "image/webp" and data[8:12] != b"WEBP"):
        raise _not_taken(url, "it is no PNG, JPEG, GIF or WebP image")
    return {"type": "base64", "media_type": kind, "data": base64.b64encode(data).decode()}


def _not_taken(url: str, why: str) -> ApiError:
    return invalid(f"The image {url[:200]} could not be fetched: {why}.", param="messages", code="invalid_image_url")
