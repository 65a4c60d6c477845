"""Open pages hear of changes from the process's one subscription. Whoever only waits asks the database nothing."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any

import pytest
from django.db.backends.utils import CursorWrapper
from pytest_django import Settings

from apps.dashboard import pulses
from apps.jobs import news, valkey
from tests.support.valkey import ValkeyServer
from tests.support.waiting import eventually

ATLAS, BOREALIS = 1, 2


@pytest.fixture
def server(private_valkey: ValkeyServer, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> ValkeyServer:
    settings.VALKEY_URL = private_valkey.url
    monkeypatch.setattr(pulses, "CALM_SECONDS", 0.0)
    return private_valkey


async def next_of(changes: AsyncGenerator[None, None]) -> None:
    async with asyncio.timeout(20):
        await anext(changes)


async def tell(project_id: int) -> None:
    await asyncio.to_thread(news._publish, project_id)


def run(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def test_a_page_hears_of_its_projects_only(server: ValkeyServer) -> None:
    async def scene() -> None:
        async with aclosing(pulses.changes([ATLAS])) as mine, aclosing(pulses.changes([BOREALIS])) as theirs:
            await next_of(mine)  # nothing can be missed from here on
            await next_of(theirs)
            waiting = asyncio.ensure_future(anext(theirs))
            await tell(ATLAS)
            await next_of(mine)
            assert not waiting.done()
            await tell(BOREALIS)
            async with asyncio.timeout(20):
                await waiting

    run(scene())


def test_who_looks_at_all_projects_hears_of_each(server: ValkeyServer) -> None:
    async def scene() -> None:
        async with aclosing(pulses.changes(None)) as everything:
            await next_of(everything)
            for project in (ATLAS, BOREALIS, 99):
                await tell(project)
                await next_of(everything)

    run(scene())


def test_any_number_of_pages_share_one_subscription(server: ValkeyServer) -> None:
    async def scene() -> None:
        pages = [pulses.changes([ATLAS, BOREALIS]) for _ in range(50)]
        await asyncio.gather(*map(next_of, pages))
        assert _subscriptions(server) == 1
        await tell(BOREALIS)
        await asyncio.gather(*map(next_of, pages))
        for page in pages:
            await page.aclose()
        await asyncio.to_thread(eventually, lambda: _subscriptions(server) == 0)

    run(scene())


def _subscriptions(server: ValkeyServer) -> int:
    with server.client() as client:
        [(_, number)] = client.pubsub_numsub(valkey.news())
        return int(number)


def test_what_happens_while_valkey_is_away_is_told_when_it_is_back(server: ValkeyServer) -> None:
    async def scene() -> None:
        async with aclosing(pulses.changes([ATLAS])) as changes:
            await next_of(changes)
            server.kill()
            await tell(ATLAS)  # nobody hears it
            server.start()
            await next_of(changes)

    run(scene())


def test_many_changes_are_told_together(server: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        calm = asyncio.Event()
        monkeypatch.setattr("apps.dashboard.pulses.asyncio.sleep", lambda _seconds: calm.wait())
        async with aclosing(pulses.changes([ATLAS])) as changes, aclosing(pulses.changes(None)) as witness:
            await next_of(changes)
            later = asyncio.ensure_future(anext(changes))
            await next_of(witness)
            for _ in range(20):
                await tell(ATLAS)
            calm.set()
            async with asyncio.timeout(20):
                await later
                await anext(witness)
            assert not asyncio.ensure_future(anext(changes)).done()

    run(scene())


def test_waiting_asks_the_database_nothing(server: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(CursorWrapper, "execute", lambda _self, sql, _parameters=None: asked.append(sql))

    async def scene() -> None:
        async with aclosing(pulses.changes([ATLAS])) as changes:
            await next_of(changes)
            await tell(ATLAS)
            await next_of(changes)

    run(scene())
    assert asked == []
