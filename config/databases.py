"""Django's settings of the two databases."""

from pathlib import Path
from typing import Any

import environ

_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "mmap_size=134217728",
    "cache_size=-8192",
    "temp_store=MEMORY",
    # 32 MB. The sweep empties the log every few seconds, so that a request hardly ever has to: with SQLite's own 1,000
    # pages one in thirty did, and waited for the disk the longer the more rows there were to be spread over.
    "wal_autocheckpoint=8000",
)


def sqlite(path: Path) -> dict[str, Any]:
    """The embedded one."""
    # IMMEDIATE and WAL together give no lock errors under parallel writers; either one alone does.
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": 60,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "".join(f"PRAGMA {pragma};" for pragma in _PRAGMAS),
        },
    }


def postgres(url: str, *, serves_web: bool) -> dict[str, Any]:
    """The one that several nodes share."""
    database: dict[str, Any] = dict(environ.Env.db_url_config(url))
    options = database.setdefault("OPTIONS", {})
    if serves_web:
        # Each ASGI request owns a thread; a pool keeps their connections few. It must not cross a fork, so only here.
        options["pool"] = {"min_size": 2, "max_size": 16, "timeout": 10}
    else:
        database["CONN_MAX_AGE"] = 60
        database["CONN_HEALTH_CHECKS"] = True
    return database
