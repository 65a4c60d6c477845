"""What signs a project's webhooks: derived, so that nothing is stored and every node has the same."""

import base64
import hmac
from hashlib import sha256

from django.conf import settings

from apps.keys.models import Project


def webhook_secrets(project: Project) -> tuple[str, ...]:
    """In the form of https://www.standardwebhooks.com; today's first, then those of SECRET_KEY_FALLBACKS."""
    return tuple(_secret(key, project) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


def _secret(secret_key: str, project: Project) -> str:
    digest = hmac.digest(secret_key.encode(), f"webhook of project {project.pk}".encode(), sha256)
    return f"whsec_{base64.b64encode(digest).decode()}"
