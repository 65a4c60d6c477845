"""The scripted Messages API as a server: in this event loop (`ScriptedModel`) or in a thread (`ScriptedThread`)."""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType

from aiohttp import web

from apps.claude.scripted import caching, wire
from apps.claude.scripted.directives import BadDirective
from apps.claude.scripted.journal import DEFAULT_LIMIT, Entry, Journal
from apps.claude.scripted.queued import BadScript
from apps.claude.scripted.replies import BadRequest, Replier, checked
from apps.claude.scripted.sending import refuse, send

MAX_BODY_BYTES = 32 << 20
_Handler = Callable[[web.Request, Entry], Awaitable[web.StreamResponse]]


class ScriptedModel:
    """A Messages API that does what the prompt says.

    `rate` paces answers that do not ask for a pace (tokens a second; 0: at once). With `require_key`, any other
    credential is a 401. `log_limit` entries are kept for `GET /log`.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        log_limit: int = DEFAULT_LIMIT,
        rate: float = 0.0,
        require_key: str = "",
    ) -> None:
        self.host, self.port = host, port
        self.journal = Journal(log_limit)
        self.replier = Replier(rate=rate)
        self._require_key = require_key
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The base URL, once started."""
        return f"http://{self.host}:{self.port}"

    async def start(self) -> None:
        """Listen; port 0 takes a free one. Raises `OSError` when the port is taken."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post("/v1/messages", self._logged(self._messages))
        app.router.add_post("/v1/messages/count_tokens", self._logged(self._count_tokens))
        app.router.add_get("/log", self._log)
        app.router.add_delete("/log", self._clear_log)
        app.router.add_get("/stats", self._stats)
        app.router.add_post("/script", self._script)
        app.router.add_delete("/script", self._clear_script)
        app.router.add_route("*", "/{path:.*}", self._logged(self._unknown))
        # Cancelling the handler is how a client that left is noticed while the model waits or hangs.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port, backlog=1024).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _logged(self, handler: _Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            entry = self.journal.begin(request.method, request.path_qs, request.headers)
            try:
                entry.raw = await request.read()
                if self._require_key and credential(request.headers) != self._require_key:
                    raise BadRequest(401, "invalid x-api-key")
                return await handler(request, entry)
            except web.HTTPRequestEntityTooLarge:
                return refuse(entry, 413, "Request exceeds the maximum size", self.replier.new_id("req"))
            except BadRequest as error:
                return refuse(entry, error.status, str(error), self.replier.new_id("req"))
            except (BadDirective, BadScript, caching.BadMark) as error:
                return refuse(entry, 400, str(error), self.replier.new_id("req"))
            except (asyncio.CancelledError, ConnectionError):
                entry.disconnected = True
                raise
            finally:
                self.journal.end(entry)

        return handle

    async def _messages(self, request: web.Request, entry: Entry) -> web.StreamResponse:
        plan = self.replier.plan(_body(entry.raw), credential=credential(request.headers), now=time.monotonic())
        return await send(request, entry, plan, self.replier.new_id("req"))

    async def _count_tokens(self, request: web.Request, entry: Entry) -> web.StreamResponse:
        body = _body(entry.raw)
        checked(body, counting=True)
        entry.status = 200
        return web.json_response({"input_tokens": caching.count(body)})

    async def _unknown(self, request: web.Request, entry: Entry) -> web.StreamResponse:
        raise BadRequest(404, f"Not found: {request.method} {request.path}")

    async def _log(self, request: web.Request) -> web.Response:
        return web.json_response(list(self.journal.entries(request.query.get("containing", ""))))

    async def _clear_log(self, request: web.Request) -> web.Response:
        self.journal.clear()
        return web.json_response({})

    async def _stats(self, request: web.Request) -> web.Response:
        return web.json_response(self.journal.stats())

    async def _script(self, request: web.Request) -> web.Response:
        try:
            self.replier.queued.add(await request.json())
        except ValueError as error:
            return web.json_response(wire.error(400, str(error)), status=400)
        return web.json_response({})

    async def _clear_script(self, request: web.Request) -> web.Response:
        self.replier.queued.clear()
        return web.json_response({})


class ScriptedThread:
    """A scripted model in a thread of its own, for code without an event loop: `with ScriptedThread() as model: …`."""

    def __init__(self, model: ScriptedModel | None = None) -> None:
        self.model = model or ScriptedModel()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="scripted-model", daemon=True)

    def __enter__(self) -> ScriptedModel:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.model.start(), self._loop).result(10)
        return self.model

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self.model.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


def credential(headers: Mapping[str, str]) -> str:
    """The API key or bearer token of a request, or an empty string."""
    return headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")


def _body(raw: bytes) -> dict[str, object]:
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise BadRequest(400, f"The request body is not valid JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadRequest(400, "The request body is not a JSON object")
    return body
