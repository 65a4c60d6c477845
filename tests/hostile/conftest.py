"""A hostile model on the real CLI: many attacks share one task, so that the suite stays quick."""

import os
import uuid
from collections.abc import Iterator

import pytest

from tests.claude.conftest import engine, marker, model

__all__ = ["engine", "marker", "model"]

SECRET_NAME = "CCS_HOSTILE_SECRET"


@pytest.fixture(scope="session", autouse=True)
def secret() -> Iterator[str]:
    """A secret in the service's own environment, which no task may see."""
    os.environ[SECRET_NAME] = f"secret-{uuid.uuid4().hex}"
    yield os.environ[SECRET_NAME]
    del os.environ[SECRET_NAME]
