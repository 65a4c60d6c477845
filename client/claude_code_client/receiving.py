"""What has come of a streamed answer so far, for both clients: its text once, whichever way and how often it comes."""

from collections.abc import Mapping
from typing import Any

import httpx2

from claude_code_client import transport
from claude_code_client.errors import JobFailed
from claude_code_client.results import Completion, Event


class Received:
    """Give it the chunks of the stream, or after a break the job's own events, and say what it returns."""

    def __init__(self) -> None:
        self.job_id: str | None = None
        self.completion: Completion | None = None
        self._chunks: list[Any] = []
        self._said = 0
        self._heard = 0

    def begin(self, headers: Mapping[str, str]) -> None:
        """The answer's headers are there."""
        self.job_id = headers.get("x-job-id")

    def chunk(self, chunk: Any, headers: Mapping[str, str]) -> list[str]:
        """The new text in a chunk. Raises JobFailed."""
        if chunk.get("error"):
            raise JobFailed(0, chunk["error"], headers, None)
        self._chunks.append(chunk)
        if chunk.get("usage"):
            self.completion = Completion.of_chunks(self._chunks)
        texts = [choice["delta"].get("content") for choice in chunk.get("choices") or ()]
        self._said += sum(len(text) for text in texts if text)
        return [text for text in texts if text]

    def end(self) -> None:
        """The stream is over. Raises RemoteProtocolError when the answer is not."""
        if self.completion is None:
            raise httpx2.RemoteProtocolError("the stream ended before the answer did")

    def resume(self) -> str:
        """From here on the job's events come, from the first; the job's id."""
        assert self.job_id
        self._heard = 0
        return self.job_id

    def event(self, event: Event) -> list[str]:
        """The text in an event that has not been said yet. Raises JobFailed."""
        if event.terminal:
            transport.ended(event)
            self.completion = Completion.of_job(event.data)
        if event.type != "token":
            return []
        new = event.text[max(0, self._said - self._heard) :]
        self._heard += len(event.text)
        self._said += len(new)
        return [new] if new else []
