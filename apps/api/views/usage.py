"""`GET /v1/usage`: what the caller's project asked for, what it took and what it cost."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from apps.api import jsonio
from apps.api.answers import answer
from apps.api.base import View
from apps.api.openai.fields import wrong_value
from apps.api.problems import ApiError, of_status
from apps.api.schema.usage import usage_schema
from apps.api.usage.objects import csv_text, figures_object, local, row_object
from apps.api.usage.query import UsageQuery, read
from apps.claude.catalog import resolve
from apps.jobs import usage
from apps.keys.models import ApiKey


class CsvRenderer(BaseRenderer):
    """Lets content negotiation accept `text/csv`; the view writes it."""

    media_type = "text/csv"
    format = "csv"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        """Only reached for errors."""
        return jsonio.dumps(data)


class Usage(View):
    """The project's usage."""

    renderer_classes = [JSONRenderer, CsvRenderer]

    @usage_schema
    def get(self, request: Request) -> HttpResponse:
        """Sum up requests, tokens, cost, errors and times, by steps of time, models, keys and more."""
        parameters = request._request.GET
        _own_project(self.caller, parameters)
        question = read(parameters, now=timezone.now())
        as_csv = _wants_csv(request, parameters)
        zone = ZoneInfo(question.tz)
        try:
            since, until, rows = _asked(question, _scope(self.caller, question))
        except usage.TooMuch as error:
            raise wrong_value("group_by", str(error)) from None
        total = figures_object(usage.together(row.figures for row in rows))
        data = [row_object(row, zone) for row in rows]
        if as_csv:
            headers = {"content-disposition": f'attachment; filename="usage-{self.caller.project.slug}.csv"'}
            text = csv_text(data, like=total)
            return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)
        return answer(
            {
                "object": "usage",
                "project_id": self.caller.project.slug,
                "from": local(since, zone),
                "to": local(until, zone),
                "tz": question.tz,
                "group_by": [*([question.step] if question.step else []), *question.group_by],
                "data": data,
                "total": total,
            }
        )


def _asked(question: UsageQuery, scope: usage.Scope) -> tuple[datetime, datetime, tuple[usage.Row, ...]]:
    """What the answer is about, and its rows."""
    since, until = question.since, question.until
    if not question.step:
        rows = usage.totals(scope, since=since, until=until, group_by=question.group_by)
        return *usage.quarters(since, until), rows
    found = usage.series(
        scope, since=since, until=until, step=question.step, group_by=question.group_by, tz=question.tz
    )
    return found.since, found.until, found.rows


def _scope(caller: ApiKey, question: UsageQuery) -> usage.Scope:
    key_id = None
    if question.key is not None:
        key_id = (
            ApiKey.objects.filter(project=caller.project, public_id=question.key).values_list("pk", flat=True).first()
        )
        if key_id is None:
            raise ApiError(of_status(404, f"There is no key '{question.key[:64]}' in this project."))
    model = question.model and (resolve(question.model) or question.model)
    return usage.Scope([caller.project_id], key_id, model, question.kind)


def _own_project(caller: ApiKey, parameters: Mapping[str, str]) -> None:
    """A key sees its own project; of others not even whether they exist."""
    wanted = parameters.get("project_id")
    if wanted and wanted != caller.project.slug:
        raise ApiError(of_status(404, f"There is no project '{wanted[:64]}'."))


def _wants_csv(request: Request, parameters: Mapping[str, str]) -> bool:
    wanted = parameters.get("format", "")
    if wanted not in ("", "csv", "json"):
        raise wrong_value("format", "'format' is json or csv.")
    return wanted == "csv" or (not wanted and request.accepted_renderer.format == "csv")
