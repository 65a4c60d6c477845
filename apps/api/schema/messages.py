"""Anthropic's messages, described."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers

from apps.api.schema.chat import ClaudeDetails, ContentField
from apps.api.schema.common import JOB_HEADER, JSON, REQUEST_ID, SSE, header


class AnthropicErrorFields(serializers.Serializer[Any]):
    """Anthropic's two fields, and ours."""

    type = serializers.CharField(help_text="Such as invalid_request_error.")
    message = serializers.CharField()
    code = serializers.CharField(help_text="Stable and machine-readable, such as model_not_found.")
    param = serializers.CharField(allow_null=True, help_text="The parameter at fault.")


class AnthropicErrorBody(serializers.Serializer[Any]):
    """Every 4xx and 5xx of this endpoint."""

    type = serializers.ChoiceField(["error"])
    error = AnthropicErrorFields()
    request_id = serializers.CharField()


class AnthropicTurn(serializers.Serializer[Any]):
    """One message: text, or content blocks (text, image, document, tool_use, tool_result, thinking)."""

    role = serializers.CharField(help_text="user or assistant.")
    content = ContentField(help_text="A string, or a list of content blocks.")


class CountBody(serializers.Serializer[Any]):
    """What is counted."""

    model = serializers.CharField(help_text="An alias (haiku, sonnet, opus) or a full id.")
    messages = AnthropicTurn(many=True)
    system = ContentField(required=False, allow_null=True, help_text="A string, or a list of text blocks.")
    tools = serializers.ListField(child=serializers.JSONField(), required=False, help_text="Custom tools only.")
    tool_choice = serializers.JSONField(required=False, allow_null=True)
    thinking = serializers.JSONField(required=False, allow_null=True)


class MessagesBody(CountBody):
    """Anthropic's request. What cannot be honoured is refused by name."""

    max_tokens = serializers.IntegerField(min_value=1)
    session_id = serializers.CharField(
        required=False, allow_null=True, max_length=64, help_text="Not Anthropic's. `new`, or a session to go on with."
    )
    stream = serializers.BooleanField(required=False, default=False)
    stop_sequences = serializers.ListField(child=serializers.CharField(), required=False, max_length=32)
    temperature = serializers.FloatField(required=False, min_value=0, max_value=1, allow_null=True)
    top_p = serializers.FloatField(required=False, min_value=0, max_value=1, allow_null=True)
    output_config = serializers.JSONField(required=False, allow_null=True, help_text="effort, and format: json_schema.")
    metadata = serializers.JSONField(required=False, allow_null=True, help_text="user_id.")


class AnthropicUsage(serializers.Serializer[Any]):
    """Tokens by kind."""

    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cache_creation_input_tokens = serializers.IntegerField()
    cache_read_input_tokens = serializers.IntegerField()


class AnthropicMessage(serializers.Serializer[Any]):
    """A whole answer."""

    id = serializers.CharField()
    type = serializers.ChoiceField(["message"])
    role = serializers.CharField(help_text="Always assistant.")
    model = serializers.CharField()
    content = serializers.ListField(child=serializers.JSONField())
    stop_reason = serializers.CharField(allow_null=True)
    stop_sequence = serializers.CharField(allow_null=True)
    usage = AnthropicUsage()
    x_claude = ClaudeDetails()


class Counted(serializers.Serializer[Any]):
    """The count."""

    input_tokens = serializers.IntegerField()


_MEANINGS = {
    400: "A parameter is wrong or cannot be honoured; `param` names it.",
    401: "No key, or one that is unknown, expired or revoked.",
    402: "The answer would have cost more than a job may.",
    403: "The key's profile does not allow the model.",
    404: "There is no such model.",
    409: "The job was cancelled.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    429: "A rate limit or a budget; `code` tells which.",
    500: "Something went wrong here.",
    502: "The upstream or the CLI failed.",
    503: "No credential, no worker, or the upstream refuses the service's credential.",
    504: "The job ran out of time.",
    529: "The upstream is overloaded.",
}
ERRORS = {status: OpenApiResponse(AnthropicErrorBody, description=meaning) for status, meaning in _MEANINGS.items()}

messages_schema = extend_schema(
    operation_id="create_message",
    summary="Create a message (Anthropic)",
    tags=["anthropic"],
    parameters=[REQUEST_ID, JOB_HEADER, header("x-ignored-params", "Parameters that had no effect, if any.")],
    request=MessagesBody,
    responses={
        (200, JSON): AnthropicMessage,
        (200, SSE): OpenApiResponse(
            str,
            description="`stream`: message_start, content_block_start/delta/stop …, message_delta, message_stop; "
            "ping in silences; a failure midway is an error event, and nothing after it. The prompt's tokens are "
            "in message_delta.",
        ),
        **ERRORS,
    },
    examples=[
        OpenApiExample(
            "Ask",
            value={
                "model": "sonnet",
                "max_tokens": 1024,
                "messages": [{"role": "user", "content": "What is a monad?"}],
            },
            request_only=True,
        )
    ],
)
count_schema = extend_schema(
    operation_id="count_message_tokens",
    summary="Count the tokens of a message (Anthropic)",
    tags=["anthropic"],
    parameters=[REQUEST_ID],
    request=CountBody,
    responses={200: Counted, **ERRORS},
)
