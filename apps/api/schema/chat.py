"""Chat completions, described."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers

from apps.api.openai.reasoning import EFFORTS
from apps.api.outcomes import RULES
from apps.api.schema.common import JOB_HEADER, JSON, REQUEST_ID, SSE, UNAUTHENTICATED, error, header


class ImageUrl(serializers.Serializer[Any]):
    """An image, inline."""

    url = serializers.CharField(
        help_text="data:image/png;base64,… (png, jpeg, gif, webp; 5 MB), or an https URL where the operator allows it."
    )
    detail = serializers.CharField(required=False, help_text="Ignored.")


class FilePart(serializers.Serializer[Any]):
    """A file, inline."""

    file_data = serializers.CharField(help_text="data:application/pdf;base64,… or data:text/…;base64,…")
    filename = serializers.CharField(required=False)


class ContentPart(serializers.Serializer[Any]):
    """Text; or an image or file, in messages of the user and of tools."""

    type = serializers.ChoiceField(["text", "image_url", "file"])
    text = serializers.CharField(required=False)
    image_url = ImageUrl(required=False)
    file = FilePart(required=False)


class ContentField(serializers.JSONField):
    """A string or a list of parts."""


class CalledFunction(serializers.Serializer[Any]):
    """The function and what it is called with."""

    name = serializers.CharField()
    arguments = serializers.CharField(help_text="JSON.")


class ToolCall(serializers.Serializer[Any]):
    """A call of one of the client's functions."""

    id = serializers.CharField()
    type = serializers.ChoiceField(["function"])
    function = CalledFunction()


class Message(serializers.Serializer[Any]):
    """One message. system and developer messages become the system prompt, joined by blank lines."""

    role = serializers.ChoiceField(["system", "developer", "user", "assistant", "tool"])
    content = ContentField(required=False, allow_null=True, help_text="A string, or a list of content parts.")
    tool_calls = ToolCall(many=True, required=False, allow_null=True, help_text="Of the assistant.")
    tool_call_id = serializers.CharField(required=False, help_text="Of a tool: the call that this is the result of.")
    is_error = serializers.BooleanField(required=False, help_text="Not OpenAI's. Of a tool: the call failed.")


class FunctionDefinition(serializers.Serializer[Any]):
    """A function of the client; it is never run here."""

    name = serializers.RegexField(r"^[a-zA-Z0-9_-]{1,64}$")
    description = serializers.CharField(required=False)
    parameters = serializers.DictField(required=False, help_text="JSON Schema of an object.")
    strict = serializers.BooleanField(
        required=False, allow_null=True, help_text="Arguments are held against the schema."
    )


class ToolDefinition(serializers.Serializer[Any]):
    """Something the model may ask for."""

    type = serializers.ChoiceField(["function"])
    function = FunctionDefinition()


class JsonSchema(serializers.Serializer[Any]):
    """What the answer has to satisfy."""

    name = serializers.RegexField(r"^[a-zA-Z0-9_-]{1,64}$")
    schema = serializers.DictField(help_text="JSON Schema of an object.")
    strict = serializers.BooleanField(required=False, allow_null=True, help_text="The same either way.")
    description = serializers.CharField(required=False)


class ResponseFormat(serializers.Serializer[Any]):
    """The form of the answer."""

    type = serializers.ChoiceField(["text", "json_object", "json_schema"])
    json_schema = JsonSchema(required=False)


class StreamOptions(serializers.Serializer[Any]):
    """Only with `stream`."""

    include_usage = serializers.BooleanField(required=False, help_text="One more chunk before the end, with the usage.")


class ChatRequestBody(serializers.Serializer[Any]):
    """OpenAI's request. A parameter that cannot be honoured is refused by name; those that OpenAI allows to ignore are
    listed in the header x-ignored-params."""

    model = serializers.CharField(
        required=False, help_text="An alias (haiku, sonnet, opus), a full id, or auto: see /v1/route."
    )
    messages = Message(many=True, help_text="Up to 2000; the first and the last turn are the user's.")
    stream = serializers.BooleanField(required=False, default=False)
    stream_options = StreamOptions(required=False, allow_null=True)
    max_completion_tokens = serializers.IntegerField(required=False, allow_null=True, min_value=1)
    max_tokens = serializers.IntegerField(required=False, allow_null=True, min_value=1)
    stop = serializers.JSONField(required=False, allow_null=True, help_text="A string, or up to 4 of them.")
    temperature = serializers.FloatField(
        required=False, allow_null=True, min_value=0, max_value=1, help_text="Newer models take only the default, 1."
    )
    top_p = serializers.FloatField(
        required=False, allow_null=True, min_value=0, max_value=1, help_text="Newer models take only the default, 1."
    )
    tools = ToolDefinition(many=True, required=False, allow_null=True)
    tool_choice = serializers.JSONField(
        required=False, allow_null=True, help_text="none, auto, required, or an object that names functions."
    )
    parallel_tool_calls = serializers.BooleanField(required=False, allow_null=True)
    response_format = ResponseFormat(required=False, allow_null=True)
    reasoning_effort = serializers.ChoiceField(EFFORTS, required=False, allow_null=True)
    include_reasoning = serializers.BooleanField(
        required=False, allow_null=True, help_text="Not OpenAI's. Tell the thinking, as reasoning_content."
    )
    session_id = serializers.CharField(
        required=False, allow_null=True, max_length=64, help_text="Not OpenAI's. `new`, or a session to go on with."
    )
    n = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=1)
    user = serializers.CharField(required=False, allow_null=True, max_length=512)
    metadata = serializers.DictField(child=serializers.CharField(max_length=512), required=False, allow_null=True)


