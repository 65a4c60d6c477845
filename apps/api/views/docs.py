"""The schema and the pages that show it; everything they load is served by us."""

from functools import lru_cache

from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer2
from rest_framework.request import Request

from apps.api.base import OpenView
from apps.api.schema.common import hidden


class OpenApi(OpenView):
    """`/openapi.json`."""

    @hidden
    def get(self, request: Request) -> HttpResponse:
        """The OpenAPI schema of the whole service."""
        return HttpResponse(schema(), content_type="application/json")


@lru_cache(maxsize=1)
def schema() -> bytes:
    """The schema as JSON; it does not change while the process lives."""
    document = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    rendered: bytes = OpenApiJsonRenderer2().render(document, renderer_context={})
    return rendered


def swagger(request: HttpRequest) -> HttpResponse:
    """`/docs`: try the API in the browser."""
    return render(request, "api/docs.html")


# Redoc writes its styles into the page as it runs.
@csp_update({"style-src": ["'unsafe-inline'"]})
def redoc(request: HttpRequest) -> HttpResponse:
    """`/redoc`: the reference to read."""
    return render(request, "api/redoc.html")
