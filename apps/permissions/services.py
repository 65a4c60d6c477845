"""What an operator can do with profiles: create, copy, edit, delete. Each deed is recorded in its own transaction."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from apps.audit import services as audit
from apps.permissions.models import Profile


class BuiltIn(Exception):
    """A shipped tier cannot be edited or deleted: upgrades replace it. Copy it and change the copy."""


class EditedMeanwhile(Exception):
    """Somebody else saved the profile after the editor had opened it."""


class InUse(Exception):
    """Keys carry the profile: give them another one first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Everything about a profile that can be edited. Its slug cannot: keys are issued and audit rows written by it."""

    name: str
    description: str = ""
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    max_cost_microusd: int
    max_seconds: int
    max_turns: int
    max_concurrency: int

    @classmethod
    def of(cls, profile: Profile) -> "Rules":
        """The rules of a profile as its row holds them."""
        return cls.from_json({field.name: getattr(profile, field.name) for field in fields(cls)})

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Rules":
        """The inverse of `to_json`."""
        facts: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**facts)

    def to_json(self) -> dict[str, Any]:
        """The same as columns of the row."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def create_profile(*, slug: str, rules: Rules, actor: str, now: datetime, ip: str | None = None) -> Profile:
    """A new profile. Raises ValidationError, by field, for a taken slug, an unreadable pattern or a limit below 1."""
    with transaction.atomic():
        profile = _insert(slug, rules, now)
        _record("profile.created", profile, {"after": rules.to_json()}, actor=actor, now=now, ip=ip)
    return profile


def copy_profile(
    *, profile: Profile, slug: str = "", name: str = "", actor: str, now: datetime, ip: str | None = None
) -> Profile:
    """An own copy of any profile, shipped or not, under the next free `<slug>-copy` unless a slug is given.

    Raises ValidationError for a slug that is taken.
    """
    with transaction.atomic():
        slug = slug or _free_slug(profile.slug)
        rules = Rules.of(profile).to_json() | {"name": name or f"{profile.name[:60]} (copy)"}
        copy = _insert(slug, Rules.from_json(rules), now)
        data = {"from": profile.slug, "from_version": profile.version}
        _record("profile.copied", copy, data, actor=actor, now=now, ip=ip)
    return copy


def edit_profile(*, profile: Profile, rules: Rules, actor: str, now: datetime, ip: str | None = None) -> Profile:
    """Give an own profile new rules and the next version; requests decided from now on obey them.

    `profile.version` is the one the editor saw: raises EditedMeanwhile if the row has another by now, BuiltIn for a
    shipped tier, ValidationError as `create_profile` does. Nothing changed: nothing is written.
    """
    with transaction.atomic():
        stored = Profile.objects.filter(pk=profile.pk, version=profile.version).first()
        if stored is None:
            raise EditedMeanwhile(f"'{profile.slug}' is no longer at version {profile.version}")
        if stored.built_in:
            raise BuiltIn(f"'{profile.slug}' is a shipped tier")
        before, after = Rules.of(stored).to_json(), rules.to_json()
        changed = [name for name in after if after[name] != before[name]]
        if not changed:
            return stored
        _write(stored, after, now)
        data = {
            side: {name: values[name] for name in changed} for side, values in (("before", before), ("after", after))
        }
        _record("profile.edited", stored, {"version": stored.version, **data}, actor=actor, now=now, ip=ip)
    return stored


def delete_profile(*, profile: Profile, actor: str, now: datetime, ip: str | None = None) -> None:
    """Remove an own profile that no key carries; gone already is fine. Raises BuiltIn or InUse."""
    if profile.built_in:
        raise BuiltIn(f"'{profile.slug}' is a shipped tier")
    with transaction.atomic():
        try:
            deleted, _ = Profile.objects.editable().filter(pk=profile.pk).delete()
        except ProtectedError as protected:
            keys = len(protected.protected_objects)
            raise InUse(f"{keys} key{'s carry' if keys != 1 else ' carries'} '{profile.slug}'") from None
        if not deleted:
            return
        _record("profile.deleted", profile, {"before": Rules.of(profile).to_json()}, actor=actor, now=now, ip=ip)


def _insert(slug: str, rules: Rules, now: datetime) -> Profile:
    profile = Profile(slug=slug, created_at=now, updated_at=now, **rules.to_json())
    profile.full_clean()
    try:
        with transaction.atomic():
            profile.save(force_insert=True)
    except IntegrityError:  # full_clean saw the slug free, and another operator was faster
        raise ValidationError({"slug": f"There is a profile '{slug}' already."}) from None
    return profile


def _write(stored: Profile, values: dict[str, Any], now: datetime) -> None:
    for name, value in values.items():
        setattr(stored, name, value)
    stored.full_clean()
    seen = Profile.objects.editable().filter(pk=stored.pk, version=stored.version)
    if seen.update(**values, version=stored.version + 1, updated_at=now) != 1:
        raise EditedMeanwhile(f"'{stored.slug}' is no longer at version {stored.version}")
    stored.version, stored.updated_at = stored.version + 1, now


def _free_slug(slug: str) -> str:
    base = f"{slug[:40]}-copy"
    taken = set(Profile.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    numbered = (base if n == 1 else f"{base}-{n}" for n in range(1, len(taken) + 2))
    return next(free for free in numbered if free not in taken)


def _record(action: str, profile: Profile, data: dict[str, Any], *, actor: str, now: datetime, ip: str | None) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="profile",
        target_id=profile.slug,
        ip=ip,
        data=data,
        now=now,
    )
