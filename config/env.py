"""Every setting of the service: one environment variable each, read once, checked at once, listed in the README."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.declaring import setting as _setting
from config.tasknetwork import TaskNetwork
from config.values import EXPECTED, ROOT
from config.values import approvers as _approvers
from config.values import count as _count
from config.values import database_url as _database_url
from config.values import https_url as _https_url
from config.values import log_format as _log_format
from config.values import log_level as _log_level
from config.values import names as _names
from config.values import path as _path
from config.values import paths as _paths
from config.values import redis_url as _redis_url
from config.values import seconds as _seconds
from config.values import switch as _switch
from config.values import text as _text
from config.values import usd as _usd
from config.values import web_url as _web_url

__all__ = ["ROOT", "Env", "Misconfigured", "settings_table"]


class Misconfigured(Exception):
    """The service cannot start as it is set up; the message is one line and says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Env(TaskNetwork):
    """The service's settings. Field order is the order of the table in the README; what is inherited stands last."""

    data_dir: Path = _setting(
        "DATA_DIR",
        "var",
        _path,
        "Directory of the database, the secret key and Valkey's data; relative paths start at the repository.",
    )
    database_url: str = _setting(
        "DATABASE_URL",
        "",
        _database_url,
        "`postgres://user:password@host:port/name`. Empty: SQLite in `DATA_DIR`.",
        secret=True,
    )
    redis_url: str = _setting(
        "REDIS_URL",
        "",
        _redis_url,
        "`redis://host:port/0` of a Valkey or Redis 6.2+. Empty: `bin/serve` starts a private one on a unix socket.",
        secret=True,
    )
    valkey_server: str = _setting(
        "VALKEY_SERVER",
        "",
        _text,
        "Program of the private Valkey. Empty: `valkey-server` or `redis-server` on `PATH`, else the one that is "
        "installed with the service.",
    )
    secret_key: str = _setting(
        "DJANGO_SECRET_KEY",
        "",
        _text,
        "Signs sessions and peppers API keys; all nodes of an install share it. Empty: made once and kept in "
        "`DATA_DIR/secret_key`.",
        secret=True,
    )
    secret_key_fallbacks: tuple[str, ...] = _setting(
        "DJANGO_SECRET_KEY_FALLBACKS",
        "",
        _names,
        "Earlier secret keys, separated by commas, newest first: what was made under them still holds (API keys, the "
        "record, encrypted secrets, sessions, links).",
        secret=True,
    )
    allowed_hosts: tuple[str, ...] = _setting(
        "ALLOWED_HOSTS",
        "localhost,127.0.0.1,[::1]",
        _names,
        "Host names the service answers to, separated by commas. The address given to `--host` is added.",
    )
    trusted_origins: tuple[str, ...] = _setting(
        "TRUSTED_ORIGINS",
        "",
        _names,
        "Origins such as `https://claude.example.org` from which admin forms and browser WebSockets may come, "
        "besides the service's own.",
    )
    behind_tls_proxy: bool = _setting(
        "BEHIND_TLS_PROXY",
        "0",
        _switch,
        "1: a proxy in front ends TLS and sets `X-Forwarded-Proto` and `X-Forwarded-For`, which are then believed; "
        "cookies are sent over https only.",
    )
    require_second_factor: bool = _setting(
        "REQUIRE_SECOND_FACTOR",
        "0",
        _switch,
        "1: whoever may use the admin gives a second factor (TOTP) at each login; who has none enrols one at the next.",
    )
    log_format: str = _setting("LOG_FORMAT", "console", _log_format, "`console` or `json`.")
    log_level: str = _setting("LOG_LEVEL", "INFO", _log_level, "`DEBUG`, `INFO`, `WARNING` or `ERROR`.")
    metrics_token: str = _setting(
        "METRICS_TOKEN",
        "",
        _text,
        "Bearer token for `/metrics`. Empty: only who asks from this machine itself, not through a proxy, is answered.",
        secret=True,
    )
    anthropic_api_key: str = _setting(
        "ANTHROPIC_API_KEY",
        "",
        _text,
        "Credential: an API key. It never enters a jail, a log or the database.",
        secret=True,
    )
    anthropic_auth_token: str = _setting(
        "ANTHROPIC_AUTH_TOKEN",
        "",
        _text,
        "Credential: the bearer token of a gateway in front of the Messages API.",
        secret=True,
    )
    claude_code_oauth_token: str = _setting(
        "CLAUDE_CODE_OAUTH_TOKEN",
        "",
        _text,
        "Credential: the operator's own login, for a single operator only. Anthropic's terms do not let a service "
        "route other people's requests through a Pro or Max login.",
        secret=True,
    )
    anthropic_base_url: str = _setting(
        "ANTHROPIC_BASE_URL",
        "https://api.anthropic.com",
        _web_url,
        "Where the Messages API is: Anthropic's, or a gateway's.",
    )
    claude_cli_path: str = _setting(
        "CLAUDE_CLI_PATH",
        "",
        _text,
        "The Claude Code CLI. Empty: the one that is installed with the service.",
    )
    claude_cli_version: str = _setting(
        "CLAUDE_CLI_VERSION",
        "",
        _text,
        "The version that tasks are run with; with any other CLI they are refused. Empty: the one that this release "
        "was tested with.",
    )
    claude_home: Path = _setting(
        "CLAUDE_HOME",
        "~/.claude",
        _path,
        "Directory of the operator's own agents and skills.",
    )
    capability_dirs: tuple[Path, ...] = _setting(
        "CAPABILITY_DIRS",
        "",
        _paths,
        "Further folders, separated by commas, each with `agents/*.md` and `skills/*/SKILL.md` in it; they come before "
        "`CLAUDE_HOME`.",
    )
    mcp_servers: str = _setting(
        "MCP_SERVERS",
        "",
        _text,
        "A JSON file with MCP servers for tasks, each with the tools that may be granted as `mcp__server__tool`: see "
        "`docs/tasks.md`.",
    )
    claude_slots: int = _setting(
        "CLAUDE_SLOTS",
        "0",
        _count,
        "Live CLI processes of this node, about 200 MB each. 0: as many as the memory carries.",
    )
    workers: int = _setting("WORKERS", "0", _count, "Worker processes of this node. 0: by the number of cores.")
    default_model: str = _setting("DEFAULT_MODEL", "sonnet", _text, "The model of a request that names none.")
    job_timeout_seconds: float = _setting(
        "JOB_TIMEOUT_SECONDS",
        "3600",
        _seconds,
        "No job may run longer, whatever its profile says: it is stopped with `timeout`.",
    )
    job_idle_seconds: float = _setting(
        "JOB_IDLE_SECONDS", "120", _seconds, "A job without any output for this long is stopped with `timeout`."
    )
    job_max_cost_usd: str = _setting(
        "JOB_MAX_COST_USD",
        "10.00",
        _usd,
        "No job may cost more, whatever its profile says: it is stopped with `cost_limit`.",
    )
    approval_seconds: float = _setting(
        "APPROVAL_SECONDS", "300", _seconds, "How long a tool call waits for somebody's yes; then it is denied."
    )
    approval_by: str = _setting(
        "APPROVAL_BY",
        "key",
        _approvers,
        "Who says yes to a waiting call. `key`: any key of its project, or a person who works in it; `other`: not the "
        "key that runs the task; `member`: people only.",
    )
    webhook_hosts: tuple[str, ...] = _setting(
        "WEBHOOK_HOSTS",
        "",
        _names,
        "Hosts of your own network that webhooks may be posted to, by the names that stand in their URLs, separated by "
        "commas. All others have to be at public addresses.",
    )
    alert_emails: tuple[str, ...] = _setting(
        "ALERT_EMAILS",
        "",
        _names,
        "Who of the operators is told by e-mail that a cost has drifted, separated by commas. Budgets name their own.",
    )
    alert_webhook_url: str = _setting(
        "ALERT_WEBHOOK_URL", "", _https_url, "The same by webhook, signed as Standard Webhooks has it. https only."
    )
    alert_webhook_secret: str = _setting(
        "ALERT_WEBHOOK_SECRET", "", _text, "What signs it: `whsec_` and 32 bytes in base 64, or any text.", secret=True
    )
    artifact_days: int = _setting("ARTIFACT_DAYS", "7", _count, "How long files that tasks left are kept.")
    artifact_max_gb: int = _setting(
        "ARTIFACT_MAX_GB", "10", _count, "What all of them may take; the oldest go first. In `DATA_DIR/artifacts`."
    )
    session_days: int = _setting(
        "SESSION_DAYS", "30", _count, "How long a session is kept that nobody continues. In `DATA_DIR/sessions`."
    )
    remote_images: bool = _setting(
        "REMOTE_IMAGES",
        "0",
        _switch,
        "1: images may be named by an https URL and are fetched by this service, from public addresses only. "
        "0: only images that are sent along are taken.",
    )
    chat_disconnect_grace_seconds: float = _setting(
        "CHAT_DISCONNECT_GRACE_SECONDS",
        "2",
        _seconds,
        "How long a chat goes on after its client has gone, so that the client can come back.",
    )
    drain_seconds: float = _setting(
        "DRAIN_SECONDS", "20", _seconds, "How long a stopping service waits for running jobs before it cancels them."
    )
    auth_failures_per_minute: int = _setting(
        "AUTH_FAILURES_PER_MINUTE",
        "20",
        _count,
        "Requests with an invalid API key that one address may make in a minute before it is answered 429.",
    )
    disable_jail_at_my_own_risk: str = _setting(
        "DISABLE_JAIL_AT_MY_OWN_RISK",
        "",
        _text,
        "`yes`: run the CLI without its jail, where whatever it runs can read this machine. Only for an operator "
        "alone on their own machine.",
    )
    demo: bool = _setting(
        "DEMO",
        "0",
        _switch,
        "1: the upstream is the scripted model that ships with the project. Set by `bin/serve --demo`.",
    )
    demo_days: int = _setting(
        "DEMO_DAYS", "60", _count, "Days of made-up history that a demonstration begins with; 0: none."
    )

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Env":
        """Reads every setting; an empty variable means the default. Raises Misconfigured naming the first wrong one."""
        values: dict[str, Any] = {}
        for setting in dataclasses.fields(cls):
            name, parse = setting.metadata["name"], setting.metadata["parse"]
            raw = environ.get(name, "").strip() or setting.metadata["default"]
            try:
                values[setting.name] = parse(raw)
            except ValueError:
                shown = "something else" if setting.metadata["secret"] else repr(raw)
                raise Misconfigured(f"{name} must be {EXPECTED[parse]}, but it is {shown}") from None
        return cls(**values)


def settings_table() -> str:
    """The README's table of settings, in Markdown."""
    lines = ["| variable | default | what |", "|---|---|---|"]
    inherited = {each.name for each in dataclasses.fields(TaskNetwork)}
    for setting in sorted(dataclasses.fields(Env), key=lambda each: each.name in inherited):
        default = f"`{setting.metadata['default']}`" if setting.metadata["default"] else ""
        lines.append(f"| `{setting.metadata['name']}` | {default} | {setting.metadata['help']} |")
    return "\n".join(lines) + "\n"
