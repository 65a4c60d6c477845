"""How the admin lists millions of rows: every filter is an indexed one, and nothing is counted to the end."""

from itertools import islice
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from apps.audit import periods
from apps.audit.models import AuditEvent, AuditEventQuerySet

MOST_CHOICES = 60


class PeriodFilter(admin.SimpleListFilter):
    """A recent time, or a year, month or day; the line above the list goes in and out of them."""

    title = "time"
    parameter_name = "when"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Recent times, and the calendar period that is chosen."""
        chosen = request.GET.get(self.parameter_name, "")
        named = list(periods.RECENT_TITLES.items())
        return named if chosen in ("", *periods.RECENT_TITLES) else [*named, (chosen, chosen)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        """Nothing for a period that does not exist."""
        value = self.value()
        if not value:
            return queryset
        period = periods.period(value, now=timezone.now())
        return queryset.filter(at__gte=period.start, at__lt=period.end) if period else queryset.none()


class OlderFilter(admin.SimpleListFilter):
    """Rows not younger than one that was listed: the way on from the last page that is counted."""

    title = "paging"
    parameter_name = "older"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Only what is chosen."""
        chosen = request.GET.get(self.parameter_name)
        return [(chosen, "Older ones only")] if chosen else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        """Nothing for a row that is not there."""
        value = self.value()
        if not value:
            return queryset
        event_id = as_uuid(value)
        at = AuditEvent.objects.filter(pk=event_id).values_list("at", flat=True).first() if event_id else None
        return queryset.filter(at__lte=at) if at else queryset.none()


class ValueFilter(admin.SimpleListFilter):
    """An indexed column. Offers its values where they are few; otherwise they come from links in the list."""

    column = ""

    def __init__(self, *args: Any) -> None:
        self.parameter_name = self.column
        super().__init__(*args)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """All values, or, of too many, the chosen one."""
        values = list(islice(AuditEvent.objects.all().loose_distinct(self.column), MOST_CHOICES + 1))
        if len(values) > MOST_CHOICES:
            values = [request.GET[self.column]] if self.column in request.GET else []
        return [(value, value) for value in values if value]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        """Exactly this value."""
        return queryset.filter(**{self.column: self.value()}) if self.value() else queryset


class ActionFilter(ValueFilter):
    """What was done."""

    title = "action"
    column = "action"


class OutcomeFilter(ValueFilter):
    """How it ended."""

    title = "outcome"
    column = "outcome"


class ProjectFilter(ValueFilter):
    """Whose it is."""

    title = "project"
    column = "project_id"


class ActorFilter(ValueFilter):
    """Who did it."""

    title = "actor"
    column = "actor"


class TargetFilter(ValueFilter):
    """To what it was done. There are as many as deeds, so only links lead here."""

    title = "target"
    column = "target_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Only the chosen one."""
        chosen = request.GET.get(self.column)
        return [(chosen, chosen)] if chosen else []


def as_uuid(text: str) -> UUID | None:
    """The id that a text is, if it is one."""
    try:
        return UUID(text)
    except ValueError:
        return None


def search(rows: AuditEventQuerySet, text: str) -> AuditEventQuerySet:
    """The rows that carry this id: the event's own, or a target's, request's, project's or actor's."""
    text = text.strip()
    event_id = as_uuid(text)
    if event_id is not None:
        return rows.filter(Q(pk=event_id) | Q(target_id=text) | Q(request_id=text))
    actors = [text, f"user:{text}", f"key:{text}"]
    return rows.filter(Q(target_id=text) | Q(request_id=text) | Q(project_id=text) | Q(actor__in=actors))
