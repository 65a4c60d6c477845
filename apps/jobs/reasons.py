"""Why jobs end without an answer, in words for whoever has to do something about it. Pure."""

REASONS = {
    "timeout": "It ran longer than allowed, or said nothing for too long. The limits are JOB_TIMEOUT_SECONDS, "
    "JOB_IDLE_SECONDS and the seconds of the key's profile.",
    "cost_limit": "Going on would have cost more than its cap: the least of JOB_MAX_COST_USD, its profile and what "
    "its budgets had left.",
    "resource_limit": "It took more memory, processes, files or time of the machine than a task may.",
    "jail_unavailable": "Its worker cannot contain a task: `bin/manage doctor` on that node says what is missing.",
    "cli_unfit": "The Claude Code CLI had a tool, agent, skill, plugin, server or command more than was granted, or "
    "another version. Nothing was sent. `bin/manage doctor` on that node tells its version.",
    "max_turns": "It took as many turns as its profile or its request allows.",
    "invalid_request": "The model's provider refused the request; its own words are below.",
    "invalid_output": "The answer was not what its schema or tools ask for, the second time too.",
    "rate_limited": "The model's provider refused it for its own rate limit. Whether and when to try again is below.",
    "overloaded": "The model's provider was overloaded. Nothing is wrong here; send it again later.",
    "upstream_error": "The model's provider failed or refused. With 401 or 403 it is this service's credential.",
    "cli_error": "The Claude Code CLI ended in mid-answer. `bin/manage doctor` tries what it stands on.",
    "internal_error": "A defect of this service. The log of its worker has the traceback under the job's id.",
    "worker_lost": "Its worker process or machine died. What was metered until then is billed; send it again.",
    "expired": "No worker was free before its time was over. More WORKERS, or more nodes, shorten the queue.",
    "cancelled": "Its client cancelled it, or an operator, or whoever revoked its key. The record below says who.",
}
UNKNOWN = "It failed for a reason that has no name yet; the log of its worker has more."


def explain(error_code: str) -> str:
    """What an error code means and what to do; empty for none."""
    return REASONS.get(error_code, UNKNOWN) if error_code else ""
