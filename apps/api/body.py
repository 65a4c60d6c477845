"""Reading the body of a request."""

import re
from typing import Any

from rest_framework.request import Request

from apps.api import jsonio
from apps.api.problems import ApiError, Problem, invalid, of_status

MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_BODY_WITH_IMAGES_BYTES = 32 * 1024 * 1024
_MEDIA = re.compile(rb"data:(image|application|text)/")


def read_json(request: Request) -> Any:
    """The body's JSON value. Raises ApiError: 415, 413 or 400."""
    content_type = request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise ApiError(of_status(415, "Send JSON, with the header 'Content-Type: application/json'."))
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdigit() and int(length) > MAX_BODY_WITH_IMAGES_BYTES:
        raise ApiError(too_large(MAX_BODY_WITH_IMAGES_BYTES))
    raw = request._request.body
    if len(raw) > MAX_BODY_WITH_IMAGES_BYTES or (len(raw) > MAX_BODY_BYTES and not _MEDIA.search(raw)):
        raise ApiError(too_large(MAX_BODY_BYTES))
    try:
        return jsonio.loads(raw)
    except jsonio.BadJson as error:
        raise invalid(f"The body is not valid JSON: {error}.", code="invalid_json") from None


def too_large(limit: int) -> Problem:
    """The 413 that names the limit."""
    return of_status(413, f"The body is larger than {limit // 1024**2} MB.")
