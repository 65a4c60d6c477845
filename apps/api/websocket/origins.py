"""Which web pages may open a socket. Pure but for the settings."""

from urllib.parse import urlsplit

from django.conf import settings


def is_allowed(origin: str, *, host: str) -> bool:
    """Whether a page of that Origin may: one of our own host, or one in TRUSTED_ORIGINS."""
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and bool(host) and parts.netloc.lower() == host.lower()
