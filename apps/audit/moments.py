"""Times as people type them."""

from datetime import UTC, datetime


def parse(text: str) -> datetime:
    """`2026-11-22` or `2026-11-22T14:30`, UTC unless it says otherwise. Raises ValueError."""
    moment = datetime.fromisoformat(text.strip())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
