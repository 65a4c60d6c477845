"""`WS /v1/stream`: chat, task, follow, cancel and approve; several jobs on one socket."""

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from typing import Any

from django.conf import settings
from django.utils import timezone

from apps.api import authentication, jsonio
from apps.api.disconnect import abandon_later
from apps.api.errors import problem_of
from apps.api.frames import encoded
from apps.api.keywatch import watch
from apps.api.problems import ApiError, Problem, of_status
from apps.api.threads import in_thread
from apps.api.views.approvals import approval_object, decide
from apps.api.views.jobs import find_job
from apps.api.visits import new_request_id
from apps.api.websocket.commands import (
    MAX_FRAME_BYTES,
    Approve,
    Auth,
    BadCommand,
    Cancel,
    Chat,
    ClientId,
    Command,
    Follow,
    Task,
    parse,
)
from apps.api.websocket.connection import (
    FORBIDDEN,
    INTERNAL,
    TOO_BIG,
    TOO_MANY,
    TOO_SLOW,
    UNAUTHENTICATED,
    Close,
    Closed,
    Connection,
    Message,
    Receive,
    Send,
)
from apps.api.websocket.origins import is_allowed
from apps.jobs import services as jobs
from apps.jobs.following import follow_batches
from apps.jobs.models import Job
from apps.jobs.requests import Request
from apps.keys import services as keys
from apps.keys import tickets
from apps.keys.models import ApiKey

AUTH_SECONDS = 5.0
MAX_JOBS = 64
"""Jobs that one socket may follow at the same time."""
_CODES = {429: TOO_MANY}
_LATE = Problem(408, f"No auth message came within {AUTH_SECONDS:g} seconds.", "auth_timeout")
_TOO_MANY = Problem(429, f"One socket follows at most {MAX_JOBS} jobs at a time.", "too_many_jobs")
_TOO_BIG = of_status(413, f"A frame takes at most {MAX_FRAME_BYTES // 1024} kB.")
_ORIGIN = Problem(403, "Pages of this origin may not use the service.", "origin_not_allowed")


async def stream_socket(scope: Message, receive: Receive, send: Send) -> None:
    """The ASGI application: authenticate, then serve commands until either side ends it."""
    connection = Connection(scope, receive, send)
    try:
        await connection.accept()
        key = await _authenticate(connection)
        await Session(connection, key).serve()
    except Closed:
        return
    except Close as end:
        await connection.send_problem(end.problem)
        await connection.close(end.code)
    except Exception as error:
        await connection.send_problem(problem_of(error))
        await connection.close(INTERNAL)


async def _authenticate(connection: Connection) -> ApiKey:
    """The caller's key, from the handshake's ticket or header, or from a first frame in time. Raises Close."""
    origin = connection.header("origin")
    if origin and not is_allowed(origin, host=connection.header("host")):
        raise Close(FORBIDDEN, _ORIGIN)
    try:
        if connection.ticket:
            return await in_thread(_key_of_ticket, connection.ticket, connection.client_ip)
        authentication.refuse_key_in_query(connection.scope.get("query_string", b"").decode("latin-1"))
        secret = authentication.secret_of(
            authorization=connection.header("authorization"), x_api_key=connection.header("x-api-key")
        )
        if secret is None:
            secret = await _secret_in_first_frame(connection)
        return await in_thread(_key_of, secret, connection.client_ip)
    except ApiError as refused:
        raise Close(_CODES.get(refused.problem.status, UNAUTHENTICATED), refused.problem) from None


async def _secret_in_first_frame(connection: Connection) -> str:
    try:
        async with asyncio.timeout(AUTH_SECONDS):
            command, _ = parse(await connection.next_frame(), default_model=settings.DEFAULT_MODEL)
    except TimeoutError:
        raise Close(TOO_SLOW, _LATE) from None
    except BadCommand as bad:
        raise Close(UNAUTHENTICATED, bad.problem) from None
    if not isinstance(command, Auth):
        raise ApiError(authentication.MISSING)
    return command.api_key


def _key_of_ticket(ticket: str, ip: str | None) -> ApiKey:
    try:
        return tickets.redeem(ticket=ticket, ip=ip, now=timezone.now())
    except keys.InvalidKey:
        raise ApiError(authentication.of_ticket(ip)) from None


def _key_of(secret: str, ip: str | None) -> ApiKey:
    key = authentication.key_of(secret=secret, ip=ip)
    keys.touch(key=key, now=timezone.now())
    return key


