"""What can go wrong, with what the service said about it."""

from collections.abc import Mapping
from typing import Any


class ClaudeError(Exception):
    """Something went wrong; the message says what and, where it can, what to do."""


class ConnectionFailed(ClaudeError):
    """The service cannot be reached, or the connection broke more often than was to be tried."""


class WaitedTooLong(ClaudeError):
    """The call's own `wait_seconds` are over. What was asked goes on: look at it by its id."""

    def __init__(self, what: str, id: str) -> None:  # noqa: A002  # as it is called everywhere
        super().__init__(f"{what} {id} has not ended yet")
        self.id = id


class ApiError(ClaudeError):
    """The service refused a request or could not serve it."""

    def __init__(self, status: int, error: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        self.message = str(error.get("message") or f"HTTP status {status}")
        super().__init__(self.message)
        self.status = status
        self.code = str(error.get("code") or "")
        """Stable and machine-readable, such as model_not_found."""
        self.param: str | None = error.get("param")
        """The parameter at fault."""
        self.request_id = headers.get("x-request-id", "")
        self.job_id: str | None = headers.get("x-job-id")
        self.headers = headers


class AuthenticationFailed(ApiError):
    """The key is unknown, expired or revoked."""


class NotAllowed(ApiError):
    """The key's profile does not allow it."""


class NotFound(ApiError):
    """There is no such thing in the key's project."""


class InvalidRequest(ApiError):
    """The request cannot be understood or honoured; `param` says what of it."""


class BudgetExceeded(ApiError):
    """A budget of the project or key has not enough left. Trying again does not help."""


class RateLimited(ApiError):
    """Too much at a time, also after the retries."""


class ServiceUnavailable(ApiError):
    """The service or its upstream failed, also after the retries."""


class JobFailed(ApiError):
    """The job began and did not come to its end; `job` has what came of it and what it cost."""

    def __init__(self, status: int, error: Mapping[str, Any], headers: Mapping[str, str], job: Any) -> None:
        super().__init__(status, error, headers)
        self.job = job
        self.job_id = getattr(job, "id", None) or self.job_id


_BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidRequest,
    401: AuthenticationFailed,
    403: NotAllowed,
    404: NotFound,
    413: InvalidRequest,
    422: InvalidRequest,
    429: RateLimited,
}


def error_of(status: int, body: Any, headers: Mapping[str, str]) -> ApiError:
    """The error of an answer that is none."""
    error = body.get("error") if isinstance(body, dict) else None
    said: Mapping[str, Any] = error if isinstance(error, dict) else {}
    if said.get("code") == "insufficient_quota":
        return BudgetExceeded(status, said, headers)
    kind = _BY_STATUS.get(status) or (ServiceUnavailable if status >= 500 else ApiError)
    return kind(status, said, headers)
