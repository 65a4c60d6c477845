"""Posting an alert to somebody else's server, signed as https://www.standardwebhooks.com has it.

Only https, and only to public addresses (`apps.claude.outside`) unless the operator names the host. Redirects are not
followed.
"""

import asyncio
import base64
import hmac
import secrets
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import aiohttp
from yarl import URL

from apps.claude import outside

DEADLINE_SECONDS = 10.0
_SECRET_PREFIX = "whsec_"  # noqa: S105  the public part


class NotDelivered(Exception):
    """The message was not taken; the text says why, without secrets."""


@dataclass(frozen=True, slots=True)
class Post:
    """One message. `id` is the same for every attempt, so that the receiver can drop repetitions."""

    id: str
    url: str
    secret: str
    body: bytes
    earlier_secrets: tuple[str, ...] = ()
    """Of receivers that do not know the new one yet."""


def new_secret() -> str:
    """A random signing secret in the standard's form: `whsec_` and 32 bytes in base 64."""
    return _SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signature(post: Post, *, timestamp: int) -> str:
    """`v1,` and the base-64 HMAC-SHA256 of `id.timestamp.body` under the secret. `timestamp`: Unix seconds.

    Where there are earlier secrets, one for each, with spaces between them, as the standard has it.
    """
    message = f"{post.id}.{timestamp}.".encode() + post.body
    macs = [hmac.digest(_key(secret), message, sha256) for secret in (post.secret, *post.earlier_secrets)]
    return " ".join(f"v1,{base64.b64encode(mac).decode()}" for mac in macs)


async def send(
    post: Post,
    *,
    timestamp: int,
    allowed: Callable[[str], bool] = outside.is_public,
    trust: ssl.SSLContext | None = None,
) -> None:
    """Post once. Raises NotDelivered unless the server answers with a 2xx status within ten seconds."""
    url = URL(post.url)
    if url.scheme != "https" or not url.host:
        raise NotDelivered("the URL is not https")
    headers = {
        "content-type": "application/json",
        "user-agent": "claude-code-api-service",
        "webhook-id": post.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(post, timestamp=timestamp),
    }
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            connector = await outside.connector(url.host, url.port or 443, allowed=allowed, trust=trust)
            async with (
                aiohttp.ClientSession(connector=connector, trust_env=False) as session,
                session.post(url, data=post.body, headers=headers, allow_redirects=False) as answer,
            ):
                if not 200 <= answer.status < 300:
                    raise NotDelivered(f"the server answered {answer.status}")
    except TimeoutError:
        raise NotDelivered(f"no answer within {DEADLINE_SECONDS:.0f} s") from None
    except outside.NotOutside as error:
        raise NotDelivered(str(error)) from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise NotDelivered(f"{type(error).__name__}: {error}"[:300]) from None


def _key(secret: str) -> bytes:
    """The HMAC key: what is encoded in a secret of the standard's form, any other text as it is."""
    if secret.startswith(_SECRET_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
        except ValueError:
            pass
    return secret.encode()
