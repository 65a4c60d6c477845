"""How a chat process is started: tool-less, without settings, verbatim, with nothing of our environment."""

from dataclasses import dataclass
from pathlib import Path

from apps.claude import jail as walls

SYSTEM_PLACEHOLDER = "claude-code-api-service: the egress puts the conversation's system prompt here"
"""What a chat process believes its system prompt to be. It is in every request, and replaced in every request."""

SOCKET_NAME = "api.sock"

_SWITCHES = (
    "DISABLE_TELEMETRY",
    "DISABLE_ERROR_REPORTING",
    "DISABLE_AUTOUPDATER",
    "DISABLE_AUTO_COMPACT",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    "CLAUDE_AGENT_SDK_DISABLE_BUILTIN_AGENTS",
    "CLAUDE_CODE_DISABLE_BUNDLED_SKILLS",
    "CLAUDE_CODE_DISABLE_FILE_MENTIONS",
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY",
    "CLAUDE_CODE_DISABLE_CLAUDE_MDS",
    "CLAUDE_CODE_DISABLE_CRON",
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS",
    # A failed call is the caller's to retry: the CLI's own retries would hide a 429 for minutes.
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK",
    "CLAUDE_CODE_DISABLE_REFUSAL_RETRY",
    "CLAUDE_CODE_DISABLE_REFUSAL_FALLBACK",
    "CLAUDE_CODE_NO_MODEL_FALLBACK",
)


@dataclass(frozen=True, slots=True)
class Launch:
    """A command ready to be started. `jail_arguments` go through a file descriptor, None means no jail."""

    argv: tuple[str, ...]
    environment: dict[str, str]
    cwd: Path
    jail_arguments: tuple[str, ...] | None
    jail: walls.Jail | None
    uid: int = walls.JAIL_UID
    """Who it is outside its jail, where the service runs as root."""


def chat(*, cli: Path, jail: walls.Jail | None, lane: Path, model: str) -> Launch:
    """The launch of a chat process on this lane (a directory that holds the egress socket)."""
    arguments = (*_chat_arguments(), "--model", model)
    if jail is None:
        home = lane / "home"
        clean = environment(home=str(home), tmp=str(home), socket=str(lane / SOCKET_NAME))
        return Launch((*_die_with_parent(), str(cli), *arguments), clean, home, None, None)
    clean = environment(home=walls.HOME_INSIDE, tmp="/tmp", socket=f"{walls.EGRESS_INSIDE}/{SOCKET_NAME}")
    inside = tuple(jail.arguments(cli=cli, lane=lane, environment=clean))
    outside = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
    return Launch((walls.CLI_INSIDE, *arguments), outside, Path("/"), inside, jail)


def _chat_arguments() -> tuple[str, ...]:
    return (
        *("-p", "--input-format", "stream-json", "--output-format", "stream-json"),
        *("--verbose", "--include-partial-messages"),
        # --bare: no hooks, no memory, no "# Environment" note that names the host and spoils prompt caching.
        *("--bare", "--restricted", "--tools", "", "--setting-sources", "", "--strict-mcp-config"),
        *("--no-session-persistence", "--system-prompt", SYSTEM_PLACEHOLDER),
    )


def environment(*, home: str, tmp: str, socket: str) -> dict[str, str]:
    """All that a CLI is told by its environment; nothing of ours is inherited."""
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": home,
        "TMPDIR": tmp,
        "ANTHROPIC_BASE_URL": "http://egress.invalid",
        "ANTHROPIC_UNIX_SOCKET": socket,
        "ANTHROPIC_API_KEY": "dummy-key-the-egress-holds-the-real-one",
        "CLAUDE_CODE_MAX_RETRIES": "0",
        # The billing header carries a fingerprint of what the CLI takes for the first message; it would differ with
        # every turn of a replayed conversation and stand in front of everything that could be cached.
        "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
        **dict.fromkeys(_SWITCHES, "1"),
    }


def _die_with_parent() -> tuple[str, ...]:
    """Outside a jail nothing else ends the CLI when its worker is killed. Linux' util-linux has the tool."""
    return ("setpriv", "--pdeathsig", "KILL") if Path("/usr/bin/setpriv").exists() else ()
