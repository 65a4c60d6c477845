"""The only way out of a jail: a proxy on a unix socket that holds the credential, the limits and the meter.

Each CLI has a socket of its own, its lane; the lane is the identity. While a run is open its calls go upstream,
completed, capped and metered. Outside a run nothing leaves: the CLI's questions get a rehearsed answer from here.
"""

import asyncio
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from apps.claude import compose, options, pricing, rehearsal
from apps.claude.credential import Credential
from apps.claude.launch import SOCKET_NAME
from apps.claude.metering import Meter
from apps.claude.spec import RunSpec
from apps.claude.tab import Bill, Failure, Tab
from apps.claude.tasks import calls
from apps.claude.tasks.tab import TaskTab

MAX_REQUEST_BYTES = 64 << 20
_CONNECT_SECONDS = 10
_REQUEST_HEADERS = ("anthropic-version", "anthropic-beta", "user-agent", "x-app", "x-claude-code-session-id")
"""What of the CLI's headers goes on. Not its x-stainless-*: they name the operating system."""
_ANSWER_HEADERS = ("content-type", "retry-after", "request-id", "x-should-retry")
_EXACT_COUNT_BELOW_TOKENS = 16_384
"""Counting bytes as tokens overstates a prompt; when that leaves less than this for the answer, the upstream counts."""

_COUNTED = ("model", "system", "messages", "tools", "tool_choice", "thinking")
_TOOL_PREAMBLE = " " * 1024
"""What the upstream itself tells a model about tools, in bytes as above: about 350 tokens."""

_BROKEN_OFF = Failure.of(502, "api_error", "The upstream broke off its answer.")


class Lane:
    """One CLI's socket, and the run that is open on it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.tab: Tab | TaskTab | None = None
        self.rehearsal: RunSpec | None = None
        self.rehearsal_fault: str | None = "the CLI never called its socket"
        self._calls: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None

    async def open(self, handler: Any, uid: int | None) -> None:
        """Listen. With a uid, that user may connect too."""
        self.directory.mkdir(mode=0o700, parents=True)
        (self.directory / "home").mkdir(mode=0o700)
        server = web.Server(handler, handler_cancellation=True, access_log=None, keepalive_timeout=3600)
        path = self.directory / SOCKET_NAME
        self._server = await asyncio.get_running_loop().create_unix_server(server, path)
        if uid is not None:
            shutil.chown(self.directory, uid, uid)
            shutil.chown(path, uid, uid)

    def cut(self) -> None:
        """Stop the open run's spending at once; what it used so far stays on its tab."""
        if self.tab:
            self.tab.closed = True
        for call in self._calls:
            call.cancel()

    async def close(self) -> None:
        """Stop listening and leave nothing behind."""
        self.cut()
        if self._server:
            self._server.close()
        await asyncio.to_thread(shutil.rmtree, self.directory, True)


