"""Logs: one line per event, as text for people or JSON for machines, never with a secret or a prompt in it."""

import logging
import logging.config
import re
from collections.abc import MutableMapping
from typing import Any

import structlog

# Fields that hold what a customer wrote, what the model answered, or what opens a door.
PRIVATE_FIELDS = re.compile(
    r"(?i)(^|_)(api_?key|authorization|bearer|cookie|credential|messages|password|prompt|secret|system|token|turns)$"
)
SECRET_VALUES = re.compile(r"(ccs_[a-z]+_[A-Za-z0-9]+_|sk-ant-|sk-|Bearer\s+)[A-Za-z0-9_\-.]{6,}")
HIDDEN = "[hidden]"
TALKATIVE = ("aiohttp", "asyncio", "axes", "daphne", "django_q", "django-q", "httpx", "urllib3")


def _hide(value: object, depth: int = 4) -> object:
    if isinstance(value, str):
        return SECRET_VALUES.sub(lambda found: found[1] + HIDDEN, value)
    if depth and isinstance(value, dict):
        return {
            key: HIDDEN if PRIVATE_FIELDS.search(str(key)) else _hide(item, depth - 1) for key, item in value.items()
        }
    if depth and isinstance(value, list | tuple):
        return [_hide(item, depth - 1) for item in value]
    return value


def hide_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: hides fields by their name and secrets by their form, in messages and tracebacks too."""
    for key, value in event.items():
        if not key.startswith("_"):
            event[key] = HIDDEN if PRIVATE_FIELDS.search(key) else _hide(value)
    return event


def _is_crash(record: logging.LogRecord) -> bool:
    return record.exc_info is not None


def configure(*, log_format: str, level: str) -> None:
    """Sets up structlog and the standard logging alike; `log_format` is console or json."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.format_exc_info]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"crashes": {"()": lambda: _is_crash}},
            "formatters": {
                "line": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [*last, hide_secrets, renderer],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"handlers": ["stderr"], "level": level},
            # These say at INFO what every request and every connection does; Django logs each 404 and 503.
            "loggers": {name: {"level": "WARNING"} for name in TALKATIVE}
            | {"django.request": {"level": "ERROR", "filters": ["crashes"]}},
        }
    )
