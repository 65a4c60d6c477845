"""Explanations, described."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers

from apps.api.schema.common import REQUEST_ID, UNAUTHENTICATED, error


class ExplainedReason(serializers.Serializer[Any]):
    """One thing that the profile refuses."""

    code = serializers.ChoiceField(["denied", "not_allowed", "over_limit", "bad_name"])
    ref = serializers.CharField(help_text="What was asked for, such as tool:Bash, or a limit's name.")
    rule = serializers.CharField(allow_null=True, help_text="The rule that decides; null: none allows it.")
    message = serializers.CharField()


class ExplainedThing(serializers.Serializer[Any]):
    """One thing that is asked for."""

    ref = serializers.CharField()
    verdict = serializers.ChoiceField(["Allowed", "Asks first", "Refused"])
    rule = serializers.CharField(allow_null=True)
    note = serializers.CharField(allow_null=True)


class ExplainedGrant(serializers.Serializer[Any]):
    """What the job would run with."""

    tools = serializers.ListField(child=serializers.CharField())
    agents = serializers.ListField(child=serializers.CharField())
    skills = serializers.ListField(child=serializers.CharField())
    tools_that_wait_for_approval = serializers.ListField(child=serializers.CharField())
    max_cost_usd = serializers.FloatField()
    max_seconds = serializers.FloatField()
    max_turns = serializers.IntegerField()


class ExplainedPermission(serializers.Serializer[Any]):
    """What the key's profile says."""

    allowed = serializers.BooleanField()
    profile = serializers.CharField()
    profile_version = serializers.IntegerField()
    reasons = ExplainedReason(many=True)
    things = ExplainedThing(many=True)
    grant = ExplainedGrant(allow_null=True)


class ExplainedCost(serializers.Serializer[Any]):
    """What it would cost."""

    estimated_usd = serializers.FloatField(
        allow_null=True, help_text="One call of its size with a usual answer; null: the model has no price here."
    )
    at_most_usd = serializers.FloatField(help_text="What it would hold in every budget and can never pass.")
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()


class ExplainedCount(serializers.Serializer[Any]):
    """One measure of a budget."""

    limit = serializers.FloatField()
    spent = serializers.FloatField()
    reserved = serializers.FloatField(help_text="Held for jobs that have not ended.")
    remaining = serializers.FloatField()


class ExplainedBudget(serializers.Serializer[Any]):
    """A budget that the request must fit into."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    scope = serializers.ChoiceField(["project", "key"])
    period = serializers.CharField()
    fits = serializers.BooleanField()
    usd = ExplainedCount(allow_null=True)
    tokens = ExplainedCount(allow_null=True)
    starts_at = serializers.FloatField(help_text="Unix seconds.")
    resets_at = serializers.FloatField(allow_null=True, help_text="Unix seconds; null: not by itself.")


class ExplainedMeter(serializers.Serializer[Any]):
    """One rate limit."""

    limit = serializers.IntegerField()
    remaining = serializers.IntegerField()
    reset_seconds = serializers.FloatField()


class ExplainedRates(serializers.Serializer[Any]):
    """Where the key's rate limits stand; null where there is no limit."""

    allowed = serializers.BooleanField()
    limited_by = serializers.ChoiceField(["requests", "tokens", "concurrent_jobs"], allow_null=True)
    requests_per_minute = ExplainedMeter(allow_null=True)
    tokens_per_minute = ExplainedMeter(allow_null=True)
    concurrent_jobs = ExplainedMeter(allow_null=True)


class ExplanationBody(serializers.Serializer[Any]):
    """All that decides about a request."""

    object = serializers.ChoiceField(["explanation"])
    allowed = serializers.BooleanField(help_text="Whether it would be taken now.")
    objections = serializers.ListField(child=serializers.CharField(), help_text="Everything in the way, in words.")
    kind = serializers.CharField()
    model = serializers.CharField(help_text="The full id of the model that would answer.")
    requested_model = serializers.CharField()
    route = serializers.JSONField(allow_null=True, help_text="Why that model, for auto: see /v1/route.")
    permission = ExplainedPermission()
    cost = ExplainedCost()
    budgets = ExplainedBudget(many=True)
    rate_limits = ExplainedRates()


explain_schema = extend_schema(
    operation_id="explain_request",
    summary="Explain what would become of a request",
    description="Takes any body of a chat or a task. Nothing is done, held or counted.",
    tags=["governance"],
    parameters=[REQUEST_ID],
    request={"application/json": {"type": "object", "additionalProperties": True}},
    responses={
        200: ExplanationBody,
        400: error("The body could not be honoured by any endpoint; `param` names what is wrong."),
        404: error("There is no such model."),
        **UNAUTHENTICATED,
    },
    examples=[
        OpenApiExample(
            "A chat",
            value={"model": "opus", "messages": [{"role": "user", "content": "What is a monad?"}]},
            request_only=True,
        )
    ],
)
