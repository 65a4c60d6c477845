"""The router, described."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers

from apps.api.schema.chat import Message
from apps.api.schema.common import REQUEST_ID, UNAUTHENTICATED, error


class RouteRequestBody(serializers.Serializer[Any]):
    """The body of a chat completion, or a prompt."""

    prompt = serializers.CharField(required=False, help_text="Stands for one user message.")
    messages = Message(many=True, required=False)
    max_tokens = serializers.IntegerField(required=False, min_value=1, help_text="Makes the estimates better.")


class RouteTier(serializers.Serializer[Any]):
    """One of the models to choose from."""

    tier = serializers.CharField()
    model = serializers.CharField()
    allowed = serializers.BooleanField(help_text="Whether the key may use it.")
    estimated_cost_usd = serializers.FloatField(help_text="At list prices, for the estimated tokens.")


class RouteObject(serializers.Serializer[Any]):
    """Which model, and why."""

    object = serializers.CharField(help_text="Always route.")
    tier = serializers.CharField(help_text="haiku, sonnet or opus.")
    model = serializers.CharField(help_text="The full id of the model that would answer.")
    fallback_model = serializers.CharField(allow_null=True, help_text="Who answers when that one is overloaded.")
    score = serializers.FloatField(help_text="How hard the request seems, from 0 to 1.")
    version = serializers.IntegerField(help_text="Of the weights; 0: those that come with the release.")
    reasons = serializers.ListField(child=serializers.CharField())
    reason = serializers.CharField(help_text="The reasons in one text.")
    features = serializers.DictField(child=serializers.FloatField(), help_text="What weighed most, and how much.")
    estimated_input_tokens = serializers.IntegerField()
    estimated_output_tokens = serializers.IntegerField()
    tiers = RouteTier(many=True)


route_schema = extend_schema(
    operation_id="route_request",
    summary="Choose a model for a request",
    tags=["models"],
    request=RouteRequestBody,
    parameters=[REQUEST_ID],
    examples=[OpenApiExample("Prompt", {"prompt": "Translate 'good morning' into French."}, request_only=True)],
    responses={200: RouteObject, 400: error("What is wrong with the request."), **UNAUTHENTICATED},
)
