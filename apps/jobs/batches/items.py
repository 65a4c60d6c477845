"""The items of a batch before they have jobs: what they ask, what they are reckoned to cost, how they are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django.conf import settings
from django.db import connection

from apps.budgets.fitting import Amounts
from apps.claude import catalog, pricing
from apps.claude.spec import Usage
from apps.jobs.admission import reckoned_tokens, size_of
from apps.jobs.batches.models import BatchItem
from apps.jobs.events import dumps
from apps.jobs.requests import ChatRequest, Request
from apps.jobs.routes import AUTO
from apps.jobs.taskrequests import TaskRequest


class _Kind(Protocol):
    def from_json(self, data: Mapping[str, Any], /) -> Request: ...


KINDS: dict[str, _Kind] = {ChatRequest.kind: ChatRequest, TaskRequest.kind: TaskRequest}
"""Every kind of work that a batch can hold, by the word that its item is kept under."""

_INSERT = """
    INSERT INTO jobs_batchitem
        (batch_id, "index", custom_id, kind, waiting, request, share_microusd, share_tokens, job_id, error)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_ROUTED = "sonnet"
"""The tier whose price a request for `auto` is reckoned at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """One item as it came: a request, or what is wrong with it."""

    request: Request | None = None
    error: dict[str, Any] | None = None
    custom_id: str = ""


def row(new: NewItem, *, batch_id: str, index: int) -> BatchItem:
    """The item as it is kept."""
    item = BatchItem(batch_id=batch_id, index=index, custom_id=new.custom_id, waiting=new.request is not None)
    item.error = new.error
    if new.request is not None:
        share = share_of(new.request)
        item.kind, item.request = new.request.kind, new.request.to_json()
        item.share_microusd, item.share_tokens = share.microusd, share.tokens
    return item


def insertable(rows: Sequence[BatchItem]) -> list[tuple[Any, ...]]:
    """What `insert` takes: made before the transaction, which then holds SQLite's only writer for a moment."""
    return [
        (
            *(item.batch_id, item.index, item.custom_id, item.kind, item.waiting, _text(item.request)),
            *(item.share_microusd, item.share_tokens, item.job_id, _text(item.error)),
        )
        for item in rows
    ]


def insert(rows: Sequence[tuple[Any, ...]]) -> None:
    """Write them down: by hand, as the ORM takes three seconds of CPU for ten thousand."""
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT, rows)


def _text(value: object) -> str | None:
    return None if value is None else dumps(value)


def request_of(item: BatchItem) -> Request:
    """What a waiting item asks."""
    return KINDS[item.kind].from_json(item.request or {})


def share_of(request: Request) -> Amounts:
    """What a batch holds for one of its items until that has a job: what it will most likely not exceed.

    A chat is reckoned with its prompt at the price of a cache write and with all the tokens that it may write; other
    work with the most that it may spend.
    """
    most = settings.JOB_MAX_COST_MICROUSD
    tokens = reckoned_tokens(request, size_of(request.to_json()))
    if request.kind != ChatRequest.kind:
        return Amounts(min(most, request.ask().max_cost_microusd or most), tokens)
    model = catalog.resolve(_ROUTED) or "" if request.model == AUTO else request.model
    written = request.answer_tokens()
    usage = Usage(cache_creation_5m_input_tokens=tokens - written, output_tokens=written)
    cost = pricing.cost_microusd(model, usage)
    return Amounts(most if cost is None else min(most, cost), tokens)
