"""Models, described."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers

from apps.api.schema.common import NOT_FOUND, REQUEST_ID, UNAUTHENTICATED


class ModelDetails(serializers.Serializer[Any]):
    """What OpenAI has no field for."""

    model = serializers.CharField(help_text="The full id that an alias stands for.")
    display_name = serializers.CharField()
    context_tokens = serializers.IntegerField()
    sampling = serializers.BooleanField(help_text="Whether temperature and top_p can be other than 1.")


class ModelObject(serializers.Serializer[Any]):
    """A name that can be sent as `model`."""

    id = serializers.CharField()
    object = serializers.CharField(help_text="Always model.")
    created = serializers.IntegerField()
    owned_by = serializers.CharField()
    x_claude = ModelDetails()


class ModelList(serializers.Serializer[Any]):
    """The models that the key may use."""

    object = serializers.CharField(help_text="Always list.")
    data = ModelObject(many=True)  # type: ignore[assignment]  # a field, not the base's property


models_schema = extend_schema(
    operation_id="list_models",
    summary="List models",
    tags=["models"],
    parameters=[REQUEST_ID],
    responses={200: ModelList, **UNAUTHENTICATED},
)
model_schema = extend_schema(
    operation_id="get_model",
    summary="Describe a model",
    tags=["models"],
    parameters=[
        OpenApiParameter("model", str, OpenApiParameter.PATH, description="An alias or a full id."),
        REQUEST_ID,
    ],
    responses={200: ModelObject, **UNAUTHENTICATED, **NOT_FOUND},
)
