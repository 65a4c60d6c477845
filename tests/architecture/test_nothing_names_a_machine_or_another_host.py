import re

import pytest

from tests.architecture.sources import ROOT, files

# Written so that they do not match themselves.
MACHINE_PATHS = re.compile(
    r"(?<![\w./~-])(?:/hom[e]/(?!agent\b)[a-z]|/User[s]/\w|/opt/(?:pyp[i]|wheel[s])|/wor[k]/|/roo[t]/\.pyenv|/tmp/(?:la[b]|harnes[s])/)"
)
REGISTRIES = re.compile(
    r"pypi\.or[g]/simple|pythonhosted\.or[g]|registry\.npmj[s]|artifactor[y]"
    r"|(?:index-ur[l]|find-link[s]|trusted-hos[t])[ =]+\S*[/.]",
    re.IGNORECASE,
)
HOSTS = re.compile(r"(?:\b(?:https?|wss?):)?//(?P<host>(?:[a-z0-9-]+\.)+[a-z]{2,}|\d+(?:\.\d+){3})", re.IGNORECASE)
OURSELVES = re.compile(r"127\.0\.0\.1|.*\.example|.*\.?example\.(?:org|com)|www\.w3\.org")
TEXT = {"", ".cfg", ".css", ".html", ".in", ".ini", ".js", ".json", ".jsonl", ".md", ".py", ".sh", ".svg", ".toml"}
TEXT |= {".txt", ".yaml", ".yml"}
COMMENTS = re.compile(r"/\*.*?\*/|<!--.*?-->|\{#.*?#\}|^\s*//[^\n]*", re.DOTALL | re.MULTILINE)
PAGES = {".css", ".html", ".js", ".svg"}


def other_hosts(text: str) -> list[str]:
    """The hosts that a page, a style sheet or a script names outside its comments."""
    hosts = (match["host"] for match in HOSTS.finditer(COMMENTS.sub("", text)))
    return [host for host in hosts if not OURSELVES.fullmatch(host)]


def matches(rule: re.Pattern[str]) -> list[str]:
    """Where a rule matches in the repository's text files."""
    return [
        f"{path}:{number} {match[0]}"
        for path in files()
        if path.suffix in TEXT
        for number, line in enumerate((ROOT / path).read_text(errors="replace").splitlines(), 1)
        for match in rule.finditer(line)
    ]


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert matches(MACHINE_PATHS) == []


def test_no_file_names_this_checkout() -> None:
    assert matches(re.compile(rf"{re.escape(str(ROOT))}(?![\w-])")) == []


def test_no_file_names_a_package_registry() -> None:
    assert matches(REGISTRIES) == []


def test_no_page_names_another_host() -> None:
    pages = [path for path in files() if {"templates", "static"} & {*path.parts} and path.suffix in PAGES]
    assert [(str(path), host) for path in pages for host in other_hosts((ROOT / path).read_text())] == []


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://cdn.jsdelivr.net/x.js">',
        "url(//fonts.gstatic.com/a.woff)",
        'new WebSocket("wss://a.b.io/")',
    ],
)
def test_another_host_is_noticed(text: str) -> None:
    assert other_hosts(text)


@pytest.mark.parametrize(
    "text", ['xmlns="http://www.w3.org/2000/svg"', "/* https://github.com/x */", "a // b.c", "x//2.5"]
)
def test_what_is_no_other_host_is_not_complained_about(text: str) -> None:
    assert other_hosts(text) == []


@pytest.mark.parametrize("text", ["/hom" + "e/alice/x", 'open("/wor' + 'k/main")', "--index-ur" + "l=https://x"])
def test_a_machine_path_or_registry_is_noticed(text: str) -> None:
    assert MACHINE_PATHS.search(text) or REGISTRIES.search(text)
