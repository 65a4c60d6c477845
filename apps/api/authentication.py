"""Who is asking: the key in the headers."""

from urllib.parse import parse_qsl

from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from apps.api.problems import ApiError, Problem
from apps.keys import addresses, secrets, services
from apps.keys.models import ApiKey
from apps.keys.rates import RateLimited

_IN_QUERY = {"api_key", "api-key", "apikey", "access_token", "x-api-key", "authorization"}
REFUSED = Problem(
    401,
    "Incorrect API key provided. Send a valid one as 'Authorization: Bearer <key>'; it is unknown, expired or revoked.",
    "invalid_api_key",
    headers={"WWW-Authenticate": "Bearer"},
)
MISSING = Problem(
    401,
    "You didn't provide an API key. Send it as 'Authorization: Bearer <key>'.",
    "missing_api_key",
    headers={"WWW-Authenticate": "Bearer"},
)
BAD_TICKET = Problem(
    401, "This ticket opens nothing: it is good once, for 30 seconds. Ask for a new one.", "invalid_ticket"
)
IN_QUERY = Problem(
    400,
    "A key in the address ends up in logs and histories, so it is refused here. Send it as "
    "'Authorization: Bearer <key>', and revoke the one that was sent.",
    "key_in_query",
)


def secret_of(*, authorization: str, x_api_key: str) -> str | None:
    """The key in the value of `Authorization` (Bearer) or of `x-api-key`, or None."""
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    return x_api_key.strip() or None


def refuse_key_in_query(query: str) -> None:
    """Raise ApiError if the query string carries a key."""
    if not query:
        return
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name.lower() in _IN_QUERY or secrets.PREFIX in value or secrets.PREFIX in name:
            raise ApiError(IN_QUERY)


def key_of(*, secret: str, ip: str | None) -> ApiKey:
    """The key of that secret. Raises ApiError: 401, the same for unknown, expired, revoked and malformed.

    Or 429, once too many were tried from that address; a key that works is never refused for its neighbours' sake.
    """
    try:
        return services.authenticate(secret=secret, ip=ip, now=timezone.now())
    except services.InvalidKey:
        raise ApiError(_too_many(ip) or REFUSED) from None


def of_ticket(ip: str | None) -> Problem:
    """What is said of a ticket that opens nothing: 401, or 429 once too many were tried from that address."""
    return _too_many(ip) or BAD_TICKET


def _too_many(ip: str | None) -> Problem | None:
    try:
        addresses.note_failure(ip=ip)
    except RateLimited as limited:
        return Problem(429, str(limited), "rate_limit_exceeded", headers=limited.headers())
    return None


class KeyAuthentication(BaseAuthentication):
    """DRF's hook: `request.auth` is the ApiKey."""

    def authenticate(self, request: Request) -> tuple[ApiKey, ApiKey]:
        """The key, which is its own user. Raises ApiError."""
        meta = request.META
        refuse_key_in_query(meta.get("QUERY_STRING", ""))
        secret = secret_of(authorization=meta.get("HTTP_AUTHORIZATION", ""), x_api_key=meta.get("HTTP_X_API_KEY", ""))
        if secret is None:
            raise ApiError(MISSING)
        key = key_of(secret=secret, ip=meta.get("REMOTE_ADDR"))
        return key, key


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema describes it."""

    target_class = KeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """A bearer token."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": f"{secrets.PREFIX}…"}