class AnswerMessage(serializers.Serializer[Any]):
    """What Claude says."""

    role = serializers.ChoiceField(["assistant"])
    content = serializers.CharField(allow_null=True)
    tool_calls = ToolCall(many=True, required=False)
    reasoning_content = serializers.CharField(required=False)
    refusal = serializers.CharField(allow_null=True)
    annotations = serializers.ListField(child=serializers.JSONField())


FINISH_REASONS = ["stop", "length", "tool_calls", "content_filter"]


class Choice(serializers.Serializer[Any]):
    """The only choice."""

    index = serializers.IntegerField()
    message = AnswerMessage()
    logprobs = serializers.JSONField(allow_null=True)
    finish_reason = serializers.ChoiceField(FINISH_REASONS)


class PromptDetails(serializers.Serializer[Any]):
    """Of the prompt's tokens."""

    cached_tokens = serializers.IntegerField(help_text="Read from the prompt cache.")
    audio_tokens = serializers.IntegerField()


class CompletionDetails(serializers.Serializer[Any]):
    """Of the answer's tokens."""

    reasoning_tokens = serializers.IntegerField(help_text="Thinking, as far as the upstream tells it.")
    audio_tokens = serializers.IntegerField()


class Usage(serializers.Serializer[Any]):
    """Tokens in OpenAI's words."""

    prompt_tokens = serializers.IntegerField(help_text="All input, cached and freshly cached included.")
    completion_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()
    prompt_tokens_details = PromptDetails()
    completion_tokens_details = CompletionDetails()


class ClaudeDetails(serializers.Serializer[Any]):
    """What OpenAI has no field for."""

    job_id = serializers.CharField()
    model = serializers.CharField(help_text="Full id.")
    session_id = serializers.CharField(allow_null=True, help_text="The conversation it belongs to, if it is kept here.")
    routed_from = serializers.CharField(allow_null=True, help_text="auto, where the model was chosen here.")
    route = serializers.JSONField(allow_null=True, help_text="The choice and its reasons: see /v1/route.")
    cost_usd = serializers.FloatField()
    stop_reason = serializers.CharField(allow_null=True, help_text="Anthropic's word.")
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cache_read_input_tokens = serializers.IntegerField()
    cache_creation_input_tokens = serializers.IntegerField()
    overhead_tokens = serializers.IntegerField(help_text="Of the prompt, about: what the CLI and we added.")


class ChatCompletion(serializers.Serializer[Any]):
    """A whole answer."""

    id = serializers.CharField()
    object = serializers.CharField(help_text="Always chat.completion.")
    created = serializers.IntegerField(help_text="Unix seconds.")
    model = serializers.CharField()
    choices = Choice(many=True)
    usage = Usage()
    system_fingerprint = serializers.CharField(allow_null=True)
    service_tier = serializers.CharField(allow_null=True)
    x_claude = ClaudeDetails()


def job_errors() -> dict[int, OpenApiResponse]:
    """One response for each status that a failed job can have, naming its codes."""
    told: dict[int, list[str]] = {}
    for rule in sorted(RULES.values(), key=lambda rule: (rule.status, rule.code)):
        told.setdefault(rule.status, []).append(f"`{rule.code}`: {rule.meaning}")
    told.setdefault(400, []).append("A parameter is wrong or cannot be honoured; `param` names it.")
    told.setdefault(503, []).append("`credential_missing`: the operator has configured no credential.")
    return {status: error(" ".join(lines)) for status, lines in sorted(told.items())}


chat_schema = extend_schema(
    operation_id="create_chat_completion",
    summary="Create a chat completion",
    tags=["chat"],
    parameters=[REQUEST_ID, JOB_HEADER, header("x-ignored-params", "Parameters that had no effect, if any.")],
    request=ChatRequestBody,
    responses={
        (200, JSON): ChatCompletion,
        (200, SSE): OpenApiResponse(
            str,
            description="`stream`: OpenAI's chunks, then `data: [DONE]`. A failure midway is a chunk with its error.",
        ),
        403: error("The key's profile does not allow the model."),
        404: error("There is no such model."),
        413: error("The body is larger than 10 MB, or 32 MB with images."),
        415: error("The body is not application/json."),
        **UNAUTHENTICATED,
        **job_errors(),
    },
    examples=[
        OpenApiExample(
            "Ask",
            value={"model": "sonnet", "messages": [{"role": "user", "content": "What is a monad?"}]},
            request_only=True,
        )
    ],
)