class Session:
    """An authenticated socket and the jobs it follows."""

    def __init__(self, connection: Connection, key: ApiKey) -> None:
        self._connection = connection
        self._key = key
        self._following: set[asyncio.Task[None]] = set()
        self._own_open: set[str] = set()
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def serve(self) -> None:
        """Serve commands. Raises Closed or Close. Chats that were begun here are abandoned with the socket."""
        reading = asyncio.ensure_future(self._read())
        try:
            with watch().using(self._key, ended=self._revoked):
                await asyncio.wait({reading, self._over}, return_when=asyncio.FIRST_COMPLETED)
                (self._over if self._over.done() else reading).result()
        finally:
            for task in (reading, *self._following):
                task.cancel()
            for job_id in self._own_open:
                abandon_later(job_id)

    async def _read(self) -> None:
        while True:
            text = await self._connection.next_frame()
            if len(text) > MAX_FRAME_BYTES:
                raise Close(TOO_BIG, _TOO_BIG)
            try:
                command, client_id = parse(text, default_model=self._key.default_model or settings.DEFAULT_MODEL)
            except BadCommand as bad:
                await self._connection.send_problem(bad.problem, bad.client_id)
            else:
                await self._obey(command, client_id)

    async def _obey(self, command: Command, client_id: ClientId) -> None:
        try:
            match command:
                case Auth():
                    raise ApiError(Problem(400, "This socket is authenticated already.", "invalid_request"))
                case Chat(reading):
                    job = await in_thread(_submit, self._key, reading.chat)
                    self._own_open.add(job.id)
                    await self._send({"type": "queued", "job_id": job.id}, client_id)
                    self._start(self._follow(job.id, 0, client_id))
                case Task(reading):
                    job = await in_thread(_submit, self._key, reading.task)  # it goes on whoever leaves
                    await self._send({"type": "queued", "job_id": job.id}, client_id)
                    self._start(self._follow(job.id, 0, client_id))
                case Follow(job_id, after):
                    await in_thread(find_job, self._key, job_id)
                    self._start(self._follow(job_id, after, client_id))
                case Cancel(job_id):
                    await in_thread(_cancel, self._key, job_id)
                    await self._send({"type": "cancel_requested", "job_id": job_id}, client_id)
                case Approve(job_id, call_id, decision):
                    ip = self._connection.client_ip
                    decided = await in_thread(_decide, self._key, job_id, call_id, decision, ip)
                    await self._send({**decided, "type": "decided"}, client_id)
        except Exception as error:
            if isinstance(error, Close):
                raise
            await self._connection.send_problem(problem_of(error), client_id)

    def _start(self, following: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(following)
        self._following.add(task)
        task.add_done_callback(self._following.discard)
        if len(self._following) > MAX_JOBS:
            raise Close(TOO_MANY, _TOO_MANY)

    async def _follow(self, job_id: str, after: int, client_id: ClientId) -> None:
        """Pass a job's events on. An unexpected failure ends the socket: the client resumes on a new one."""
        try:
            async with aclosing(follow_batches(job_id, after=after)) as batches:
                async for batch in batches:
                    for event in batch:
                        await self._connection.send_json(_echoing(client_id, encoded(event, job_id)))
                    if batch[-1].terminal:
                        self._own_open.discard(job_id)
        except Exception as error:
            await self._connection.send_problem(problem_of(error), client_id, job_id=job_id)

    async def _send(self, told: dict[str, Any], client_id: ClientId) -> None:
        await self._connection.send(told if client_id is None else {**told, "id": client_id})

    def _revoked(self) -> None:
        if not self._over.done():
            self._over.set_exception(Close(UNAUTHENTICATED, authentication.REFUSED))


def _echoing(client_id: ClientId, frame: bytes) -> bytes:
    """The frame, a JSON object, with the client's id in it."""
    return frame if client_id is None else b'%s,"id":%s}' % (frame[:-1], jsonio.dumps(client_id))


def _submit(key: ApiKey, request: Request) -> Job:
    return jobs.submit(key=key, request=request, request_id=new_request_id(), now=timezone.now())


def _cancel(key: ApiKey, job_id: str) -> None:
    jobs.cancel(job=find_job(key, job_id), now=timezone.now())


def _decide(key: ApiKey, job_id: str, call_id: str, decision: Any, ip: str | None) -> dict[str, Any]:
    return approval_object(decide(key, job_id, call_id, decision, ip=ip))
