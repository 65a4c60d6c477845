"""Word that something happened in a project, for whoever looks at it: not what, only where.

One channel for all projects: each web process hears it once, however many pages it has open, and only while it has
some. A lost word is made good when the process subscribes anew; no row depends on it.
"""

import contextlib
from functools import partial

import redis
from django.db import transaction
from redis.asyncio.client import Pipeline as AsyncPipeline

from apps.jobs import valkey

TOLD = frozenset({"started", "approval", "approval_decided", "done", "error"})
"""Events of a job that change what lists show of it."""


def tell(project_id: int) -> None:
    """Tell it once the transaction, if there is one, is committed. Nobody hears it while Valkey is away."""
    transaction.on_commit(partial(_publish, project_id))


def add(pipe: "redis.client.Pipeline | AsyncPipeline", project_id: int) -> None:
    """Tell it when the pipeline is executed."""
    pipe.publish(valkey.news(), str(project_id))


def _publish(project_id: int) -> None:
    with contextlib.suppress(*valkey.ERRORS):
        valkey.client().publish(valkey.news(), str(project_id))
