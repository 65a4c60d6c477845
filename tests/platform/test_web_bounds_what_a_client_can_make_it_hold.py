"""Against Daphne as we run it, around a small ASGI application instead of the service."""

import os
import signal
import socket
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import web
from tests.support.http import Http
from tests.support.ports import free_port
from tests.support.processes import Program
from tests.support.waiting import eventually

APPLICATION = textwrap.dedent(
    """
    import sys, time
    from config.draining import Draining
    from config.listening import listen
    from config.web import Web

    PIECE = b"x" * 65536
    progress = open(sys.argv[2], "w", buffering=1)

    async def application(scope, receive, send):
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await receive()
            return
        assert scope["path"] != "/crash", "on purpose"
        size = 0
        while True:
            message = await receive()
            size += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["path"] == "/flood":
            for count in range(1600):
                await send({"type": "http.response.body", "body": PIECE, "more_body": True})
                progress.write(f"{count}\\n")
        await send({"type": "http.response.body", "body": b"%d" % size})

    server = Web(Draining(application), drain_seconds=1, behind_proxy=False)
    server.run_on(listen("127.0.0.1", int(sys.argv[1])))
    """
)


class Server:
    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.progress = directory / "progress"
        script = directory / "server.py"
        script.write_text(APPLICATION)
        environ = {**os.environ, "PYTHONPATH": str(Path(web.__file__).parents[1])}
        command = [sys.executable, str(script), str(self.port), str(self.progress)]
        self.program = Program(command, environ=environ, log=directory / "log")
        self.http = Http(f"http://127.0.0.1:{self.port}")
        eventually(self._answers, seconds=60, message=f"it did not start:\n{self.program.tail()}")

    def _answers(self) -> bool:
        try:
            return self.http.get("/").status == 200
        except OSError:
            return False

    def connect(self, request: bytes) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        connection.sendall(request)
        return connection


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("web"))
    yield running
    running.program.signal(signal.SIGTERM)
    eventually(lambda: running.program.exit_status == 0, seconds=60, message="it did not stop")
    running.program.kill()


def test_a_body_with_images_gets_through(server: Server) -> None:
    assert server.http.post("/", b"x" * 11_000_000).body == b"11000000"


def test_a_body_that_is_too_large_is_refused_in_the_shape_of_every_error(server: Server) -> None:
    answer = server.http.post("/", b"x" * (web.MAX_BODY_BYTES + 1))
    assert answer.status == 413
    error = answer.json()["error"]
    assert sorted(error) == ["code", "message", "param", "type"]
    assert "32 MB" in error["message"]


def test_a_body_of_unknown_length_is_refused_too(server: Server) -> None:
    piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    with server.connect(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n") as connection:
        for _ in range(33):
            connection.sendall(piece)
        connection.sendall(b"0\r\n\r\n")
        assert connection.recv(64).startswith(b"HTTP/1.1 413")


def test_an_absurd_length_is_cut_before_the_body_comes(server: Server) -> None:
    with server.connect(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n") as connection:
        assert connection.recv(64).startswith(b"HTTP/1.1 413")


def test_an_application_that_fails_is_answered_in_the_shape_of_every_error(server: Server) -> None:
    answer = server.http.get("/crash")
    assert (answer.status, answer.json()["error"]["type"]) == (500, "server_error")
    assert b"on purpose" not in answer.body


def test_a_client_that_does_not_read_makes_the_sender_wait(server: Server) -> None:
    """100 MB are to be sent; what is in flight is our limit and what both ends' systems buffer."""
    with server.connect(b"GET /flood HTTP/1.1\r\nhost: x\r\n\r\n") as connection:
        before = eventually(lambda: stalled(server.progress), seconds=60, message="it never waited")
        assert before * 65536 < 20_000_000
        read = 0
        while read < 100_000_000 and (data := connection.recv(1 << 20)):
            read += len(data)
    assert read >= 100_000_000, "once the client reads, all of it comes"


def test_a_frame_that_is_too_large_closes_the_websocket(server: Server) -> None:
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    with connect(f"ws://127.0.0.1:{server.port}/") as socket:
        socket.send("x" * (web.MAX_FRAME_BYTES + 1))
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=60)
        assert socket.close_code == 1009


def stalled(progress: Path) -> int:
    """How many pieces were sent, once that number stands still for half a second; 0 before."""
    age = time.time() - progress.stat().st_mtime
    lines = progress.read_text().split()
    return int(lines[-1]) if lines and age > 0.5 else 0
