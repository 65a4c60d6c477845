"""The service's version is the newest heading of CHANGELOG.md: written once, where people read it."""

import re

from config.env import ROOT


def current() -> str:
    """The newest released version, such as `0.1.0`."""
    found = re.search(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    if found is None:
        raise ValueError("CHANGELOG.md has no heading of the form `## 1.2.3`")
    return found[1]
