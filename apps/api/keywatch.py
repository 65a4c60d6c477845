"""Ends open sockets and streams when their key stops being usable: one query every half second for all of a process."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import DatabaseError
from django.utils import timezone

from apps.api.threads import in_thread
from apps.jobs.perloop import PerLoop
from apps.keys.models import ApiKey

EVERY_SECONDS = 0.5
logger = logging.getLogger(__name__)


class KeyWatch:
    """The keys in use on one event loop."""

    def __init__(self) -> None:
        self._uses: dict[int, set[Callable[[], None]]] = {}
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def using(self, key: ApiKey, *, ended: Callable[[], None]) -> Iterator[None]:
        """While in the context, `ended` is called on the loop, once, when the key was revoked or has expired."""
        self._uses.setdefault(key.pk, set()).add(ended)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._look())
        try:
            yield
        finally:
            self._forget(key.pk, ended)

    def _forget(self, key_pk: int, ended: Callable[[], None]) -> None:
        uses = self._uses.get(key_pk, set())
        uses.discard(ended)
        if not uses:
            self._uses.pop(key_pk, None)

    async def _look(self) -> None:
        while self._uses:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                gone = await in_thread(unusable, list(self._uses))
            except DatabaseError:
                logger.warning("cannot look whether open sockets' keys are still valid", exc_info=True)
                continue
            for key_pk in gone:
                for ended in self._uses.pop(key_pk, set()):
                    ended()


def unusable(key_pks: list[int]) -> set[int]:
    """Those of the keys that may not be used any more."""
    usable = ApiKey.objects.usable(now=timezone.now()).filter(pk__in=key_pks).values_list("pk", flat=True)
    return set(key_pks) - set(usable)


watch = PerLoop(KeyWatch)
"""The watch of the running event loop."""
