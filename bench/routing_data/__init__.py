"""The router's training data: exam questions with two models' results, and requests of our own with their tier."""

import gzip
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from apps.routing.question import Question
from apps.routing.scoring import TIERS, Tier

HERE = Path(__file__).parent
_TOOLS = 6
"""Tools that a task of the examples may use."""


@dataclass(frozen=True, slots=True)
class Exam:
    """A question, and whether the weak and the strong model answered it rightly."""

    source: str
    prompt: str
    weak: bool
    strong: bool

    @property
    def gain(self) -> int:
        """What the strong model is worth here: 1, 0, or -1 where it did worse."""
        return self.strong - self.weak


@dataclass(frozen=True, slots=True)
class Example:
    """A request and the cheapest tier that serves it well."""

    tier: Tier
    kind: str
    prompt: str

    @property
    def question(self) -> Question:
        """As the router sees it."""
        agent = self.kind == "agent"
        return Question(text=self.prompt, task=agent, tools=_TOOLS if agent else 0)


def is_test(prompt: str) -> bool:
    """Whether it belongs to the quarter that nothing is ever fitted on."""
    return hashlib.sha256(prompt.encode()).digest()[0] < 64


def exams() -> list[Exam]:
    """All exam questions."""
    with gzip.open(HERE / "exams.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = map(json.loads, lines)
        return [Exam(row["source"], row["prompt"], row["weak_correct"], row["strong_correct"]) for row in rows]


def examples() -> list[Example]:
    """All requests of our own."""
    found = []
    tier, kind = "", ""
    for line in (HERE / "examples.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            tier, kind = line[3:].split()
        elif line and not line.startswith("#"):
            found.append(Example(TIERS[[*TIERS].index(tier)], kind, line.replace("\\n", "\n")))  # type: ignore[arg-type]
    return found
