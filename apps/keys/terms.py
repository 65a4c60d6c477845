"""What can be edited about a key, as one value."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.keys.models import ApiKey
from apps.keys.rates import Limits
from apps.permissions.models import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A key's name, rules, limits and end. Its project and its secret cannot be edited."""

    name: str
    profile: Profile | None = None
    expires_at: datetime | None = None
    limits: Limits = field(default_factory=Limits)
    allowed_networks: tuple[str, ...] = ()
    default_model: str = ""

    @classmethod
    def of(cls, key: ApiKey) -> "Terms":
        """The terms as the key's row holds them."""
        return cls(
            name=key.name,
            profile=key.profile,
            expires_at=key.expires_at,
            limits=Limits(key.requests_per_minute, key.tokens_per_minute, key.concurrent_jobs),
            allowed_networks=tuple(key.allowed_networks),
            default_model=key.default_model,
        )

    def columns(self) -> dict[str, Any]:
        """The same as columns of the row."""
        return {
            "name": self.name,
            "profile": self.profile,
            "expires_at": self.expires_at,
            "requests_per_minute": self.limits.requests,
            "tokens_per_minute": self.limits.tokens,
            "concurrent_jobs": self.limits.concurrent_jobs,
            "allowed_networks": list(self.allowed_networks),
            "default_model": self.default_model,
        }

    def to_json(self) -> dict[str, Any]:
        """The same as the record keeps it."""
        end = self.expires_at.isoformat() if self.expires_at else None
        return self.columns() | {"profile": self.profile.slug if self.profile else None, "expires_at": end}
