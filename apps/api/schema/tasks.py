"""Tasks and what belongs to them, described."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from apps.api.schema.chat import job_errors
from apps.api.schema.common import JOB_HEADER, JOB_ID, JSON, NOT_FOUND, REQUEST_ID, SSE, UNAUTHENTICATED, error
from apps.api.schema.jobs import JobObject
from apps.jobs.approvals import DECISIONS


class TaskFile(serializers.Serializer[Any]):
    """A file that the task finds in its workspace."""

    name = serializers.CharField(help_text="A relative path such as src/main.py.")
    content = serializers.CharField(required=False, help_text="Text.")
    content_base64 = serializers.CharField(required=False, help_text="Anything, instead of content.")


class TaskBody(serializers.Serializer[Any]):
    """What is to be done, with what, and how far it may go. An explicit wish beyond the key's profile is a 403."""

    description = serializers.CharField(help_text="What is to be done. Or `prompt`, or `messages` as in a chat.")
    system = serializers.CharField(required=False, help_text="Put before what the CLI tells the model anyway.")
    model = serializers.CharField(required=False, help_text="Alias or full id.")
    allow_tools = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text="Left out: Read, Glob and Grep, as far as the profile allows them. Empty: none.",
    )
    allow_agents = serializers.ListField(child=serializers.CharField(), required=False, help_text="Left out: none.")
    allow_skills = serializers.ListField(child=serializers.CharField(), required=False, help_text="Left out: none.")
    timeout = serializers.FloatField(required=False, help_text="Seconds. Left out: what the profile allows.")
    max_cost = serializers.FloatField(required=False, help_text="US dollars. Left out: what the profile allows.")
    max_turns = serializers.IntegerField(required=False, help_text="Left out: what the profile allows.")
    session_id = serializers.CharField(required=False, help_text="Continue that session. Left out: a new one.")
    output_schema = serializers.DictField(required=False, help_text="JSON Schema of an object.")
    files = TaskFile(many=True, required=False)
    webhook_url = serializers.CharField(required=False, help_text="https; told of the end, signed.")
    stream = serializers.BooleanField(required=False, help_text="Answer with server-sent events.")
    user = serializers.CharField(required=False)
    metadata = serializers.DictField(child=serializers.CharField(), required=False)


class Approval(serializers.Serializer[Any]):
    """A tool call that waits, or waited, for somebody's yes."""

    object = serializers.CharField(help_text="Always approval.")
    job_id = serializers.CharField()
    tool_use_id = serializers.CharField()
    name = serializers.CharField(help_text="The tool.")
    input = serializers.JSONField(help_text="Exactly what would run.")
    asked_at = serializers.FloatField(help_text="Unix seconds.")
    expires_at = serializers.FloatField(help_text="Unix seconds; then it is denied.")
    decision = serializers.ChoiceField(DECISIONS, allow_null=True)
    decided_by = serializers.CharField(allow_null=True)
    decided_at = serializers.FloatField(allow_null=True)


class ApprovalList(serializers.Serializer[Any]):
    """All of a job's."""

    object = serializers.CharField(help_text="Always list.")
    data = Approval(many=True)  # type: ignore[assignment]  # a field, not the base's property


class DecisionBody(serializers.Serializer[Any]):
    """What becomes of a call."""

    decision = serializers.ChoiceField(DECISIONS, help_text="once; job: this tool for the rest of the job; deny.")


class ArtifactObject(serializers.Serializer[Any]):
    """A file that a task left."""

    name = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes.")
    media_type = serializers.CharField()
    sha256 = serializers.CharField()
    url = serializers.CharField()


class ArtifactList(serializers.Serializer[Any]):
    """All of a job's."""

    object = serializers.CharField(help_text="Always list.")
    data = ArtifactObject(many=True)  # type: ignore[assignment]  # a field, not the base's property


class Invocation(serializers.Serializer[Any]):
    """How a task gets it."""

    parameter = serializers.CharField()
    value = serializers.CharField()
    how = serializers.CharField()


class CapabilityObject(serializers.Serializer[Any]):
    """A tool, an agent or a skill."""

    name = serializers.CharField()
    needs_approval = serializers.BooleanField(help_text="Whether its calls wait for somebody's yes.")
    invocation = Invocation()
    description = serializers.CharField(required=False)
    source = serializers.CharField(required=False)  # type: ignore[assignment]  # a field, not the base's argument
    tools = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        allow_null=True,
        help_text="What an agent wants; it gets of it what its task has.",
    )


class CapabilityList(serializers.Serializer[Any]):
    """What this key may use."""

    object = serializers.CharField(help_text="Always capabilities.")
    profile = serializers.CharField()
    tools = CapabilityObject(many=True)
    agents = CapabilityObject(many=True)
    skills = CapabilityObject(many=True)
    models = serializers.ListField(child=serializers.DictField())
    limits = serializers.DictField(help_text="max_cost in US dollars, timeout in seconds, max_turns, max_concurrency.")
    invocation = serializers.CharField()


