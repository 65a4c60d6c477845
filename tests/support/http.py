"""A small HTTP client: what went over the wire is what tests see, without retries or an SDK's opinions."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole HTTP answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One server-sent event; `data` is as it came."""

    event: str = ""
    data: str = ""
    id: str = ""

    def json(self) -> Any:
        """The data as JSON."""
        return json.loads(self.data)


class Stream:
    """An answer that is read while it comes. Closing it early is how a client goes away."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._connection, self._response = connection, response
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cut the connection."""
        self._response.close()
        self._connection.close()

    def read(self) -> bytes:
        """All that is still to come."""
        return self._response.read()

    def lines(self) -> Iterator[str]:
        """Line by line, without the line ends."""
        while line := self._response.readline():
            yield line.decode().rstrip("\r\n")

    def events(self) -> Iterator[ServerEvent]:
        """Event by event; comments are left out."""
        fields: dict[str, str] = {}
        for line in self.lines():
            if not line:
                if "data" in fields:  # a block without data, such as a lone `retry:`, is no event
                    yield ServerEvent(fields.get("event", ""), fields.get("data", ""), fields.get("id", ""))
                fields = {}
            elif not line.startswith(":"):
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                fields[name] = f"{fields[name]}\n{value}" if name == "data" and "data" in fields else value


class Http:
    """A client of one base URL; `key` becomes the bearer token."""

    def __init__(self, url: str, *, key: str = "", timeout_seconds: float = 90.0) -> None:
        self.url = url
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._key, self._timeout = key, timeout_seconds

    def get(self, path: str, **headers: str) -> Answer:
        """GET; keyword arguments are headers, `_` standing for `-`."""
        return self.request("GET", path, headers=_named(headers))

    def post(self, path: str, body: object = None, **headers: str) -> Answer:
        """POST of JSON; bytes are sent as they are."""
        return self.request("POST", path, body, headers=_named(headers))

    def request(self, method: str, path: str, body: object = None, *, headers: dict[str, str] | None = None) -> Answer:
        """One request on a connection of its own."""
        with self.stream(method, path, body, headers=headers) as stream:
            return Answer(stream.status, stream.headers, stream.read())

    def stream(self, method: str, path: str, body: object = None, *, headers: dict[str, str] | None = None) -> Stream:
        """The answer as it comes; the caller closes it."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        sent = {"authorization": f"Bearer {self._key}"} if self._key else {}
        if body is not None:
            sent["content-type"] = "application/json"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection.request(method, path, data, {**sent, **(headers or {})})
        return Stream(connection, connection.getresponse())

    def chat(self, text: str, *, model: str = "sonnet", **fields: object) -> Answer:
        """A blocking chat completion with one user message."""
        return self.post("/v1/chat/completions", chat_body(text, model=model, **fields))

    def chat_stream(self, text: str, *, model: str = "sonnet", **fields: object) -> Stream:
        """The same, streamed."""
        return self.stream("POST", "/v1/chat/completions", chat_body(text, model=model, stream=True, **fields))


def chat_body(text: str, *, model: str = "sonnet", **fields: object) -> dict[str, object]:
    """The body of a chat completion with one user message; `messages` replaces it."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