class Egress:
    """All lanes of one engine, and the connections to the upstream that they share."""

    def __init__(self, *, upstream: str, credential: Credential | None) -> None:
        self._upstream = upstream.rstrip("/")
        self._credential = credential
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Must be called on the loop that will serve."""
        timeout = aiohttp.ClientTimeout(total=None, connect=_CONNECT_SECONDS)
        self._session = aiohttp.ClientSession(
            timeout=timeout, connector=aiohttp.TCPConnector(limit=0), auto_decompress=True
        )

    async def stop(self) -> None:
        """Close the upstream connections."""
        if self._session:
            await self._session.close()

    async def open_lane(self, directory: Path, uid: int | None) -> Lane:
        """A new lane that listens in this directory."""
        lane = Lane(directory)
        await lane.open(partial(self._handle, lane), uid)
        return lane

    async def _handle(self, lane: Lane, request: web.BaseRequest) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        lane._calls.add(task)
        try:
            return await self._answer(lane, request)
        finally:
            lane._calls.discard(task)

    async def _answer(self, lane: Lane, request: web.BaseRequest) -> web.StreamResponse:
        if isinstance(lane.tab, TaskTab):
            return await calls.answer(self, lane.tab, request)
        if request.method != "POST" or request.path != "/v1/messages":
            return refusal(Failure.of(404, "not_found_error", "the egress forwards POST /v1/messages only"))
        asked = await read_body(request)
        if asked is None:
            return refusal(Failure.of(413, "request_too_large", "not a JSON object, or too large"))
        tab = lane.tab
        if tab is None:
            return await rehearsal.answer(lane, request, asked)
        if tab.closed or tab.answered:
            return refusal(tab.failure or Failure.of(400, "invalid_request_error", "this run is over"))
        try:
            body = compose.chat_request(asked, tab.spec)
            tab.overhead_tokens = compose.overhead_tokens(body, tab.spec)
        except (compose.Mismatch, KeyError, TypeError, AttributeError) as error:
            tab.mismatch = str(error)
            return refusal(tab.refuse(400, "invalid_request_error", "the request was not this run's"))
        return await self._forward(tab, request, body)

    def headers(self, request: web.BaseRequest) -> dict[str, str] | None:
        """The headers to go upstream with, the credential among them; None where there is no credential."""
        if self._credential is None:
            return None
        headers = {name: request.headers[name] for name in _REQUEST_HEADERS if name in request.headers}
        headers |= {"content-type": "application/json", "accept-encoding": "identity"}
        self._credential.apply(headers)
        return headers

    async def _forward(self, tab: Tab, request: web.BaseRequest, body: dict[str, Any]) -> web.StreamResponse:
        headers = self.headers(request)
        if headers is None:
            return refusal(tab.refuse(503, "authentication_error", "no credential is configured"))
        if beta := options.beta(body):
            headers["anthropic-beta"] = ",".join(filter(None, (headers.get("anthropic-beta"), beta)))
        if not await self._fit_into_cap(tab, body, headers):
            return refusal(
                tab.refuse(402, "cost_limit", "The prompt alone costs more than this job may spend; raise its cap.")
            )
        payload = json.dumps(body, separators=(",", ":")).encode()
        return await self.send(tab, tab.open_call(body["model"], len(payload)), request, payload, headers)

    async def send(
        self, tab: Bill, meter: Meter, request: web.BaseRequest, payload: bytes, headers: dict[str, str]
    ) -> web.StreamResponse:
        """Make a call that is on the tab, and pass the answer on while it is metered."""
        try:
            return await self._exchange(tab, meter, request, payload, headers)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = Failure.of(502, "api_error", f"The upstream could not be reached or broke off: {_reason(error)}")
            tab.failure = failure
            return refusal(failure)
        finally:
            meter.end()
            tab.checkpoint(meter)

    async def _exchange(
        self, tab: Bill, meter: Meter, request: web.BaseRequest, payload: bytes, headers: dict[str, str]
    ) -> web.StreamResponse:
        assert self._session is not None
        url = f"{self._upstream}{request.path_qs}"
        async with self._session.post(url, data=payload, headers=headers) as upstream:
            meter.status = upstream.status
            kept = {name: upstream.headers[name] for name in _ANSWER_HEADERS if name in upstream.headers}
            if upstream.status != 200 or upstream.content_type != "text/event-stream":
                answer = await upstream.read()
                if upstream.status == 200:
                    meter.feed_json(answer)
                else:
                    tab.failure = Failure(upstream.status, answer, _seconds(upstream.headers.get("retry-after")))
                return web.Response(status=upstream.status, body=answer, headers=kept)
            response = web.StreamResponse(headers=kept)
            await response.prepare(request)
            try:
                async for chunk in upstream.content.iter_any():
                    just_begun = not meter.began
                    meter.feed(chunk)
                    tab.checkpoint(meter, now=just_begun and meter.began)
                    if meter.error is not None:
                        tab.failure = Failure.in_stream(meter.error)
                    await response.write(chunk)
            except aiohttp.ClientError:
                tab.failure = _BROKEN_OFF
                if request.transport:
                    request.transport.abort()
            if tab.failure is None and not meter.exact:
                tab.failure = _BROKEN_OFF
            return response

    async def _fit_into_cap(self, tab: Tab, body: dict[str, Any], headers: dict[str, str]) -> bool:
        """Lower max_tokens to what the cap carries in the worst case. False where not even the prompt fits."""
        wanted = int(body["max_tokens"])
        read = [body.get("tools"), body["system"], body["messages"], body.get("output_config")]
        prompt = json.dumps(read, ensure_ascii=False) + _TOOL_PREAMBLE * bool(body.get("tools"))
        afford = partial(
            pricing.affordable_output_tokens,
            body["model"],
            budget_microusd=tab.remaining_microusd(),
            hour_cache='"1h"' in prompt,
        )
        affordable = afford(len(prompt.encode(errors="replace"))) or 0
        if affordable < min(wanted, _EXACT_COUNT_BELOW_TOKENS):
            counted = await self.count(body, headers)
            if counted is not None:
                # The upstream calls its own count an estimate.
                affordable = max(affordable, afford(counted + counted // 50 + 64) or 0)
        if affordable < 1:
            return False
        if affordable < wanted:
            tab.short_of_money = True
            options.clamp_max_tokens(body, affordable)
        return True

    async def count(self, body: dict[str, Any], headers: dict[str, str]) -> int | None:
        """The upstream's own count of the prompt's tokens, which costs nothing; None where it will not tell."""
        assert self._session is not None
        asked = {name: body[name] for name in _COUNTED if body.get(name)}
        try:
            url = f"{self._upstream}/v1/messages/count_tokens?beta=true"
            timeout = aiohttp.ClientTimeout(total=_CONNECT_SECONDS)
            async with self._session.post(url, json=asked, headers=headers, timeout=timeout) as answer:
                return int((await answer.json())["input_tokens"]) if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError):
            return None


async def read_body(request: web.BaseRequest) -> dict[str, Any] | None:
    """The JSON object of a request; None where it is none, or too large."""
    raw = bytearray()
    async for chunk in request.content.iter_any():
        raw += chunk
        if len(raw) > MAX_REQUEST_BYTES:
            return None
    try:
        body = json.loads(raw)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def refusal(failure: Failure) -> web.Response:
    """A refusal of ours as the CLI is told it; asking again would not help."""
    headers = {"x-should-retry": "false"}
    return web.Response(status=failure.status, body=failure.body, content_type="application/json", headers=headers)


def _seconds(value: str | None) -> float | None:
    try:
        return float(value) if value else None
    except ValueError:
        return None


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
