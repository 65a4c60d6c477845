"""The official SDK as a client of the running service."""

from collections.abc import AsyncIterator, Iterator

import pytest
from openai import AsyncOpenAI, OpenAI

from tests.support.service import Person, Service


@pytest.fixture
def openai(service: Service, alice: Person) -> Iterator[OpenAI]:
    """Alice's client; it does not retry by itself."""
    with OpenAI(base_url=f"{service.url}/v1", api_key=alice.key, max_retries=0, timeout=90) as client:
        yield client


@pytest.fixture
async def async_openai(service: Service, alice: Person) -> AsyncIterator[AsyncOpenAI]:
    """The same for asyncio."""
    async with AsyncOpenAI(base_url=f"{service.url}/v1", api_key=alice.key, max_retries=0, timeout=90) as client:
        yield client
