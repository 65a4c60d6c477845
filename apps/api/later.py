"""Answers that have to be waited for, and what is done once an answer is out."""

import logging
from collections.abc import Awaitable, Callable

from asgiref.sync import async_to_sync
from django.db import DatabaseError, close_old_connections
from django.http.response import HttpResponseBase
from django.utils import timezone

from apps.api.answers import failure
from apps.api.errors import problem_of
from apps.api.visits import Visit
from apps.keys import services as keys
from apps.keys.models import ApiKey

logger = logging.getLogger(__name__)


class Later(HttpResponseBase):
    """An answer that has to be waited for: the gateway awaits it, on the event loop and without a thread.

    Headers set on it go over to the answer.
    """

    def __init__(self, answer: Callable[[], Awaitable[HttpResponseBase]]) -> None:
        super().__init__()
        del self.headers["Content-Type"]
        self._answer = answer

    async def settle(self) -> HttpResponseBase:
        """The answer; a failure is one too."""
        try:
            response = await self._answer()
        except Exception as error:
            response = failure(problem_of(error))
        for name, value in self.headers.items():
            response.headers[name] = value
        return response


def without_gateway(response: HttpResponseBase, visit: Visit) -> HttpResponseBase:
    """The same through Django's own handler, at its cost: every answer is waited for in the request's thread."""
    if visit.key:
        note_use(visit.key)
    if isinstance(response, Later):
        close_old_connections()
        response = async_to_sync(response.settle)()
    response.headers["x-request-id"] = visit.request_id
    return response


def note_use(key: ApiKey) -> None:
    """Write `last_used_at` if it is time to. Failing to is no reason to fail a request."""
    try:
        keys.touch(key=key, now=timezone.now())
    except DatabaseError:
        logger.warning("cannot note that key %s was used", key.public_id, exc_info=True)
