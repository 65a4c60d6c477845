"""How the admin lists millions of jobs: by time, which their ids carry, and by what has an index or few values."""

import re
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.claude.catalog import MODELS
from apps.jobs.ids import PREFIX, floor_id
from apps.jobs.models import Job, Status
from apps.jobs.reasons import REASONS
from apps.keys.models import ApiKey, Project

EXPORTED = (
    "id",
    "created_at",
    "status",
    "error_code",
    "kind",
    "project__slug",
    "api_key__name",
    "api_key__public_id",
    "model",
    "requested_model",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cost_microusd",
    "estimated",
    "cap_microusd",
    "started_at",
    "first_token_at",
    "finished_at",
    "request_id",
    "session_id",
    "batch_id",
)
_SPANS = {
    "hour": ("Last hour", timedelta(hours=1)),
    "day": ("Last 24 hours", timedelta(days=1)),
    "week": ("Last 7 days", timedelta(days=7)),
    "month": ("Last 30 days", timedelta(days=30)),
}
_HEX = re.compile(r"(?:[a-z]+[_-])?([0-9a-f]{32})")
_MOST_OF_A_REQUEST = 100


class ReadOnly:
    """Rows that only the services write; goes before `ModelAdmin`."""

    def has_add_permission(self, *_: object) -> bool:
        return False

    def has_change_permission(self, *_: object) -> bool:
        return False

    def has_delete_permission(self, *_: object) -> bool:
        return False


class Choices(admin.SimpleListFilter):
    """A filter whose choices are known without asking the database, of jobs or what belongs to them."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return self.narrow(queryset, value) if value in {str(name) for name, _ in self.lookup_choices} else queryset

    def narrow(self, jobs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """The rows of one choice."""
        raise NotImplementedError


class SpanFilter(Choices):
    """When it was submitted; through the primary key."""

    title = "time"
    parameter_name = "span"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, title) for name, (title, _) in _SPANS.items()]

    def narrow(self, jobs: QuerySet[Any], value: str) -> QuerySet[Any]:
        return jobs.filter(pk__gte=floor_id(_now() - _SPANS[value][1]))


class StatusFilter(Choices):
    """Where it is in its life."""

    title = "status"
    parameter_name = "status__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Queued or running"), *((str(value), str(label)) for value, label in Status.choices)]

    def narrow(self, jobs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value == "open":
            return jobs.filter(pk__in=Job.objects.still_open().values("pk"))
        if value in (Status.QUEUED, Status.IN_PROGRESS):
            return jobs.filter(pk__in=Job.objects.still_open().values("pk"), status=value)
        return jobs.filter(status=value)


class ErrorFilter(Choices):
    """What it failed with."""

    title = "error"
    parameter_name = "error_code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("any", "Any"), *((code, code) for code in REASONS)]

    def narrow(self, jobs: QuerySet[Any], value: str) -> QuerySet[Any]:
        jobs = jobs.filter(error_code__gt="")  # those have an index
        return jobs if value == "any" else jobs.filter(error_code=value)


class ModelFilter(Choices):
    """Which model answers."""

    title = "model"
    parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(model.id, model.display_name) for model in MODELS]

    def narrow(self, jobs: QuerySet[Any], value: str) -> QuerySet[Any]:
        return jobs.filter(model=value)


class KindFilter(Choices):
    """What was asked for."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("chat", "Chat"), ("task", "Task")]

    def narrow(self, jobs: QuerySet[Any], value: str) -> QuerySet[Any]:
        return jobs.filter(kind=value)


def search(jobs: QuerySet[Job], text: str) -> QuerySet[Job]:
    """The jobs of an id as anybody may have it: a job's, an answer's, a request's, a key's, a project's.

    Each is one indexed question, asked only if the id can be of that kind.
    """
    text = text.strip()
    if found := _HEX.fullmatch(text):
        by_id = jobs.filter(pk=f"{PREFIX}{found[1]}")
        if by_id.exists():
            return by_id
    if project := Project.objects.filter(slug=text).first():
        return jobs.filter(project=project)
    if key := ApiKey.objects.filter(public_id=_public_id(text)).first():
        return jobs.filter(api_key=key)
    events = AuditEvent.objects.filter(request_id=text, target_type="job")
    return jobs.filter(pk__in=list(events.values_list("target_id", flat=True)[:_MOST_OF_A_REQUEST]))


def _public_id(text: str) -> str:
    """The middle of a key or of its hint, `ccs_live_<id>_…`; anything else as it is."""
    parts = text.split("_")
    return parts[2] if len(parts) > 2 and parts[0] == "ccs" else text


def _now() -> datetime:
    return timezone.now()
