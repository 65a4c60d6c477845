"""The models that can be asked for, and where the CLI binary is.

Ids, context windows and what a model can are those of the CLI 2.1.330's own table (`capabilities` in its bundle).
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

TESTED_CLI_VERSION = "2.1.330"
"""The CLI that this release was tested with, which its pinned claude-agent-sdk carries."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model of the upstream."""

    id: str
    alias: str | None
    """The short name that stands for the newest model of a family, where this is the newest."""
    display_name: str
    context_tokens: int
    sampling: bool
    """Whether temperature and top_p can be honoured: models whose thinking cannot be switched off refuse them."""
    always_thinks: bool
    """Whether its thinking cannot be switched off; then the upstream takes no forced choice of a tool either."""
    efforts: tuple[str, ...]
    """The efforts it knows, least first; none where thinking is measured by a budget of tokens."""


_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_FOUR_EFFORTS = ("low", "medium", "high", "max")

MODELS: tuple[ModelInfo, ...] = (
    ModelInfo("claude-haiku-5-5", "haiku", "Claude Haiku 5.5", 1_000_000, False, True, _EFFORTS),
    ModelInfo("claude-sonnet-5-5", "sonnet", "Claude Sonnet 5.5", 1_000_000, False, True, _EFFORTS),
    ModelInfo("claude-opus-5-5", "opus", "Claude Opus 5.5", 1_000_000, False, True, _EFFORTS),
    ModelInfo("claude-fable-5-2", "fable", "Claude Fable 5.2", 1_000_000, False, True, _EFFORTS),
    ModelInfo("claude-opus-5", None, "Claude Opus 5", 1_000_000, False, False, _EFFORTS),
    ModelInfo("claude-sonnet-5", None, "Claude Sonnet 5", 1_000_000, False, False, _EFFORTS),
    ModelInfo("claude-opus-4-8", None, "Claude Opus 4.8", 1_000_000, False, False, _EFFORTS),
    ModelInfo("claude-opus-4-7", None, "Claude Opus 4.7", 1_000_000, False, False, _EFFORTS),
    ModelInfo("claude-opus-4-6", None, "Claude Opus 4.6", 200_000, True, False, _FOUR_EFFORTS),
    ModelInfo("claude-opus-4-5", None, "Claude Opus 4.5", 200_000, True, False, ()),
    ModelInfo("claude-sonnet-4-6", None, "Claude Sonnet 4.6", 200_000, True, False, _FOUR_EFFORTS),
    ModelInfo("claude-sonnet-4-5", None, "Claude Sonnet 4.5", 200_000, True, False, ()),
    ModelInfo("claude-haiku-4-5", None, "Claude Haiku 4.5", 200_000, True, False, ()),
)

_BY_NAME = {name: model for model in MODELS for name in (model.id, model.alias) if name}


def find(name: str) -> ModelInfo | None:
    """The model that an alias or a full id names, or None."""
    return _BY_NAME.get(name)


def resolve(name: str) -> str | None:
    """The full id that an alias or a full id names, or None."""
    model = find(name)
    return model.id if model else None


class CliMissing(Exception):
    """No Claude Code CLI could be found; the message says what to do."""


def locate_cli(configured: str | None) -> Path:
    """The CLI binary: the configured path, else the one in the claude-agent-sdk wheel, else `claude` on PATH.

    Raises CliMissing.
    """
    if configured:
        path = Path(configured).expanduser()
        if path.is_file() and os.access(path, os.X_OK):
            return path.resolve()
        raise CliMissing(f"CLAUDE_CLI_PATH is {configured}, which is not an executable file")
    bundled = _bundled_cli()
    if bundled:
        return bundled
    found = shutil.which("claude")
    if found:
        return Path(found).resolve()
    raise CliMissing("no Claude Code CLI found: install the claude-agent-sdk wheel or set CLAUDE_CLI_PATH")


def _bundled_cli() -> Path | None:
    """The binary inside the SDK's wheel; found without importing the SDK, which costs a second and 59 MB."""
    import importlib.util

    spec = importlib.util.find_spec("claude_agent_sdk")
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / "_bundled" / "claude"
    return path if path.is_file() else None
