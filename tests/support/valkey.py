"""A real Valkey on a unix socket, which tests may flush, kill and start again."""

import os
from pathlib import Path

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from config import valkey
from tests.support.processes import Program


class ValkeyServer:
    """Keeps its data over `kill` and `start`, like the service's own."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._socket = directory / "valkey.sock"
        self._program: Program | None = None
        self.url = f"unix://{self._socket}?db=0"

    def start(self) -> None:
        """Returns when it takes commands."""
        program = valkey.server_program(os.environ.get("VALKEY_SERVER", ""))
        command = valkey.command(program, unix_socket=self._socket, data_dir=self._directory)
        self._program = Program(command, environ={}, log=self._directory / "valkey.log")
        assert valkey.wait_until_answers(self._socket, seconds=60), self._program.output

    def kill(self) -> None:
        """SIGKILL, as if the machine had lost it."""
        if self._program is not None:
            self._program.kill()
            self._program = None

    def restart(self) -> None:
        """Kill and start again: every connection breaks, the data stays."""
        self.kill()
        self.start()

    def client(self) -> redis.Redis:
        """A new client; the caller closes it. It waits for a server that has just been started again."""
        patience = Retry(ConstantBackoff(0.05), retries=60, supported_errors=(redis.ConnectionError,))
        return redis.Redis.from_url(self.url, retry=patience)

    def flush(self) -> None:
        """Forget all keys."""
        with self.client() as client:
            client.flushall()
