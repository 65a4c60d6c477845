from pathlib import Path

import pytest

from config.env import ROOT, Env, Misconfigured, settings_table

NAMED_BY_THE_ISSUE = {
    "DATA_DIR",
    "DATABASE_URL",
    "REDIS_URL",
    "DJANGO_SECRET_KEY",
    "ALLOWED_HOSTS",
    "CLAUDE_CLI_PATH",
    "CLAUDE_HOME",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
}


def test_the_readme_lists_every_setting_as_the_code_has_it() -> None:
    readme = (ROOT / "README.md").read_text()
    found = readme.split("<!-- settings -->")[1].split("<!-- /settings -->")[0].strip()
    assert found == settings_table().strip(), "run `bin/manage settings_table` and put its output between the markers"


def test_the_promised_settings_exist() -> None:
    assert all(f"| `{name}` |" in settings_table() for name in NAMED_BY_THE_ISSUE)


def test_an_empty_variable_means_the_default() -> None:
    assert Env.read({"WORKERS": "", "DATA_DIR": " "}) == Env.read({})
    assert Env.read({}).claude_home == Path.home() / ".claude"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKERS", "two"),
        ("CLAUDE_SLOTS", "-1"),
        ("DRAIN_SECONDS", "nan"),
        ("JOB_MAX_COST_USD", "0"),
        ("JOB_MAX_COST_USD", "free"),
        ("DEMO", "maybe"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "loud"),
        ("ANTHROPIC_BASE_URL", "api.anthropic.com"),
        ("TASK_NETWORK_ALLOW", "10.0.0.1/8"),
        ("TASK_NETWORK_ALLOW", "https://wiki.example"),
        ("TASK_NETWORK_PORTS", "443,http"),
        ("TASK_NETWORK_PORTS", "65536"),
    ],
)
def test_a_wrong_value_is_refused_by_the_setting_s_name(name: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=f"^{name} must be .* but it is '{value}'$"):
        Env.read({name: value})


def test_a_wrong_value_that_may_hold_a_password_is_not_shown() -> None:
    with pytest.raises(Misconfigured, match=r"^DATABASE_URL must be postgres://.* but it is something else$"):
        Env.read({"DATABASE_URL": "mysql://root:hunter2@db/x"})


def test_no_secret_is_shown_by_printing_the_settings() -> None:
    names = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN", "DJANGO_SECRET_KEY")
    urls = {"DATABASE_URL": "postgres://me:open-sesame@db/x", "REDIS_URL": "redis://:open-sesame@cache/0"}
    shown = repr(Env.read(dict.fromkeys(names, "open-sesame") | urls))
    assert "open-sesame" not in shown
