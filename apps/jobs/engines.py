"""From the operator's settings to an engine."""

from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from apps.claude import credential as credentials

if TYPE_CHECKING:
    from apps.claude.engine import Engine


def credential() -> credentials.Credential | None:
    """What the operator calls the model with, if anything."""
    return credentials.Credential.from_env({name: getattr(settings, name) for name in credentials.SETTINGS})


def build(runtime_name: str, workers: int) -> "Engine":
    """An engine for one of so many workers of this node; they share its slots and its memory."""
    from apps.claude import catalog
    from apps.claude.engine import Engine, EngineConfig, slots_by_memory

    slots = settings.CLAUDE_SLOTS or slots_by_memory()
    return Engine(
        EngineConfig(
            runtime_dir=Path(settings.RUNTIME_DIR) / runtime_name,
            cli_path=settings.CLAUDE_CLI_PATH or None,
            credential=credential(),
            upstream=settings.ANTHROPIC_BASE_URL,
            slots=max(1, slots // workers),
            model=catalog.resolve(settings.DEFAULT_MODEL) or settings.DEFAULT_MODEL,
        )
    )
