"""A column for JSON that holds what strangers wrote."""

import json
from typing import TypeVar

from django.db import models

from apps.jobs.events import dumps

Set = TypeVar("Set")
Get = TypeVar("Get")


class JsonTextField(models.TextField[Set, Get]):
    """JSON as ASCII text: PostgreSQL's jsonb refuses NUL and lone surrogates, SQLite the latter; this keeps them."""

    def from_db_value(self, value: str | None, _expression: object, _connection: object) -> object:
        """The value that was stored."""
        return None if value is None else json.loads(value)

    def get_prep_value(self, value: object) -> str | None:
        """The text to store; None stays NULL."""
        return None if value is None else dumps(value)
