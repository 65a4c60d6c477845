"""A problem in Anthropic's shape. Pure."""

from typing import Any

from apps.api.problems import Problem

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def type_of(status: int) -> str:
    """Anthropic's class of an error with this HTTP status."""
    return _TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")


def body_of(problem: Problem, request_id: str) -> dict[str, Any]:
    """The JSON body. `code` and `param` are ours: what is at fault, for machines."""
    said = {"type": type_of(problem.status), "message": problem.message, "code": problem.code, "param": problem.param}
    return {"type": "error", "error": said, "request_id": request_id}
