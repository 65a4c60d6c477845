"""What the record says about keys, projects and their members. Called inside the deed's transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.audit import services as audit
from apps.keys.models import ApiKey, Project


def of_key(
    action: str, key: ApiKey, data: Mapping[str, Any], *, actor: str, now: datetime, ip: str | None = None
) -> None:
    """A deed done to a key; it is found by the key's public id."""
    audit.record(
        actor=actor,
        action=action,
        target_type="key",
        target_id=key.public_id,
        project_id=key.project.slug,
        ip=ip,
        data={"name": key.name, **data},
        now=now,
    )


def of_project(
    action: str, project: Project, data: Mapping[str, Any], *, actor: str, now: datetime, ip: str | None = None
) -> None:
    """A deed done to a project or its members; it is found by the project's slug."""
    audit.record(
        actor=actor,
        action=action,
        target_type="project",
        target_id=project.slug,
        project_id=project.slug,
        ip=ip,
        data=data,
        now=now,
    )
