"""What holds for every POST, added to the finished description: so an endpoint cannot forget it."""

from typing import Any

from apps.api.replays import HEADER, LONGEST
from apps.keys import expiry

_ONCE = {
    "in": "header",
    "name": HEADER,
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST},
    "description": "A text of your choice for this request, such as a UUID. The same request under it within 24 hours "
    "is done once: its repetition is answered as before (header idempotent-replayed), or follows the job that still "
    "runs. Another request under it is refused with 422.",
}
_BAD_KEY = "The Idempotency-Key is not 1 to 255 visible ASCII characters."
_REUSED = "The Idempotency-Key was sent with another request before."
_LIMITED = "A rate limit of the key (see Retry-After), or invalid keys were sent from this address too often."
_LIMITS = {
    f"x-ratelimit-{what}-{of}": {"schema": {"type": "string"}, "description": text}
    for of in ("requests", "tokens")
    for what, text in (
        ("limit", f"The key's {of} per minute, if they are limited."),
        ("remaining", f"How many of its {of} are left."),
        ("reset", "When all of them are there again, such as 1m0s."),
    )
}
_ENDS = {
    expiry.HEADER: {
        "schema": {"type": "string", "format": "date-time"},
        "description": f"When the key ends, if that is within {expiry.SOON.days} days. Every answer to the key has it.",
    }
}


def describe(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """drf-spectacular's hook for the finished document."""
    for path, operations in result["paths"].items():
        if path.startswith("/v1/") and (operation := operations.get("post")):
            _describe_post(operation, "AnthropicErrorBody" if path.startswith("/v1/messages") else "ErrorBody")
    return result


def _describe_post(operation: dict[str, Any], error_body: str) -> None:
    operation.setdefault("parameters", []).append(_ONCE)
    responses = operation["responses"]
    shape = {"application/json": {"schema": {"$ref": f"#/components/schemas/{error_body}"}}}
    told = {"400": _BAD_KEY, "422": _REUSED, "429": _LIMITED}
    if "requestBody" in operation:
        told |= {"413": "The body is too large.", "415": "The body is not application/json."}
    for status, text in told.items():
        known = responses.setdefault(status, {"content": shape, "description": ""})
        if text not in known["description"]:
            known["description"] = f"{known['description']} {text}".strip()
    operation["responses"] = dict(sorted(responses.items()))
    for answer in responses.values():
        if "x-job-id" in answer.get("headers", {}):
            answer["headers"] |= _LIMITS | _ENDS
