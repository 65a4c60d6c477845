"""Every exception as a Problem, and every problem as an answer: one table for REST, SSE and WebSocket alike."""

import logging
from dataclasses import replace
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from redis.exceptions import ConnectionError as ValkeyConnectionError
from redis.exceptions import TimeoutError as ValkeyTimeoutError
from rest_framework import exceptions

from apps.api.answers import failure
from apps.api.batches.problems import OF_FILES
from apps.api.problems import ApiError, Problem, of_status, phrase
from apps.api.replays import Replayed
from apps.api.tasks.problems import OF_TASKS
from apps.budgets.services import BudgetExceeded
from apps.jobs import services as jobs
from apps.jobs.admission import Denied
from apps.jobs.naming import UnknownNames
from apps.jobs.sessions import SessionBusy, SessionNotFound
from apps.keys.rates import RateLimited
from apps.keys.services import InvalidKey

logger = logging.getLogger(__name__)

RETRY = {"x-should-retry": "true", "Retry-After": "1"}
NO_RETRY = {"x-should-retry": "false"}
TABLE: dict[type[Exception], tuple[int, str, dict[str, str]]] = {
    jobs.CredentialMissing: (503, "credential_missing", NO_RETRY),
    Denied: (403, "not_allowed", NO_RETRY),
    BudgetExceeded: (429, "insufficient_quota", NO_RETRY),
    RateLimited: (429, "rate_limit_exceeded", {}),
    jobs.IdempotencyKeyReused: (422, "idempotency_key_reused", NO_RETRY),
    **{kind: (status, code, NO_RETRY) for kind, (status, code) in {**OF_TASKS, **OF_FILES}.items()},
    Http404: (404, "not_found", {}),
    InvalidKey: (401, "invalid_api_key", {"WWW-Authenticate": "Bearer"}),
    PermissionDenied: (403, "forbidden", {}),
    RequestDataTooBig: (413, "request_too_large", {}),
    SuspiciousOperation: (400, "invalid_request", {}),
    BadRequest: (400, "invalid_request", {}),
    OperationalError: (503, "database_unavailable", RETRY),
    InterfaceError: (503, "database_unavailable", RETRY),
    ValkeyConnectionError: (503, "valkey_unavailable", RETRY),
    ValkeyTimeoutError: (503, "valkey_unavailable", RETRY),
}
"""Exception → status, code, headers; RateLimited and Denied know more exactly. Subclasses follow their base; the
domain's messages are written for callers."""
_SPOKEN = (jobs.CredentialMissing, Denied, BudgetExceeded, RateLimited, jobs.IdempotencyKeyReused, *OF_TASKS, *OF_FILES)
"""Exceptions whose own message is shown; of the others it may name internals."""
_MESSAGES = {
    "database_unavailable": "The database cannot be reached; try again in a moment.",
    "valkey_unavailable": "The event store cannot be reached; try again in a moment.",
    "invalid_api_key": "Incorrect API key provided; it is unknown, expired or revoked.",
    "request_too_large": "The body is too large.",
}


def problem_of(error: Exception) -> Problem:
    """What a client is told about an exception. Unknown ones are a 500 without details, and are logged."""
    if isinstance(error, ApiError):
        return error.problem
    if isinstance(error, exceptions.APIException):
        return _of_framework(error)
    for kind, (status, code, headers) in TABLE.items():
        if isinstance(error, kind):
            message = str(error) if isinstance(error, _SPOKEN) else _MESSAGES.get(code, "")
            plain = of_status(status, message)
            return _exact(error, Problem(status, plain.message, code, headers=headers))
    logger.error("unexpected error", exc_info=error)
    return of_status(500, "Something went wrong here; it has been logged under the request id.")


def _exact(error: Exception, problem: Problem) -> Problem:
    match error:
        case Denied():
            return replace(problem, code=error.code, param=error.param)
        case RateLimited():
            return replace(problem, headers=error.headers())
        case UnknownNames() | SessionNotFound() | SessionBusy():
            return replace(problem, param=error.param)
    return problem


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """DRF's hook: every exception of an API view becomes an answer in OpenAI's shape."""
    if isinstance(error, Replayed):
        return error.response
    response = failure(problem_of(error))
    if isinstance(error, exceptions.MethodNotAllowed):
        response.headers["Allow"] = ", ".join(context["view"].allowed_methods)
    return response


def _of_framework(error: exceptions.APIException) -> Problem:
    match error:
        case exceptions.MethodNotAllowed():
            return of_status(405, "This address does not take that method; the header Allow lists those it takes.")
        case exceptions.NotAcceptable():
            return of_status(406, "This address answers application/json, and streams as text/event-stream.")
    return of_status(error.status_code, str(error.detail))


# Django's own handlers: for what fails before a view is reached, and for addresses that do not exist.


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    """404 for every address outside the admin."""
    if request.path_info.startswith("/admin"):
        return _plain(request, 404)
    return unknown_address(request)


def unknown_address(request: HttpRequest) -> HttpResponse:
    """The 404 of an address that does not exist."""
    message = f"There is nothing at {request.path_info[:200]}. See /docs for what there is."
    return failure(of_status(404, message))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    """400, for instance for a Host that is not ours; 413 for a body that is too large."""
    return _plain(request, 413 if isinstance(exception, RequestDataTooBig) else 400)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    """403 from a middleware."""
    return _plain(request, 403)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """500 from outside of any API view."""
    return _plain(request, 500, "Something went wrong here; it has been logged.")


def _plain(request: HttpRequest, status: int, message: str = "") -> HttpResponseBase:
    if request.path_info.startswith("/admin"):
        return HttpResponse(f"<h1>{status} {phrase(status)}</h1>", status=status)
    return failure(of_status(status, message))
