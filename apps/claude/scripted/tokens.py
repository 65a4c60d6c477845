"""The scripted model's own tokenizer: four characters (code points) of a block are one token, rounded up per block.

Counting per block makes the count of a prefix plus the count of the rest equal to the count of the whole, so that the
cached and the uncached share of a prompt always add up.
"""

import json
from collections.abc import Mapping
from functools import lru_cache

CHARACTERS_PER_TOKEN = 4
IMAGE_TOKENS = 1000
_TEXT = ("text", None)
MAX_NUMBERED = 36**3
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def count(text: str) -> int:
    """Tokens in one piece of text."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def count_block(block: Mapping[str, object]) -> int:
    """Tokens in one content block, tool definition or system block; cache marks are free, images and files flat."""
    if isinstance(text := block.get("text"), str) and block.get("type") in _TEXT:
        return count(text)
    match block.get("type"):
        case "image" | "document":
            return IMAGE_TOKENS
        case "tool_result" if isinstance(content := block.get("content"), list):
            return sum(count_block(part) for part in content if isinstance(part, dict))
        case _:
            return count(json.dumps({key: value for key, value in block.items() if key != "cache_control"}))


def first(text: str, tokens: int) -> str:
    """The first `tokens` tokens of a text."""
    return text[: tokens * CHARACTERS_PER_TOKEN]


@lru_cache(64)
def numbered(tokens: int) -> str:
    """A text of exactly that many tokens, each different and in order: `000 001 002 … 00f.` (base 36)."""
    return "".join(_numbered(n) + ("." if n == tokens - 1 else "\n" if n % 16 == 15 else " ") for n in range(tokens))


def _numbered(n: int) -> str:
    return _DIGITS[n // 1296 % 36] + _DIGITS[n // 36 % 36] + _DIGITS[n % 36]
