"""A way to the service that breaks: connections are cut after so many bytes of their answers."""

import contextlib
import socket
import threading
from collections.abc import Sequence
from urllib.parse import urlsplit


class Cutter:
    """Forwards TCP. What `after` was told cuts the next connections; later ones are not cut."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._cuts: list[int] = []
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def after(self, cuts: Sequence[int]) -> None:
        """Cut the next connections after so many bytes of answer each."""
        self._cuts = list(cuts)

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                left = self._cuts.pop(0) if self._cuts else None
                server = socket.create_connection(self._target)
                threading.Thread(target=self._forward, args=(client, server, None), daemon=True).start()
                threading.Thread(target=self._forward, args=(server, client, left), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, left: int | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if left is not None and len(data) >= left:
                    sink.sendall(data[:left])
                    break
                sink.sendall(data)
                left = None if left is None else left - len(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
