"""When a request is sent again, and after how long. Pure.

Every POST carries an Idempotency-Key, so that what is sent again is done once and answered as before.
"""

import random
from collections.abc import Mapping

FIRST_SECONDS, LONGEST_SECONDS = 0.5, 8.0
LONGEST_WISH_SECONDS = 60.0
"""A service that wants us to wait longer is not asked again."""
_RETRIED = frozenset({408, 409, 425, 429})


def pause(tries: int, *, status: int = 0, headers: Mapping[str, str] | None = None) -> float | None:
    """Seconds until the next try, after so many; None: no more. A status of 0 is a broken connection."""
    said = headers or {}
    advice = said.get("x-should-retry")
    if advice == "false" or (advice != "true" and status and status < 500 and status not in _RETRIED):
        return None
    try:
        wish = float(said.get("retry-after", ""))
    except ValueError:
        return min(FIRST_SECONDS * 2.0 ** (tries - 1), LONGEST_SECONDS) * random.uniform(0.75, 1)  # noqa: S311  # no secret
    return wish if wish <= LONGEST_WISH_SECONDS else None
