"""The Python client against the running service: the sync and the async one go through the same tests."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from config.env import ROOT

sys.path.insert(0, str(ROOT / "client"))

from claude_code_client import AsyncClaudeClient, AsyncStream, ClaudeClient
from tests.api.tasking import person
from tests.client.cutting import Cutter
from tests.support.service import Person, Service

T = TypeVar("T")
NewClient = Callable[..., ClaudeClient]


class Awaited:
    """An async client, or its stream, that is used like the sync one."""

    def __init__(self, target: object, loop: asyncio.AbstractEventLoop) -> None:
        self._target, self._loop = target, loop

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._target, name)
        if isinstance(self._target, AsyncStream) and name == "completion":
            return self._settled(attribute())
        return (lambda *args, **kwargs: self._settled(attribute(*args, **kwargs))) if callable(attribute) else attribute

    def __iter__(self) -> Iterator[Any]:
        assert isinstance(self._target, AsyncStream)
        return self._each(aiter(self._target))

    def _settled(self, value: Any) -> Any:
        if isinstance(value, Coroutine):
            return self._loop.run_until_complete(value)
        if isinstance(value, AsyncStream):
            return Awaited(value, self._loop)
        return self._each(value) if isinstance(value, AsyncIterator) else value

    def _each(self, values: AsyncIterator[T]) -> Iterator[T]:
        while True:
            following: Awaitable[T] = anext(values)
            try:
                yield self._loop.run_until_complete(_held(following))
            except StopAsyncIteration:
                return


async def _held(value: Awaitable[T]) -> T:
    return await value


@pytest.fixture(params=["sync", "async"])
def new_client(request: pytest.FixtureRequest) -> Iterator[NewClient]:
    """`new_client(url, key, …)`: one of either kind, closed at the end."""
    loop = asyncio.new_event_loop()
    made: list[Any] = []

    def make(url: str, key: str, **options: Any) -> Any:
        if request.param == "sync":
            made.append(ClaudeClient(url, key, **options))
        else:
            made.append(Awaited(AsyncClaudeClient(url, key, **options), loop))
        return made[-1]

    yield make
    for one in made:
        one.close()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@pytest.fixture(scope="session")
def paula(service: Service) -> Person:
    """Programs with the client; her key may use tools."""
    return person(service, "papyrus")


@pytest.fixture
def client(new_client: NewClient, service: Service, paula: Person) -> ClaudeClient:
    """Paula's client."""
    return new_client(service.url, paula.key)


@pytest.fixture
def cutter(service: Service) -> Iterator[Cutter]:
    """A way to the service whose connections break as a test wants."""
    running = Cutter(service.url)
    yield running
    running.close()
