"""What the scorer looks at: a dozen families of marks in a prompt, each a number from 0 to 1. Pure.

Adding a feature here gives it the weight 0 until a version of the weights names it.
"""

import re
from collections import Counter
from math import log2

from apps.routing.question import Question

_HEAD, _TAIL = 3_000, 1_000
"""Of a long text only its beginning and its end are searched: a request says what it wants there."""


_CODE = r"```|\bdef \w+\(|\bclass \w+|[;{}]\s*\n|=>|\bimport \w+|#include|\bSELECT\b|</\w+>|\w+\(\)"
_FILES = r"\b[\w/.-]+\.(?:py|js|ts|tsx|go|rs|java|c|h|cpp|sql|yml|yaml|json|md|toml|sh|css|html|log)\b"
_MATHS = r"[=^∑∫√≤≥≠∈∀∃→]|\\(?:frac|sum|int|sqrt)|\b\d+\s*[-+*/×]\s*\d+|\b[a-z]\([a-z]\)"
_TRACE = r"Traceback|Exception|\bat \w[\w.]*\(|\b(?:E|panic|FATAL|error)\b:|segfault|line \d+"
_COUNTED: dict[str, tuple[re.Pattern[str], int, str]] = {
    "code": (re.compile(_CODE), 4, "code"),
    "trace": (re.compile(_TRACE), 2, "an error or a stack trace"),
    "files": (re.compile(_FILES), 3, "names of files"),
    "maths": (re.compile(_MATHS), 4, "formulas"),
    "numbers": (re.compile(r"\d+(?:[.,]\d+)*"), 8, "numbers"),
    "questions": (re.compile(r"\?"), 3, "questions"),
    "options": (re.compile(r"^[A-E][.)] ", re.M), 4, "answers to choose from"),
    "list": (re.compile(r"^\s*(?:[-*•]|\d+[.)])\s", re.M), 6, "a list of points"),
    "lines": (re.compile(r"\n"), 20, "lines"),
    "quoted": (re.compile(r"[\"“”«»]"), 6, "quotations"),
    "capitals": (re.compile(r"\b[A-Z]{2,6}\b"), 4, "abbreviations"),
}
"""Marks: what is counted, the count that makes the feature 1, and what it is called."""

_SAID: dict[str, tuple[str, int, str]] = {
    "design": (
        (
            "design architect architecture propose strategy roadmap trade tradeoff tradeoffs plan planning "
            "evaluate scalable scale strategic model modelling"
        ),
        2,
        "designing or weighing",
    ),
    "prove": (
        (
            "prove proof derive derivation theorem lemma rigorous rigorously formal formally invariant "
            "invariants counterexample optimal optimality correctness"
        ),
        1,
        "proving or deriving",
    ),
    "investigate": (
        (
            "investigate diagnose debug root race deadlock intermittent intermittently flaky leak leaks why "
            "reproduce bisect regression regressed corrupt corruption corrupted"
        ),
        2,
        "finding a cause",
    ),
    "engineer": (
        (
            "distributed concurrent concurrency consensus lock compiler kernel transaction transactions "
            "isolation sharding replicate replication consistency idempotent idempotency protocol "
            "cryptographic cryptography thread threads parallel async downtime compatible"
        ),
        2,
        "hard engineering",
    ),
    "change": (
        (
            "refactor migrate migration rewrite port upgrade redesign restructure overhaul entire whole "
            "codebase repository everywhere across all modules services"
        ),
        3,
        "a change in many places",
    ),
    "build": (
        "implement build create write add develop generate produce make",
        2,
        "making something",
    ),
    "explain": (
        "explain describe how compare difference between discuss pros cons example",
        2,
        "explaining",
    ),
    "simple": (
        (
            "translate summarise summarize summary rephrase spell convert extract classify categorise "
            "categorize list rename format shorten typo typos capital synonym synonyms define definition "
            "bullet title tag label yes sentiment rhyme rhymes lowercase uppercase sort alphabetical "
            "alphabetically"
        ),
        2,
        "a simple chore",
    ),
    "small": (
        "hi hello hey thanks thank please quick quickly short brief briefly simple just one single only",
        2,
        "being brief",
    ),
    "steps": (
        "then after afterwards finally first second third next step steps until while each every once before",
        4,
        "several steps",
    ),
    "bounds": (
        (
            "must without exactly least most only never always unless except ensure guarantee constraint "
            "constraints require requires required requirement requirements should"
        ),
        4,
        "conditions",
    ),
    "reason": (
        (
            "because therefore hence if implies assume suppose given consider justify argue reason reasons "
            "cause consequence consequences critique analyse analyze analysis"
        ),
        3,
        "reasoning",
    ),
    "operate": (
        (
            "run execute open read grep search find fetch check test tests commit deploy install file folder "
            "directory print show count"
        ),
        4,
        "handling files and commands",
    ),
    "expert": (
        (
            "legal law court contract liable liability patient patients clinical diagnosis treatment "
            "financial valuation tax regulatory compliance gdpr hipaa statistical statistics bayesian "
            "hypothesis regression causal"
        ),
        2,
        "a profession's knowledge",
    ),
}
"""Families of words, likewise."""
_FAMILIES: dict[str, list[str]] = {}
for _name, (_vocabulary, _, _label) in _SAID.items():
    for _word in _vocabulary.split():
        _FAMILIES.setdefault(_word, []).append(_name)

NAMES: dict[str, str] = {
    "length": "length of the prompt",
    "long": "a long prompt",
    "very_short": "a very short prompt",
    "context": "what came before it",
    "turns": "earlier turns",
    "tools": "tools to use",
    "images": "images",
    "task": "work with tools",
    "structured": "a schema to keep to",
    **{name: label for family in (_COUNTED, _SAID) for name, (_, _, label) in family.items()},
}
NAMES |= {f"choice:{name}": f"in a choice of answers: {label}" for name, label in NAMES.items()}
"""Every feature, and what it is called where the decision is explained. In a prompt that offers answers to choose from
each feature counts a second time, as length or formulas mean something else there."""

_WORD = re.compile(r"[a-z]{2,}")


def features(question: Question) -> dict[str, float]:
    """The features that are not 0."""
    text = excerpt(question.text)
    chars = len(question.text)
    found = {
        "length": min(1.0, log2(1 + chars) / 14),
        "long": min(1.0, chars / 6_000),
        "very_short": 1.0 if chars < 60 else 0.0,
        "context": min(1.0, log2(1 + question.context_chars) / 18),
        "turns": min(1.0, question.earlier_turns / 10),
        "tools": min(1.0, question.tools / 8),
        "images": min(1.0, question.images / 2),
        "task": float(question.task),
        "structured": float(question.structured),
    }
    for name, (pattern, full, _) in _COUNTED.items():
        found[name] = min(1.0, _count(pattern, text, full) / full)
    said = Counter(name for word in _WORD.findall(text.lower()) if word in _FAMILIES for name in _FAMILIES[word])
    for name, times in said.items():
        found[name] = min(1.0, times / _SAID[name][1])
    marks = {name: value for name, value in found.items() if value}
    return marks | {f"choice:{name}": value for name, value in marks.items()} if "options" in marks else marks


def words(text: str) -> set[str]:
    """The words of a text that may have a weight of their own."""
    return set(_WORD.findall(excerpt(text).lower()))


def excerpt(text: str) -> str:
    """What is searched."""
    return text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]}\n{text[-_TAIL:]}"


def _count(pattern: re.Pattern[str], text: str, most: int) -> int:
    count = 0
    for _ in pattern.finditer(text):
        count += 1
        if count == most:
            break
    return count
