"""How a task ended, from its tab, its steps and the CLI's last words. Pure."""

from apps.claude import outcomes
from apps.claude.spec import Outcome
from apps.claude.tab import Failure
from apps.claude.tasks.frames import TaskResult
from apps.claude.tasks.steps import StepLog
from apps.claude.tasks.tab import TaskTab

MAX_TURNS = "max_turns"
RESOURCE_LIMIT = "resource_limit"
REFUSED = "The egress refused the call"
_TOO_LONG = "Prompt is too long"
JAIL_UNAVAILABLE = "jail_unavailable"
CLI_UNFIT = "cli_unfit"


def ended(tab: TaskTab, log: StepLog, result: TaskResult) -> Outcome:
    """The outcome of a task that its CLI called over."""
    if result.subtype == "error_max_turns":
        return _outcome(tab, log, "completed", result=result, stop_reason=MAX_TURNS, text=result.text)
    if result.is_error or result.subtype != "success":
        return _went_wrong(tab, log, result)
    return _outcome(tab, log, "completed", result=result, stop_reason=result.stop_reason, text=result.text)


def failed(tab: TaskTab, log: StepLog, code: str, message: str, text: str) -> Outcome:
    """The outcome of a task that we ended, or whose CLI failed."""
    status = "cancelled" if code == outcomes.CANCELLED else "failed"
    return _outcome(tab, log, status, code=code, message=message, text=text)


def _went_wrong(tab: TaskTab, log: StepLog, result: TaskResult) -> Outcome:
    failure = tab.failure
    if failure is not None and result.api_error_status in (None, failure.status):
        code, message = outcomes.refusal(failure)
        if failure.message.startswith(REFUSED):
            code, message = outcomes.CLI_ERROR, failure.message
        return _outcome(tab, log, "failed", code=code, message=message, result=result, failure=failure)
    said = "; ".join(result.errors) or result.text or result.subtype
    if said.startswith(_TOO_LONG):
        message = "The prompt is longer than the model can read."
        return _outcome(tab, log, "failed", code=outcomes.INVALID_REQUEST, message=message, result=result)
    return _outcome(
        tab, log, "failed", code=outcomes.CLI_ERROR, message=f"The CLI failed: {said[:1000]}", result=result
    )


def _outcome(
    tab: TaskTab,
    log: StepLog,
    status: str,
    *,
    code: str | None = None,
    message: str | None = None,
    text: str = "",
    stop_reason: str | None = None,
    result: TaskResult | None = None,
    failure: Failure | None = None,
) -> Outcome:
    calls = tab.calls()
    billed = [(meter.message_id, call) for meter, call in zip(tab.meters, calls, strict=True)]
    searches = [(meter.searches, call.cost_microusd) for meter, call in zip(tab.meters, calls, strict=True)]
    return Outcome(
        status=status,  # type: ignore[arg-type]
        error_code=code,
        error_message=message,
        text=text,
        stop_reason=stop_reason,
        calls=calls,
        cli_cost_microusd=round(result.total_cost_usd * 1_000_000) if result else None,
        upstream_status=failure.status if failure else None,
        retry_after_seconds=failure.retry_after_seconds if failure else None,
        structured_output=result.structured_output if result else None,
        num_turns=result.num_turns if result else log.turns,
        tools_used=log.tools_used(),
        denials=tuple(log.denials),
        attribution=_with_searches(log.attribution(billed), sum(cost for number, cost in searches if number)),
        web_search_requests=sum(number for number, _ in searches),
    )


def _with_searches(attribution: dict[str, int], microusd: int) -> dict[str, int]:
    """The upstream searches in calls of their own, which the CLI does not name as the tool's."""
    searching = attribution.get("tool:WebSearch", 0) + microusd
    return attribution | ({"tool:WebSearch": searching} if microusd else {})
