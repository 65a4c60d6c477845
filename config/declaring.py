"""How a setting is declared: its variable, its default, how it is read, what it means."""

from collections.abc import Callable
from dataclasses import field
from typing import Any


def setting(name: str, default: str, parse: Callable[[str], Any], help_text: str, secret: bool = False) -> Any:
    """A field of a dataclass of settings."""
    metadata = {"name": name, "default": default, "parse": parse, "help": help_text, "secret": secret}
    return field(metadata=metadata, repr=not secret)
