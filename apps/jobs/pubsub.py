"""A pub/sub subscription that outlives Valkey's restarts."""

import asyncio
from collections.abc import Callable

from redis.asyncio.connection import AbstractConnection

from apps.jobs import valkey

RECONNECT_SECONDS = 0.1


class Subscriber:
    """One connection, any number of channels. All methods belong to one event loop.

    `heard(channel, message)` is called for each message, and with message None each time a subscription has become
    effective, also after a reconnection: whatever was published before that moment may have been missed.
    """

    def __init__(self, heard: Callable[[str, str | None], None]) -> None:
        self._heard = heard
        self._wanted: set[str] = set()
        self._asked: set[str] = set()
        self._changed = asyncio.Event()

    def add(self, channel: str) -> None:
        """Listen to a channel. If it is being listened to already, it counts as effective now."""
        self._wanted.add(channel)
        self._changed.set()
        if channel in self._asked:
            self._heard(channel, None)

    def remove(self, channel: str) -> None:
        """Stop listening to a channel."""
        self._wanted.discard(channel)
        self._changed.set()

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            connection = valkey.subscription_connection()
            asking: asyncio.Task[None] | None = None
            try:
                await connection.connect()  # type: ignore[no-untyped-call]
                asking = asyncio.create_task(self._ask(connection))
                await self._listen(connection)
            except valkey.ERRORS:
                await asyncio.sleep(RECONNECT_SECONDS)
            finally:
                self._asked.clear()
                if asking:
                    asking.cancel()
                await connection.disconnect(nowait=True)

    async def _listen(self, connection: AbstractConnection) -> None:
        while True:
            kind, channel, message = await connection.read_response()
            if kind == "message":
                self._heard(channel, message)
            elif kind == "subscribe":
                self._heard(channel, None)

    async def _ask(self, connection: AbstractConnection) -> None:
        """Keep the server's idea of our channels the same as ours. A broken connection is the listener's to notice."""
        self._changed.set()
        while True:
            await self._changed.wait()
            self._changed.clear()
            new, old = self._wanted - self._asked, self._asked - self._wanted
            self._asked = set(self._wanted)
            try:
                if new:
                    await connection.send_command("SUBSCRIBE", *new)
                if old:
                    await connection.send_command("UNSUBSCRIBE", *old)
            except valkey.ERRORS:
                return
