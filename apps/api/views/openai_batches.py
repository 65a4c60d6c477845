"""`/v1/batches`: OpenAI's Batch API: a file of requests in, files of answers and errors out, within 24 hours."""

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from apps.api.answers import answer
from apps.api.base import View
from apps.api.batches.lines import ENDPOINT, read
from apps.api.body import read_json
from apps.api.openai import fields
from apps.api.problems import ApiError, of_status
from apps.api.schema.openai_batches import (
    cancel_openai_batch_schema,
    create_openai_batch_schema,
    openai_batch_schema,
    openai_batches_schema,
)
from apps.api.views.batching import BatchesView, find_batch
from apps.jobs.batches import files, finishing, services
from apps.jobs.batches.models import Batch, BatchStatus

WINDOWS = ("24h",)
_KNOWN = {"input_file_id", "endpoint", "completion_window", "metadata"}


class OpenaiBatches(BatchesView):
    """The project's batches that came as files."""

    @create_openai_batch_schema
    def post(self, request: Request) -> HttpResponse:
        """Begin a batch of the requests in a file."""
        body = read_json(request)
        if not isinstance(body, dict):
            raise fields.wrong_type("body", "a JSON object")
        for name in sorted(body.keys() - _KNOWN):
            raise fields.unsupported(name, f"A batch has no parameter '{name[:60]}' here.")
        return answer(openai_object(self.made_before() or self._create(body)))

    @openai_batches_schema
    def get(self, request: Request) -> HttpResponse:
        """List batches, newest first. `after` is the id of the last batch of the page before."""
        return self.listed(Batch.objects.all().from_files(), openai_object)

    def _create(self, body: dict[str, Any]) -> Batch:
        """As it was made: it is fed behind the answer, so that its life begins with `validating`."""
        if body.get("endpoint") != ENDPOINT:
            raise fields.wrong_value("endpoint", f"'endpoint' is {ENDPOINT}.")
        if body.get("completion_window") not in WINDOWS:
            raise fields.wrong_value("completion_window", "'completion_window' is 24h.")
        file_id = fields.text(body, "input_file_id", longest=64)
        if not file_id:
            raise fields.wrong_type("input_file_id", "the id of a file")
        row = files.find(key=self.caller, file_id=file_id)
        if row.purpose != "batch":
            raise fields.wrong_value("input_file_id", "The file was not sent with the purpose 'batch'.")
        with files.open_file(row) as file:
            items, errors = read(file.read(), default_model=self.default_model)
        facts: dict[str, Any] = {
            "endpoint": ENDPOINT,
            "input_file_id": row.pk,
            "metadata": fields.metadata(body),
        }
        if errors:
            visit: dict[str, Any] = {"key": self.caller, "request_id": self.visit.request_id, "now": timezone.now()}
            return services.create_failed(errors=errors, **visit, **facts)
        return self.make(items=items, **facts)


class OneOpenaiBatch(View):
    """One batch that came as a file."""

    @openai_batch_schema
    def get(self, request: Request, batch_id: str) -> HttpResponse:
        """Look at a batch."""
        return answer(openai_object(_find(self, batch_id)))


class OpenaiBatchCancel(View):
    """Stopping a batch."""

    @cancel_openai_batch_schema
    def post(self, request: Request, batch_id: str) -> HttpResponse:
        """Cancel a batch. What has been answered is in its output file."""
        services.cancel(batch=_find(self, batch_id), now=timezone.now())
        return answer(openai_object(_find(self, batch_id)))


def _find(view: View, batch_id: str) -> Batch:
    batch = find_batch(view.caller, batch_id)
    if not batch.input_file_id:
        raise ApiError(
            of_status(404, f"The batch '{batch_id[:64]}' came without a file: see /v1/batch/{batch_id[:64]}.")
        )
    return batch


def openai_object(batch: Batch) -> dict[str, Any]:
    """OpenAI's batch object."""
    found = finishing.counts(batch)
    ended = {status: _unix(batch.finished_at) if batch.status == status else None for status in BatchStatus.values}
    return {
        "id": batch.pk,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": {"object": "list", "data": batch.errors} if batch.errors else None,
        "input_file_id": batch.input_file_id,
        "completion_window": batch.completion_window,
        "status": batch.status,
        "output_file_id": batch.output_file_id or None,
        "error_file_id": batch.error_file_id or None,
        "created_at": _unix(batch.created_at),
        "in_progress_at": _unix(batch.started_at),
        "expires_at": _unix(batch.expires_at),
        "finalizing_at": _unix(batch.finalizing_at),
        "completed_at": ended["completed"],
        "failed_at": ended["failed"],
        "expired_at": ended["expired"],
        "cancelling_at": _unix(batch.cancelling_at),
        "cancelled_at": ended["cancelled"],
        "request_counts": {"total": batch.total, "completed": found.completed, "failed": found.failed},
        "metadata": batch.metadata,
        "x_claude": {"waiting_for": batch.waits_for},
    }


def _unix(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
