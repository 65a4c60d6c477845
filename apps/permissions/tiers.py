"""How shipped tiers reach the database: migrations carry the data and call `ship`; an upgrade is one more migration."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any


def ship(profiles: Any, tiers: Iterable[Mapping[str, Any]], *, now: datetime) -> None:
    """Make the built-in profiles equal to `tiers`, touching nothing that an operator owns.

    `profiles` is the model's manager as the migration sees it. A tier that has not changed keeps its version. Where an
    operator's own profile already bears a tier's slug, the tier comes as `<slug>-built-in`.
    """
    for tier in tiers:
        slug = tier["slug"]
        while profiles.filter(slug=slug, built_in=False).exists():
            slug += "-built-in"
        facts = {**tier, "slug": slug}
        shipped = profiles.filter(slug=slug).first()
        if shipped is None:
            profiles.create(**facts, built_in=True, version=1, created_at=now, updated_at=now)
        elif any(getattr(shipped, field) != value for field, value in facts.items()):
            profiles.filter(pk=shipped.pk).update(**facts, version=shipped.version + 1, updated_at=now)
