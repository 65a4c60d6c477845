"""`GET /v1/models`: the models that the caller's key may use."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from apps.api.answers import answer
from apps.api.base import View
from apps.api.entitlements import usable_models
from apps.api.openai.requests import model_not_found
from apps.api.schema.models import model_schema, models_schema
from apps.claude.catalog import ModelInfo


def model_object(name: str, model: ModelInfo) -> dict[str, Any]:
    """OpenAI's model object."""
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "anthropic",
        "x_claude": {
            "model": model.id,
            "display_name": model.display_name,
            "context_tokens": model.context_tokens,
            "sampling": model.sampling,
        },
    }


class Models(View):
    """All of them."""

    @models_schema
    def get(self, request: Request) -> HttpResponse:
        """List the models that this key may use."""
        data = [model_object(name, model) for name, model in usable_models(self.caller).items()]
        return answer({"object": "list", "data": data})


class Model(View):
    """One of them."""

    @model_schema
    def get(self, request: Request, model: str) -> HttpResponse:
        """Describe one model."""
        found = usable_models(self.caller).get(model)
        if found is None:
            raise model_not_found(model)
        return answer(model_object(model, found))
