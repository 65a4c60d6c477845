"""What the ids in groups are called, on the wire and for people."""

from collections.abc import Iterable
from typing import NamedTuple

from apps.keys.models import ApiKey, Project


class Name(NamedTuple):
    """What something is called on the wire, and what people call it."""

    wire: str
    label: str


def of_keys(ids: Iterable[int]) -> dict[int, Name]:
    """Keys by their public id and name."""
    rows = ApiKey.objects.filter(pk__in=set(ids)).values_list("pk", "public_id", "name")
    return {pk: Name(public_id, name) for pk, public_id, name in rows}


def of_projects(ids: Iterable[int]) -> dict[int, Name]:
    """Projects by their slug and name."""
    rows = Project.objects.filter(pk__in=set(ids)).values_list("pk", "slug", "name")
    return {pk: Name(slug, name or slug) for pk, slug, name in rows}
