"""What may be written down: no secret, no prompt, nothing endless, and nothing that a database would refuse.

A deed must not fail because of what a stranger put into a name, so nothing here raises: what cannot stay is replaced.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime
from typing import Any

LONGEST_TEXT = 500
MOST_ITEMS = 100
DEEPEST = 6
MOST_BYTES = 8192
HIDDEN = "[secret]"
PROMPT = "[prompt]"

# A rule keeps what says of which kind the secret was, as group 1.
_SECRETS = re.compile(
    r"""
    (-----BEGIN\ [A-Z ]*PRIVATE\ KEY-----)[\s\S]*?(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|\Z)
    | \b(ccs_[a-z]+_|sk-(?:ant|proj|svcacct|or|admin)-|sk-|sk_live_|rk_live_|pk_live_|whsec_)[\w-]{12,}
    | \b(gh[oprsu]_|github_pat_|glpat-|xox[abeoprs]-|hf_|npm_|pypi-|dop_v1_|SG\.)[\w.-]{16,}
    | \b(AKIA|ASIA|AIza|ya29\.)[\w-]{12,}
    | \b(eyJ)[\w-]{8,}\.[\w-]{8,}\.[\w-]*
    | \b((?i:bearer|basic)\ +)[\w.~+/=-]{12,}
    | (\b[a-z][a-z0-9+.-]*://)[^\s/:@]*:[^\s/@]+(?=@)
    | ((?i:password|passwd|secret|token|api[_-]?key)\s*[=:]\s*)[^\s,;&"']{4,}
    """,
    re.VERBOSE,
)
_SHORTEST_SECRET = len("token=1234")
_SECRET_NAME = re.compile(
    r"(?i)passw(or)?d|passphrase|secret|credential|authorization|cookie|pepper|private_?key|api_?key|(^|[_-])(token|otp|pin)$"
)
# Names that end so say something about a credential and are none.
_ABOUT_A_SECRET = re.compile(r"(?i)_(id|ids|name|hint|last4|at|count|seconds|type|kind)$")
_PROMPT_NAME = re.compile(
    r"(?i)^(prompts?|messages|system(_prompt)?|instructions|turns|content|completion|transcript|result|body|tool_input"
    r"|tool_output)$"
)
# Most texts are like this, and no secret can be: each has an upper case letter, a mark or another prefix in it.
_PLAIN = re.compile(r"(?:[a-z]+:)?[a-z0-9]*|(?:job|req)_[0-9a-f]*", re.ASCII)
# NUL is no text to PostgreSQL, a lone surrogate is no UTF-8; the rest would let a name draw on an operator's terminal.
_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")

_dump = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def text(value: object, *, longest: int = LONGEST_TEXT) -> str:
    """One line of text without secrets, at most `longest` characters."""
    if isinstance(value, str) and len(value) <= longest and _PLAIN.fullmatch(value):
        return value
    # A secret that a cut went through must be seen first, but a megabyte need not be read for it.
    clean = str(value)[: longest * 2 + 4096]
    if len(clean) >= _SHORTEST_SECRET:
        clean = _SECRETS.sub(_hide, clean)
    if not clean.isprintable():
        clean = _UNWRITABLE.sub("\ufffd", clean)
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def canonical(data: Mapping[str, Any] | None) -> str:
    """The data as JSON that is always written the same way, at most MOST_BYTES long. Empty for no data."""
    if not data:
        return ""
    written = _dump(_many(data, DEEPEST))
    if len(written) <= MOST_BYTES:
        return written
    names = [text(name, longest=60) for name in list(data)[:MOST_ITEMS]]
    return _dump({"too_long_bytes": len(written), "names": names})


def _hide(match: re.Match[str]) -> str:
    return f"{next(kept for kept in match.groups() if kept is not None)}{HIDDEN}"


def _value(value: Any, depth: int) -> Any:
    match value:
        case None | bool():
            return value
        case int():
            # Longer ones cannot be printed without end.
            return int(value) if -(2**63) <= value < 2**64 else text(f"{value.bit_length()} bit number")
        case float():
            return value if math.isfinite(value) else str(value)
        case str():
            return text(value)
        case datetime() | date():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            return f"[{len(value)} bytes]"
    if depth == 0:
        return "[too deep]"
    return _many(value, depth)


def _many(value: Any, depth: int) -> Any:
    match value:
        case Mapping():
            items = list(value.items())
            kept = {text(name, longest=60): _named(str(name), item, depth - 1) for name, item in items[:MOST_ITEMS]}
            return kept | ({"…": f"{len(items) - MOST_ITEMS} more"} if len(items) > MOST_ITEMS else {})
        case Set():
            return _many(sorted(value, key=str), depth)
        case Sequence():
            kept_items = [_value(item, depth - 1) for item in value[:MOST_ITEMS]]
            return kept_items + ([f"… {len(value) - MOST_ITEMS} more"] if len(value) > MOST_ITEMS else [])
    return text(value)


def _named(name: str, item: Any, depth: int) -> Any:
    """Numbers and flags stay: `max_tokens: 400` is no secret."""
    if item is None or isinstance(item, int | float):
        return _value(item, depth)
    if _SECRET_NAME.search(name) and not _ABOUT_A_SECRET.search(name):
        return HIDDEN
    if _PROMPT_NAME.search(name):
        return PROMPT
    return _value(item, depth)
