"""What went wrong, as a value: one shape for REST, SSE and WebSocket. Pure."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

OWN_STATUSES = {529: "Overloaded"}
LONGEST = 500
"""Characters of a message or parameter name: both may repeat what the client sent."""
_TYPES = {401: "authentication_error", 402: "billing_error", 403: "permission_error", 429: "rate_limit_error"}
_CODES = {
    400: "invalid_request",
    401: "invalid_api_key",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "request_too_large",
    415: "unsupported_media_type",
    429: "rate_limit_exceeded",
    500: "internal_error",
    503: "unavailable",
    529: "overloaded",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as clients see it: HTTP status, OpenAI's four fields, and headers that belong to it."""

    status: int
    message: str
    code: str
    param: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """OpenAI's coarse class of the error."""
        if self.code == "insufficient_quota":
            return self.code  # OpenAI tells a spent budget from a passing rate limit by this
        return _TYPES.get(self.status) or ("server_error" if self.status >= 500 else "invalid_request_error")

    def body(self) -> dict[str, Any]:
        """The JSON body; all four fields are always there."""
        fields = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"error": fields}


class ApiError(Exception):
    """Raised where a request cannot be served; carries the Problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def invalid(message: str, *, param: str | None = None, code: str = "invalid_request") -> ApiError:
    """A 400: the request says something that cannot be understood or honoured."""
    return ApiError(Problem(400, message[:LONGEST], code, param and param[:LONGEST]))


def of_status(status: int, message: str = "") -> Problem:
    """The plain problem of an HTTP status, for what frameworks raise."""
    return Problem(status, message or phrase(status), _CODES.get(status, "error"))


def phrase(status: int) -> str:
    """The name of a status, also of those that no RFC knows."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return OWN_STATUSES.get(status, "Error")
