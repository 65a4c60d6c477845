import re

import pytest

from config.env import ROOT

REQUIREMENTS = ROOT / "requirements"
PIN = re.compile(r"^[a-z0-9][a-z0-9._-]*(\[[a-z,]+\])?==\S+", re.MULTILINE)


@pytest.mark.parametrize("name", ["base.in", "dev.in", "clients.in"])
def test_every_dependency_says_why_it_is_there(name: str) -> None:
    lines = [line for line in (REQUIREMENTS / name).read_text().splitlines() if line and line[0] not in "#-"]
    assert lines
    assert [line for line in lines if not re.search(r"\s# \w.{10,}$", line)] == []


@pytest.mark.parametrize("name", ["base.txt", "dev.txt", "clients.txt"])
def test_every_locked_version_has_hashes(name: str) -> None:
    pins = re.split(r"\n(?=[a-z0-9])", (REQUIREMENTS / name).read_text())
    assert len(pins) > 50
    assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == []


@pytest.mark.parametrize("name", ["base.in", "dev.in", "clients.in", "base.txt", "dev.txt", "clients.txt"])
def test_no_place_to_download_from_is_named(name: str) -> None:
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", (REQUIREMENTS / name).read_text())


def test_the_development_lock_holds_all_of_the_service_s_own() -> None:
    base, dev = (
        {found[0] for found in PIN.finditer((REQUIREMENTS / name).read_text())} for name in ("base.txt", "dev.txt")
    )
    assert base <= dev
