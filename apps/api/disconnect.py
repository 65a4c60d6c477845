"""The ASGI layer that stamps `x-request-id` on every answer and notices when a client leaves."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.conf import settings
from django.utils import timezone

from apps.api.threads import in_thread
from apps.api.visits import SCOPE_KEY, Visit
from apps.jobs import services as jobs

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

UNSUBSCRIBE_SECONDS = 0.2
"""By then Valkey knows that this process does not follow the job any more, and only others count."""
_leaving: set[asyncio.Task[None]] = set()
"""The loop keeps only weak references to its tasks."""


class DisconnectWatch:
    """Wraps the HTTP application. A job whose client left before its end is abandoned after a grace."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        visit = Visit()

        async def watched_receive() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect":
                visit.gone.set()
            return message

        async def stamped_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                if not any(name.lower() == b"x-request-id" for name, _ in headers):
                    headers.append((b"x-request-id", visit.request_id.encode()))
                    message = {**message, "headers": headers}
            await send(message)

        try:
            await self._application({**scope, SCOPE_KEY: visit}, watched_receive, stamped_send)
        finally:
            for close in visit.closers:
                close()
            if visit.job_id and not visit.job_ended:
                abandon_later(visit.job_id)


def abandon_later(job_id: str) -> None:
    """Cancel the job after CHAT_DISCONNECT_GRACE_SECONDS unless somebody follows it then. Call it on the event loop."""
    task = asyncio.get_running_loop().create_task(_abandon(job_id))
    _leaving.add(task)
    task.add_done_callback(_leaving.discard)


async def _abandon(job_id: str) -> None:
    await asyncio.sleep(max(settings.CHAT_DISCONNECT_GRACE_SECONDS, UNSUBSCRIBE_SECONDS))
    await in_thread(jobs.abandon, job_id=job_id, now=timezone.now())
