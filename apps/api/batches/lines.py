"""OpenAI's batch files: requests read from JSONL, answers written as JSONL."""

from collections.abc import Iterator
from typing import Any

from django.utils import timezone

from apps.api import jsonio, outcomes
from apps.api.batches.requests import error_of
from apps.api.openai import fields
from apps.api.openai.answers import completion
from apps.api.openai.requests import read as read_chat
from apps.api.problems import ApiError, Problem
from apps.jobs.batches import files
from apps.jobs.batches.items import NewItem
from apps.jobs.batches.models import Batch, BatchItem
from apps.jobs.batches.services import MAX_ITEMS
from apps.jobs.models import Job, Status
from apps.jobs.wire import job_object

ENDPOINT = "/v1/chat/completions"
MOST_ERRORS = 100
_AT_ONCE = 500
_STATUS = {
    "model_not_allowed": 403,
    "not_allowed": 403,
    "insufficient_quota": 429,
    "unknown_name": 422,
    "session_not_found": 404,
    "session_busy": 409,
}
"""Of what is refused when a job is to be made."""
_NOT_ASKED = {"cancelled": "batch_cancelled", "batch_expired": "batch_expired"}


class BadLine(Exception):
    """A line that is no request. Then the whole file is none."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.param = code, message, param


def read(content: bytes, *, default_model: str) -> tuple[list[NewItem], list[dict[str, Any]]]:
    """The items in a file, or what is wrong with it, by line. A body that cannot be honoured is an item's own error."""
    lines = [(number, line) for number, line in enumerate(content.splitlines(), 1) if line.strip()]
    if not lines:
        return [], [_error(None, BadLine("empty_file", "The file has no requests."))]
    if len(lines) > MAX_ITEMS:
        return [], [_error(None, BadLine("too_many_tasks", f"A batch takes at most {MAX_ITEMS:,} requests."))]
    items: list[NewItem] = []
    errors: list[dict[str, Any]] = []
    seen: set[str] = set()
    for number, line in lines:
        try:
            items.append(_item(line, seen, default_model))
        except BadLine as bad:
            errors.append(_error(number, bad))
    return items, errors[:MOST_ERRORS]


def _item(line: bytes, seen: set[str], default_model: str) -> NewItem:
    try:
        value = jsonio.loads(line)
    except jsonio.BadJson as error:
        raise BadLine("invalid_json_line", f"This line is not parseable as valid JSON: {error}.") from None
    if not isinstance(value, dict):
        raise BadLine("invalid_json_line", "This line is not a JSON object.")
    custom_id = value.get("custom_id")
    if not isinstance(custom_id, str) or not 1 <= len(custom_id) <= 128:
        message = "Each request has a custom_id of 1 to 128 characters."
        raise BadLine("missing_required_parameter", message, "custom_id")
    if custom_id in seen:
        raise BadLine("duplicate_custom_id", f"The custom_id '{custom_id}' was used before.", "custom_id")
    if value.get("method") != "POST":
        raise BadLine("invalid_method", "The method of a request is POST.", "method")
    if value.get("url") != ENDPOINT:
        raise BadLine("mismatched_url", f"The url of each request is the batch's endpoint, {ENDPOINT}.", "url")
    seen.add(custom_id)
    try:
        reading = read_chat(value.get("body"), default_model=default_model)
        if reading.stream:
            raise fields.unsupported("stream", "The answers of a batch are not streamed.")
        if reading.chat.session_id:
            raise fields.unsupported("session_id", "Requests of a batch belong to no session.")
    except ApiError as wrong:
        return NewItem(error=error_of(wrong.problem), custom_id=custom_id)
    return NewItem(request=reading.chat, custom_id=custom_id)


def _error(line: int | None, bad: BadLine) -> dict[str, Any]:
    return {"code": bad.code, "line": line, "message": bad.message, "param": bad.param}


def write_files(batch: Batch) -> tuple[str, str]:
    """The ids of the output and the error file of a batch that is ending; empty for one that has no lines."""

    def store(name: str, *, answered: bool) -> str:
        lines = _lines(batch, answered=answered)
        now = timezone.now()
        return files.store_output(project=batch.project, batch_id=batch.pk, name=name, lines=lines, now=now)

    return store("output", answered=True), store("error", answered=False)


def _lines(batch: Batch, *, answered: bool) -> Iterator[bytes]:
    """A line for each item that was answered, or for each that was not, in order."""
    for start in range(0, batch.total, _AT_ONCE):
        items = list(batch.items.filter(index__gte=start, index__lt=start + _AT_ONCE).order_by("index"))
        ids = [item.job_id for item in items if item.job_id]
        jobs = {job.pk: job for job in Job.objects.filter(pk__in=ids).select_related("project")}
        for item in items:
            job = jobs.get(item.job_id)
            if (job is not None and job.status == Status.COMPLETED) == answered:
                yield _line(item, job)


def _line(item: BatchItem, job: Job | None) -> bytes:
    head = {"id": f"batch_req_{item.batch_id.removeprefix('batch_')}_{item.index}", "custom_id": item.custom_id}
    request_id = job.pk if job else f"{item.batch_id}-{item.index}"
    if job and job.status == Status.COMPLETED:
        body = completion(job_object(job), created=int(job.created_at.timestamp()))
        return _json({**head, "response": _response(200, request_id, body), "error": None})
    code, message, problem = _failure(item, job)
    if code in _NOT_ASKED:
        error = {"code": _NOT_ASKED[code], "message": message}
        return _json({**head, "response": None, "error": error})
    return _json({**head, "response": _response(problem.status, request_id, problem.body()), "error": None})


def _failure(item: BatchItem, job: Job | None) -> tuple[str, str, Problem]:
    if job:
        problem = outcomes.of_job(job_object(job))
        return job.error_code, job.error_message, problem
    error = item.error or {"code": "internal_error", "message": "This item was never asked."}
    code, message = str(error["code"]), str(error["message"])
    status = error.get("status") or _STATUS.get(code, 500)
    return code, message, Problem(int(status), message, code, error.get("param"))


def _response(status: int, request_id: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"status_code": status, "request_id": request_id, "body": body}


def _json(value: dict[str, Any]) -> bytes:
    return jsonio.dumps(value) + b"\n"
