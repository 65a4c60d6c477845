"""The operator's credential. It lives in this process and in the egress' upstream requests, nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

DEFAULT_UPSTREAM = "https://api.anthropic.com"
SETTINGS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")
OAUTH_BETA = "oauth-2025-04-20"


@dataclass(frozen=True, slots=True)
class Credential:
    """One way to be known upstream. Its secret is not shown by repr()."""

    kind: Literal["api_key", "auth_token", "oauth"]
    secret: str = field(repr=False)

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self | None:
        """The first of ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN, CLAUDE_CODE_OAUTH_TOKEN that is set, else None."""
        for setting, kind in zip(SETTINGS, ("api_key", "auth_token", "oauth"), strict=True):
            secret = env.get(setting, "").strip()
            if secret:
                return cls(kind, secret)  # type: ignore[arg-type]
        return None

    @property
    def setting(self) -> str:
        """The environment variable this came from."""
        return SETTINGS[("api_key", "auth_token", "oauth").index(self.kind)]

    @property
    def warning(self) -> str | None:
        """What an operator must know before using this credential for others."""
        if self.kind != "oauth":
            return None
        return (
            "CLAUDE_CODE_OAUTH_TOKEN is a personal login: single-operator mode. Anthropic's terms do not let a service "
            "route other people's requests through a Pro or Max login; use ANTHROPIC_API_KEY for a team."
        )

    def apply(self, headers: dict[str, str]) -> None:
        """Put the credential into the headers of an upstream request."""
        if self.kind == "api_key":
            headers["x-api-key"] = self.secret
            return
        headers["authorization"] = f"Bearer {self.secret}"
        if self.kind == "oauth":
            betas = headers.get("anthropic-beta", "")
            headers["anthropic-beta"] = f"{betas},{OAUTH_BETA}" if betas else OAUTH_BETA
