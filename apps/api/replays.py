"""`Idempotency-Key`: the same POST again does nothing again, and is answered as before.

A POST that makes a job is remembered as that job (`View.submit`), so that its repetition follows the job, running or
ended, in whatever shape the view gives it. Every other POST is remembered by its answer.
"""

import hashlib
import string
from base64 import b64decode, b64encode
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from apps.api.problems import invalid
from apps.jobs import idempotency
from apps.jobs.idempotency import Once
from apps.keys.models import ApiKey

HEADER = "Idempotency-Key"
REPLAYED = {"idempotent-replayed": "true"}
LONGEST = 255
MOST_BYTES = 1024 * 1024
_ALLOWED = frozenset(string.ascii_letters + string.digits + string.punctuation)


class Replayed(Exception):
    """The request was answered before: `response` is that answer."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__("answered before")
        self.response = response


def once_of(request: HttpRequest) -> Once | None:
    """What a POST's headers and body say about being done once. Raises ApiError (400) for no valid key."""
    idempotency_key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if request.method != "POST" or idempotency_key is None:
        return None
    if not 1 <= len(idempotency_key) <= LONGEST or not _ALLOWED.issuperset(idempotency_key):
        message = f"'{HEADER}' takes 1 to {LONGEST} visible ASCII characters, such as a UUID."
        raise invalid(message, param=HEADER, code="invalid_idempotency_key")
    digest = hashlib.sha256(f"{request.get_full_path()}\n".encode())
    digest.update(request.body)
    return Once(idempotency_key, digest.hexdigest())


def replay(*, key: ApiKey, once: Once, now: datetime) -> None:
    """Raise Replayed if there is a stored answer, and IdempotencyKeyReused if the key stands for another request."""
    row = idempotency.find(key=key, once=once, now=now)
    if row is None or row.answer is None:
        return
    stored = row.answer
    headers = {**stored["headers"], **REPLAYED}
    raise Replayed(HttpResponse(b64decode(stored["body"]), status=stored["status"], headers=headers))


def store(*, key: ApiKey, once: Once, response: HttpResponseBase, now: datetime) -> None:
    """Keep the answer of a deed that has left nothing else to find it by. Failures are not kept: nothing was done."""
    if not isinstance(response, HttpResponse) or response.status_code >= 400 or len(response.content) > MOST_BYTES:
        return
    answer = {
        "status": response.status_code,
        "headers": dict(response.items()),
        "body": b64encode(response.content).decode(),
    }
    try:
        idempotency.remember(key=key, once=once, answer=answer, now=now)
    except idempotency.Raced:
        return  # the same was asked twice at once, and both have done it: these deeds may be done twice
