"""Gives the test run a world of its own: no setting, directory, credential or server of the developer's is used.

pytest-django loads `config.settings` before any conftest can speak, so the settings are read a second time here, from
the environment that the tests are to have.
"""

import dataclasses
import importlib
import os
import sys
from pathlib import Path

from django.conf import settings

from config.env import Env

NOWHERE = "http://127.0.0.1:9"


def isolate(directory: Path) -> None:
    """Point everything at `directory`. No upstream and no credential is set: tests give them to what they start."""
    for setting in dataclasses.fields(Env):
        os.environ.pop(setting.metadata["name"], None)
    os.environ.update(
        DJANGO_SETTINGS_MODULE="config.settings",
        DATA_DIR=str(directory / "data"),
        REDIS_URL=f"unix://{directory}/valkey/valkey.sock?db=0",
        DJANGO_SECRET_KEY="a key for tests, long enough to be one",
        CLAUDE_HOME=str(directory / "claude-home"),
        ANTHROPIC_BASE_URL=NOWHERE,
        LOG_LEVEL="WARNING",
        NO_PROXY="127.0.0.1,localhost",
    )
    if settings.configured:
        _read_again(directory)


def _read_again(directory: Path) -> None:
    from django.db import connections
    from django_q.conf import Conf

    module = importlib.reload(sys.modules["config.settings"])
    for name in filter(str.isupper, dir(module)):
        setattr(settings, name, getattr(module, name))
    # A real hash takes a third of a second, on purpose.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # A file, as in production: SQLite's in-memory database knows neither WAL nor waiting for a lock.
    settings.DATABASES["default"]["TEST"] = {"NAME": str(directory / "test.sqlite3")}
    connections.settings = connections.configure_settings(settings.DATABASES)
    for connection in connections.all(initialized_only=True):
        connection.close()
        del connections[connection.alias]
    Conf.REDIS, Conf.PREFIX = settings.Q_CLUSTER["redis"], settings.Q_CLUSTER["name"]
