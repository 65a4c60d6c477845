"""Requests that never became jobs: the record has each with its every reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.audit.models import AuditEvent
from apps.dashboard.queries.audit import Filters, listed
from apps.keys.models import ApiKey, Project


@dataclass(frozen=True, slots=True)
class Refusal:
    """One of them, in words."""

    event: AuditEvent
    key: ApiKey | None
    why: Sequence[str]

    @property
    def job_id(self) -> str:
        """The id that the job would have had."""
        return self.event.target_id


@dataclass(frozen=True, slots=True)
class Slice:
    """One page, newest first."""

    refusals: Sequence[Refusal]
    older: str | None


def refused(project: Project, *, key: str = "", job: str = "", before: str = "") -> Slice:
    """A page of the project's refusals, of one key or of one request. Two queries."""
    filters = Filters(action="job.refused", actor=f"key:{key}" if key else "", target=job)
    found = listed(project, filters, before=before)
    ids = {event.actor.removeprefix("key:") for event in found.events}
    keys = {each.public_id: each for each in ApiKey.objects.filter(project=project, public_id__in=ids)}
    rows = [
        Refusal(each, keys.get(each.actor.removeprefix("key:")), why(each.data, each.reason)) for each in found.events
    ]
    return Slice(rows, found.older)


def why(data: Mapping[str, Any], reason: str) -> Sequence[str]:
    """Every reason in words; the record's own sentence where it has no more."""
    told = [each["message"] for each in data.get("reasons", ()) if isinstance(each, dict) and each.get("message")]
    return told or [reason]
