"""A hostile model on the real CLI: many attacks share one task, so that the suite stays quick."""

import os
import socket
import threading
import uuid
from collections.abc import Iterator

import pytest

from tests.claude.conftest import engine, marker, model

__all__ = ["engine", "marker", "model"]

SECRET_NAME = "CCS_HOSTILE_SECRET"
ABSTRACT = f"ccs-hostile-{os.getpid()}"


@pytest.fixture(scope="session", autouse=True)
def secret() -> Iterator[str]:
    """A secret in the service's own environment, which no task may see."""
    os.environ[SECRET_NAME] = f"secret-{uuid.uuid4().hex}"
    yield os.environ[SECRET_NAME]
    del os.environ[SECRET_NAME]


@pytest.fixture(scope="session")
def services() -> Iterator[int]:
    """Something that listens on this machine, by TCP and on an abstract socket; the port."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(f"\0{ABSTRACT}")
        unix.listen()
        for listener in (tcp, unix):
            threading.Thread(target=_accept, args=(listener,), daemon=True).start()
        yield tcp.getsockname()[1]


def _accept(listener: socket.socket) -> None:
    try:
        while True:
            listener.accept()[0].close()
    except OSError:
        return