class WebhookSecretObject(serializers.Serializer[Any]):
    """What signs webhooks."""

    object = serializers.CharField(help_text="Always webhook_secret.")
    secret = serializers.CharField(help_text="whsec_ and base 64.")


class DeliveryObject(serializers.Serializer[Any]):
    """A webhook on its way."""

    object = serializers.CharField(help_text="Always delivery.")
    job_id = serializers.CharField()
    url = serializers.CharField()
    status = serializers.CharField()


task_schema = extend_schema(
    operation_id="create_task",
    summary="Run a task with tools, agents and skills",
    tags=["tasks"],
    parameters=[
        OpenApiParameter("Prefer", str, OpenApiParameter.HEADER, description="`respond-async`: do not wait."),
        REQUEST_ID,
        JOB_HEADER,
    ],
    request=TaskBody,
    responses={
        (200, JSON): JobObject,
        (200, SSE): OpenApiResponse(
            str, description="`stream`: first `queued` with the job's id, then its events as in `/v1/jobs/{id}/events`."
        ),
        202: OpenApiResponse(JobObject, description="`Prefer: respond-async`: the job, queued; `Location` is its URL."),
        **UNAUTHENTICATED,
        **job_errors(),
        403: error("The key's profile does not allow something that is asked for; the message has every reason."),
        404: error("There is no such model or session."),
        409: error("`session_busy`: a job of the session has not ended. `cancelled`: the job was cancelled."),
        413: error("The body is larger than 10 MB."),
        415: error("The body is not application/json."),
        422: error("`unknown_name`: a tool, agent or skill does not exist; the message lists those the key may use."),
    },
    examples=[
        OpenApiExample(
            "Look around",
            value={
                "description": "List all Python files and say what each is for.",
                "allow_tools": ["Glob", "Read"],
                "files": [{"name": "app.py", "content": "print('hello')"}],
                "timeout": 120,
                "max_cost": 0.25,
            },
            request_only=True,
        )
    ],
)
artifacts_schema = extend_schema(
    operation_id="list_artifacts",
    summary="List the files that a task left",
    tags=["tasks"],
    parameters=[JOB_ID, REQUEST_ID, JOB_HEADER],
    responses={200: ArtifactList, **UNAUTHENTICATED, **NOT_FOUND},
)
artifact_schema = extend_schema(
    operation_id="get_artifact",
    summary="Download a file that a task left",
    tags=["tasks"],
    parameters=[
        JOB_ID,
        OpenApiParameter("name", str, OpenApiParameter.PATH, description="Its relative path."),
        REQUEST_ID,
        JOB_HEADER,
    ],
    responses={
        (200, "application/octet-stream"): OpenApiResponse(bytes, description="The file, as an attachment."),
        **UNAUTHENTICATED,
        **NOT_FOUND,
        410: error("The job left it, but it is not kept any more."),
    },
)
approvals_schema = extend_schema(
    operation_id="list_approvals",
    summary="List the calls that wait for an approval",
    tags=["tasks"],
    parameters=[JOB_ID, REQUEST_ID, JOB_HEADER],
    responses={200: ApprovalList, **UNAUTHENTICATED, **NOT_FOUND},
)
waiting_schema = extend_schema(
    operation_id="list_waiting_approvals",
    summary="List the calls that wait in the whole project",
    tags=["tasks"],
    parameters=[REQUEST_ID],
    responses={200: ApprovalList, **UNAUTHENTICATED},
)
decide_schema = extend_schema(
    operation_id="decide_approval",
    summary="Approve or deny a tool call",
    tags=["tasks"],
    parameters=[
        JOB_ID,
        OpenApiParameter("call_id", str, OpenApiParameter.PATH, description="The call's tool_use_id."),
        REQUEST_ID,
        JOB_HEADER,
    ],
    request=DecisionBody,
    responses={
        200: Approval,
        **UNAUTHENTICATED,
        **NOT_FOUND,
        400: error("The decision is none."),
        403: error("This key may not decide (APPROVAL_BY)."),
        409: error("It does not wait any more; the message says what was decided."),
    },
)
redeliver_schema = extend_schema(
    operation_id="redeliver_webhook",
    summary="Send a completion webhook again",
    tags=["tasks"],
    parameters=[JOB_ID, REQUEST_ID, JOB_HEADER],
    request=None,
    responses={202: DeliveryObject, **UNAUTHENTICATED, **NOT_FOUND, 409: error("There is nothing to deliver.")},
)
secret_schema = extend_schema(
    operation_id="get_webhook_secret",
    summary="The secret that signs webhooks",
    tags=["tasks"],
    parameters=[REQUEST_ID],
    responses={200: WebhookSecretObject, **UNAUTHENTICATED},
)
capabilities_schema = extend_schema(
    operation_id="list_capabilities",
    summary="List tools, agents, skills and models",
    tags=["tasks"],
    parameters=[REQUEST_ID],
    responses={200: CapabilityList, **UNAUTHENTICATED},
)
