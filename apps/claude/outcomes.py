"""How a chat run ended, read from its tab and the CLI's last words. Pure."""

from dataclasses import replace
from typing import Any

from apps.claude.answer import Answer
from apps.claude.protocol import AnswerStop, Result
from apps.claude.spec import Outcome
from apps.claude.tab import Failure, Tab

CANCELLED = "cancelled"
TIMEOUT = "timeout"
COST_LIMIT = "cost_limit"
CLI_ERROR = "cli_error"
UPSTREAM_ERROR = "upstream_error"
RATE_LIMITED = "rate_limited"
OVERLOADED = "overloaded"
INVALID_REQUEST = "invalid_request"
INVALID_OUTPUT = "invalid_output"

_CODES = {402: COST_LIMIT, 429: RATE_LIMITED, 529: OVERLOADED}
_CREDENTIAL_REFUSED = "The upstream refused the service's credential; its operator has to check it."


def ended(tab: Tab, stop: AnswerStop | Result, result: Result | None, answer: Answer, before_usd: float) -> Outcome:
    """The outcome of a turn that the model or the CLI called over.

    stop: how the answer ended, or the CLI's result where there was no answer; result: the CLI's own account.
    """
    if tab.mismatch is not None:
        return cli_failed(f"the CLI's request was not this run's: {tab.mismatch}", tab, answer)
    if tab.failure is not None:
        return _refused(tab.failure, tab, answer)
    if isinstance(stop, Result):
        return cli_failed(stop.text or "the CLI ended without an answer", tab, answer)
    short = stop.stop_reason == "max_tokens" and tab.short_of_money
    cap_usd = tab.spec.cap_microusd / 1_000_000
    return Outcome(
        status="failed" if short else "completed",
        error_code=COST_LIMIT if short else None,
        error_message=f"The answer was stopped: this job may not spend more than ${cap_usd:.2f}." if short else None,
        **_said(answer),
        stop_reason=stop.stop_reason,
        stop_sequence=stop.stop_sequence,
        calls=tab.calls(),
        cli_cost_microusd=round((result.total_cost_usd - before_usd) * 1_000_000) if result else None,
        upstream_status=402 if short else None,
        thinking_tokens=sum(meter.thinking_tokens for meter in tab.meters),
        overhead_tokens=tab.overhead_tokens,
    )


def kept(outcome: Outcome, value: object, text: str | None) -> Outcome:
    """The outcome of an answer that is what was asked for; `text` is its JSON where it was asked for JSON."""
    return replace(outcome, structured_output=value, text=outcome.text if text is None else text)


def again(first: Outcome, second: Outcome) -> Outcome:
    """The outcome of a run that was asked twice; the calls of the first answer are in the second's tab."""
    reckoned = (first.cli_cost_microusd, second.cli_cost_microusd)
    total = None if None in reckoned else sum(filter(None, reckoned))
    thought = first.thinking_tokens + second.thinking_tokens
    overhead = first.overhead_tokens + second.overhead_tokens
    return replace(second, num_turns=2, cli_cost_microusd=total, thinking_tokens=thought, overhead_tokens=overhead)


def broken(outcome: Outcome, reason: str) -> Outcome:
    """The outcome of an answer that is not."""
    message = f"The model did not answer as it was asked to: {reason}."
    return replace(outcome, status="failed", error_code=INVALID_OUTPUT, error_message=message)


def stopped(code: str | None, tab: Tab, answer: Answer) -> Outcome:
    """The outcome of a run that we ended: cancelled, or out of time."""
    if code == TIMEOUT:
        message = "The job ran out of time: no answer, or no further output, within its limits."
        return Outcome("failed", TIMEOUT, message, calls=tab.calls(), **_said(answer))
    return Outcome("cancelled", CANCELLED, "The job was cancelled.", calls=tab.calls(), **_said(answer))


def cli_failed(reason: str, tab: Tab, answer: Answer) -> Outcome:
    """The outcome of a run whose CLI failed or was not to be trusted."""
    return Outcome("failed", CLI_ERROR, f"The CLI failed: {reason[:1000]}", calls=tab.calls(), **_said(answer))


def refusal(failure: Failure) -> tuple[str, str]:
    """The error code of a refused call, and what its caller is told."""
    status = failure.status
    code = _CODES.get(status) or (UPSTREAM_ERROR if status in (401, 403) or status >= 500 else INVALID_REQUEST)
    return code, _CREDENTIAL_REFUSED if status in (401, 403) else failure.message


def _refused(failure: Failure, tab: Tab, answer: Answer) -> Outcome:
    code, message = refusal(failure)
    return Outcome(
        "failed",
        code,
        message,
        calls=tab.calls(),
        upstream_status=failure.status,
        retry_after_seconds=failure.retry_after_seconds,
        **_said(answer),
    )


def _said(answer: Answer) -> dict[str, Any]:
    return {"text": answer.text, "content": answer.content(), "tools_used": answer.tools_used()}
