"""New keys as rows. Who issues and rotates them writes the record."""

import hmac
from datetime import datetime

from django.conf import settings

from apps.keys import secrets
from apps.keys.models import ApiKey, Project
from apps.keys.terms import Terms

_FACTS = ["project", "public_id", "digest", "last4", "created_at", "rotated_from"]


def create(*, project: Project, terms: Terms, now: datetime, rotated_from: ApiKey | None = None) -> tuple[ApiKey, str]:
    """A new key and its secret, which is nowhere else. Raises ValidationError for terms that no key can have."""
    if terms.expires_at is not None and terms.expires_at <= now:
        raise ValueError("a key must expire in the future")
    fresh = secrets.generate()
    key = ApiKey(
        project=project,
        public_id=fresh.public_id,
        digest=digest_of(fresh.text),
        last4=fresh.last4,
        created_at=now,
        rotated_from=rotated_from,
        **terms.columns(),
    )
    check(key)
    key.save(force_insert=True)
    return key, fresh.text


def check(key: ApiKey) -> None:
    """Raise ValidationError, by field, for what the terms may not be."""
    key.clean_fields(exclude=_FACTS)


def digest_of(text: str) -> str:
    """What this install stores of a key."""
    return secrets.digest(text, pepper=secrets.pepper(settings.SECRET_KEY))


def is_digest(kept: str, text: str) -> bool:
    """Whether that is kept of this key, under today's secret key or an earlier one. As slow for every wrong one."""
    known = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    digests = [secrets.digest(text, pepper=secrets.pepper(each)) for each in known]
    return sum(hmac.compare_digest(each, kept) for each in digests) > 0  # all of them are compared
