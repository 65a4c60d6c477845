"""From the operator's settings to an engine."""

from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from apps.claude import credential as credentials

if TYPE_CHECKING:
    from apps.claude.engine import Engine, EngineConfig
    from apps.claude.network.reach import Reach


def credential() -> credentials.Credential | None:
    """What the operator calls the model with, if anything."""
    return credentials.Credential.from_env({name: getattr(settings, name) for name in credentials.SETTINGS})


def config(*, runtime_dir: Path | None = None, slots: int = 0) -> "EngineConfig":
    """How the operator wants engines to be."""
    from apps.claude import catalog
    from apps.claude.engine import EngineConfig

    return EngineConfig(
        runtime_dir=runtime_dir,
        cli_path=settings.CLAUDE_CLI_PATH or None,
        tested_version=settings.CLAUDE_CLI_VERSION or catalog.TESTED_CLI_VERSION,
        credential=credential(),
        upstream=settings.ANTHROPIC_BASE_URL,
        slots=slots,
        model=catalog.resolve(settings.DEFAULT_MODEL) or settings.DEFAULT_MODEL,
        reach=reach(),
    )


def reach() -> "Reach":
    """Where the operator lets tasks connect to."""
    from apps.claude.network.reach import Reach, named

    networks, names = named(settings.TASK_NETWORK_ALLOW)
    return Reach(
        networks=networks,
        names=names,
        ports=frozenset(settings.TASK_NETWORK_PORTS),
        ca_file=Path(settings.TASK_NETWORK_CA) if settings.TASK_NETWORK_CA else None,
        job_bytes=settings.TASK_NETWORK_MB << 20,
    )


def build(runtime_name: str, workers: int) -> "Engine":
    """An engine for one of so many workers of this node; they share its slots and its memory."""
    from apps.claude.engine import Engine, slots_by_memory

    slots = settings.CLAUDE_SLOTS or slots_by_memory()
    runtime_dir = Path(settings.RUNTIME_DIR) / runtime_name
    return Engine(config(runtime_dir=runtime_dir, slots=max(1, slots // workers)))
