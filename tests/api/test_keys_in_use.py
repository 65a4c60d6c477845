import asyncio
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from apps.api import keywatch
from apps.api.keywatch import KeyWatch, unusable
from apps.keys import services
from apps.keys.models import ApiKey
from tests.support.waiting import eventually_async


def key(pk: int) -> ApiKey:
    return ApiKey(pk=pk)


class Gone(set[int]):
    """The keys that have stopped being usable, and how often they were asked for."""

    looks = 0

    def among(self, asked: list[int]) -> set[int]:
        self.looks += 1
        return self & set(asked)

    async def looked_at_twice_more(self) -> None:
        """Returns when a look that began after this call is over."""
        wanted = self.looks + 2

        async def looked() -> bool:
            return self.looks >= wanted

        await eventually_async(looked)


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> Gone:
    """Tests add keys to it."""
    keys = Gone()
    monkeypatch.setattr(keywatch, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(keywatch, "unusable", keys.among)
    return keys


async def test_those_who_use_an_ended_key_are_told_once(gone: Gone) -> None:
    watch, told = KeyWatch(), asyncio.Queue[str]()
    with (
        watch.using(key(1), ended=lambda: told.put_nowait("a")),
        watch.using(key(1), ended=lambda: told.put_nowait("b")),
        watch.using(key(2), ended=lambda: told.put_nowait("c")),
    ):
        gone.add(1)
        async with asyncio.timeout(60):
            assert {await told.get(), await told.get()} == {"a", "b"}
        await gone.looked_at_twice_more()
        assert told.empty()


async def test_who_has_left_is_not_told(gone: Gone) -> None:
    watch, told = KeyWatch(), asyncio.Event()
    with watch.using(key(2), ended=lambda: None):
        with watch.using(key(1), ended=told.set):
            pass
        gone.add(1)
        await gone.looked_at_twice_more()
    assert not told.is_set()


async def test_a_database_that_is_away_is_asked_again(gone: Gone, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([OperationalError("away"), OperationalError("away")])

    def look(asked: list[int]) -> set[int]:
        for failure in answers:
            raise failure
        return set(asked)

    monkeypatch.setattr(keywatch, "unusable", look)
    told = asyncio.Event()
    with KeyWatch().using(key(1), ended=told.set):
        async with asyncio.timeout(60):
            await told.wait()


@pytest.mark.django_db
def test_revoked_and_expired_keys_are_unusable() -> None:
    now = timezone.now()
    project, _ = services.ensure_project(slug="atlas", now=now)
    past = now - timedelta(hours=2)
    good, _ = services.issue(project=project, name="good", now=now)
    expired, _ = services.issue(project=project, name="expired", expires_at=past + timedelta(hours=1), now=past)
    revoked, _ = services.issue(project=project, name="revoked", now=now)
    services.revoke(key=revoked, now=now)
    assert unusable([good.pk, expired.pk, revoked.pk, 10**9]) == {expired.pk, revoked.pk, 10**9}
