"""Client of the Claude Code API Service.

client = ClaudeClient("http://127.0.0.1:8006", api_key)
client.complete("What is the capital of France?", model="haiku").text
"""

from claude_code_client.aio import AsyncClaudeClient, AsyncStream
from claude_code_client.errors import (
    ApiError,
    AuthenticationFailed,
    BudgetExceeded,
    ClaudeError,
    ConnectionFailed,
    InvalidRequest,
    JobFailed,
    NotAllowed,
    NotFound,
    RateLimited,
    ServiceUnavailable,
    WaitedTooLong,
)
from claude_code_client.results import Batch, BatchItem, Completion, Event, Job, Tokens
from claude_code_client.sync import ClaudeClient, Stream
from claude_code_client.usage import Usage, UsageRow

__all__ = [
    "ApiError",
    "AsyncClaudeClient",
    "AsyncStream",
    "AuthenticationFailed",
    "Batch",
    "BatchItem",
    "BudgetExceeded",
    "ClaudeClient",
    "ClaudeError",
    "Completion",
    "ConnectionFailed",
    "Event",
    "InvalidRequest",
    "Job",
    "JobFailed",
    "NotAllowed",
    "NotFound",
    "RateLimited",
    "ServiceUnavailable",
    "Stream",
    "Tokens",
    "Usage",
    "UsageRow",
    "WaitedTooLong",
]
