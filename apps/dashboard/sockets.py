"""What pages listen to over a WebSocket: that something changed, and a job's story as it happens.

A socket that waits asks nothing: the database is asked when it opens, and by the page when it was told of a change.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from time import monotonic
from typing import Any, ParamSpec, TypeVar, cast
from urllib.parse import parse_qs

from channels.auth import AuthMiddlewareStack
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.contrib.auth.models import AnonymousUser, User
from django.http import Http404
from django.urls import path

from apps.dashboard import pulses, stories, telling
from apps.dashboard.queries import jobs as queries
from apps.dashboard.visits import survey, visit_of

SIGN_IN = 4401
NOT_HERE = 4404
SURE_SECONDS = 2.0
"""A job's story goes on this long without asking again whether the reader may still see the project."""

P = ParamSpec("P")
R = TypeVar("R")
Frames = AsyncGenerator[dict[str, Any], None]


async def asked(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Ask the database in a thread, and give its connection back."""
    return cast(R, await database_sync_to_async(work, thread_sensitive=False)(*args, **kwargs))


class Telling(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # channels ships no types
    """Sends its `frames` until they, or the page, end. What does not exist for the reader closes with NOT_HERE."""

    channel_layer_alias = ""  # it is told by the process's own subscription

    async def connect(self) -> None:
        """Accept everybody, so that the page learns why it is turned away."""
        await self.accept()
        user = self.scope["user"]
        if not user.is_authenticated:
            await self.close(SIGN_IN)
            return
        self._task = asyncio.create_task(self._send_all(user))

    async def disconnect(self, _code: int) -> None:
        """Stop."""
        if task := getattr(self, "_task", None):
            task.cancel()

    async def receive(self, **_said: Any) -> None:
        """Pages say nothing."""

    async def _send_all(self, user: Any) -> None:
        try:
            async with aclosing(await self.frames(user, **self.scope["url_route"]["kwargs"])) as frames:
                async for frame in frames:
                    await self.send_json(frame)
        except Http404:
            await self.close(NOT_HERE)

    async def frames(self, user: Any, **where: str) -> Frames:
        """What to send. Raises Http404."""
        raise NotImplementedError


class ProjectSocket(Telling):
    """Says `changed` whenever a job of the project comes, starts, waits for a word or ends."""

    async def frames(self, user: Any, **where: str) -> Frames:
        there = await asked(visit_of, user, where["slug"])
        return _changes([there.project.pk])


class AllSocket(Telling):
    """The same for all projects that the reader may see."""

    async def frames(self, user: Any, **_where: str) -> Frames:
        return _changes((await asked(survey, user)).ids)


class JobSocket(Telling):
    """The job's story from after an event on: pieces of text, steps as the page shows them, and its end."""

    async def frames(self, user: Any, **where: str) -> Frames:
        there = await asked(visit_of, user, where["slug"])
        found = await asked(queries.one, there.project, where["job_id"])
        if found is None:
            raise Http404("There is no such job in this project.")
        [after] = parse_qs(self.scope["query_string"].decode("latin-1")).get("after", ["0"])[:1]
        told = await asked(stories.told, found)
        story = telling.story(found.pk, told, int(after[:9]) if after[:9].isdigit() else 0, there)
        return _while_theirs(user, where["slug"], story)


async def _while_theirs(user: Any, slug: str, story: Frames) -> Frames:
    """The story, as long as the reader may see its project. Raises Http404."""
    sure_until = monotonic() + SURE_SECONDS
    async with aclosing(story):
        async for frame in story:
            if monotonic() >= sure_until:
                await asked(_see, user.pk, slug)
                sure_until = monotonic() + SURE_SECONDS
            yield frame


def _see(user_id: int, slug: str) -> None:
    """Raises Http404 unless this person, as they are now, may see the project."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    visit_of(user or AnonymousUser(), slug)


async def _changes(ids: Any) -> Frames:
    async with aclosing(pulses.changes(ids)) as changes:
        async for _ in changes:
            yield {"type": "changed"}


def _signed_in(consumer: type[Telling]) -> Any:
    return AuthMiddlewareStack(consumer.as_asgi())


websocket_urlpatterns = [
    path("all/live", _signed_in(AllSocket)),
    path("p/<slug:slug>/live", _signed_in(ProjectSocket)),
    path("p/<slug:slug>/jobs/<str:job_id>/live", _signed_in(JobSocket)),
]
"""The dashboard's sockets. Whoever serves them has seen to it that a page of ours asks."""
