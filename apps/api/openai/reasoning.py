"""OpenAI's `reasoning_effort` as the effort or the thinking of a model. Pure."""

from typing import Any

from apps.api.openai import fields
from apps.api.openai.fields import Body
from apps.claude.catalog import ModelInfo

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
_NEAREST = {"minimal": ("low",), "xhigh": ("xhigh", "high")}


def effort(body: Body, model: ModelInfo) -> str | None:
    """The model's effort, None for its own or for no thinking at all. Raises ApiError."""
    value = _asked(body, model)
    if value in (None, "none"):
        return None
    wanted = _NEAREST.get(str(value), (str(value),))
    return next((name for name in wanted if name in model.efforts), wanted[-1])


def thinking(body: Body, model: ModelInfo) -> dict[str, Any] | None:
    """The thinking that is asked for, as the Messages API has it; None leaves it to the CLI. Raises ApiError."""
    shown = fields.flag(body, "include_reasoning")
    if _asked(body, model) == "none":
        return {"type": "disabled"}
    return {"type": "adaptive", "display": "summarized"} if shown else None


def _asked(body: Body, model: ModelInfo) -> str | None:
    value = body.get("reasoning_effort")
    if value is None:
        return None
    if value not in EFFORTS:
        raise fields.wrong_value("reasoning_effort", f"'reasoning_effort' is one of {', '.join(EFFORTS)}.")
    if value == "none" and model.always_thinks:
        message = f"{model.id} always thinks; ask for the effort 'minimal', or for a model that need not."
        raise fields.unsupported("reasoning_effort", message)
    return str(value)
