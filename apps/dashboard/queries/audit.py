"""What owners ask of the record: their project's rows, newest first, a page by keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from uuid import UUID

from django.db.models import Q

from apps.audit.models import AuditEvent
from apps.keys.models import Project

PAGE = 50


@dataclass(frozen=True, slots=True)
class Filters:
    """What the address says of the list."""

    action: str = ""
    actor: str = ""
    target: str = ""
    outcome: str = ""

    @classmethod
    def read(cls, parameters: Mapping[str, str]) -> "Filters":
        """Those of an address."""
        return cls(**{field.name: parameters.get(field.name, "").strip()[:200] for field in fields(cls)})

    @property
    def given(self) -> dict[str, str]:
        """Those that filter."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name))}


@dataclass(frozen=True, slots=True)
class Slice:
    """One page of the record, and the row that the next older one begins below."""

    events: Sequence[AuditEvent]
    older: str | None


def listed(project: Project, filters: Filters, *, before: str) -> Slice:
    """A page of the project's record."""
    columns = {"target": "target_id"}
    exact = {columns.get(name, name): value for name, value in filters.given.items()}
    rows = AuditEvent.objects.filter(project_id=project.slug, **exact).order_by("-at", "-pk")
    if (last := _row(project, before)) is not None:
        rows = rows.filter(Q(at__lt=last.at) | Q(at=last.at, pk__lt=last.pk), at__lte=last.at)
    found = list(rows[: PAGE + 1])
    return Slice(found[:PAGE], str(found[PAGE - 1].pk) if len(found) > PAGE else None)


def _row(project: Project, event_id: str) -> AuditEvent | None:
    try:
        return AuditEvent.objects.filter(pk=UUID(event_id), project_id=project.slug).first()
    except ValueError:
        return None
