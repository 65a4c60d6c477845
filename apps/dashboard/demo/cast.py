"""Who works in the demonstration, and on what. Nothing of it is real."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["chat", "task"]
HAIKU, SONNET, OPUS = "claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the demonstration and how it is used. `weight`: its share of the project's jobs."""

    name: str
    profile: str
    kind: Kind
    models: tuple[tuple[str, int], ...]
    weight: int
    nightly: bool = False
    """Whether it works while people sleep."""


@dataclass(frozen=True, slots=True)
class Team:
    """A project of the demonstration."""

    slug: str
    name: str
    jobs_a_day: int
    keys: tuple[Key, ...]


TEAMS = (
    Team(
        "atlas",
        "Atlas",
        42,
        (
            Key("support-desk", "free", "chat", ((HAIKU, 8), (SONNET, 2)), 9),
            Key("ci-bot", "pro", "task", ((SONNET, 7), (HAIKU, 3)), 4, nightly=True),
            Key("docs-writer", "pro", "chat", ((SONNET, 6), (OPUS, 1)), 3),
            Key("code-review", "pro", "task", ((SONNET, 5), (OPUS, 3)), 3),
            Key("notebook-mira", "pro", "chat", ((OPUS, 3), (SONNET, 4)), 2),
        ),
    ),
    Team(
        "borealis",
        "Borealis research",
        9,
        (
            Key("paper-digest", "pro", "chat", ((SONNET, 5), (HAIKU, 4)), 4, nightly=True),
            Key("lab-agent", "pro", "task", ((SONNET, 3), (OPUS, 1)), 2),
        ),
    ),
)

QUESTIONS = (
    ("A customer writes that the invoice of October lists the same seat twice. Draft a friendly answer.",
     "Thank you for writing, and for the screenshot.\n\nYou are right: seat 14 appears twice on the October invoice. One line is the seat itself, the other its upgrade on 12 October; our invoice names them the same, which is confusing. You were charged $9.20 for the upgrade, not for a second seat.\n\nI have attached a corrected invoice that says so."),
    ("Summarise this thread in three sentences for the weekly note.",
     "The import now reads files in pieces, so that 2 GB no longer need 2 GB of memory. Two customers have tried it and found one fault with quoted line breaks, which is repaired. It ships on Thursday behind a switch."),
    ("Translate the release notes into German, keep the product names.",
     "Neu in dieser Version:\n\n- Der Import liest große Dateien stückweise.\n- Berichte lassen sich als CSV sichern.\n- Die Anmeldung merkt sich das zuletzt gewählte Projekt."),
    ("Which of these five error messages would a first-time user not understand, and why?",
     "Two of them.\n\n1. “Upstream returned 502” names a cause the reader cannot act on. Say what to do: “The model is not answering. Try again in a minute.”\n2. “Invalid grant” is a term of our own code. Say which permission is missing and who can give it."),
    ("Write a regular expression for order numbers like AB-2024-00317.",
     "`^[A-Z]{2}-\\d{4}-\\d{5}$`\n\nTwo capital letters, a year of four digits and five digits, joined by hyphens."),
    ("Explain to a new colleague why we hold a job's most before it starts.",
     "Because several jobs start at the same moment. If each only looked at what is left, all of them would see the same money and spend it together. A hold takes the most that a job may cost out of the budget before it starts; when the job ends, what it did not need is given back."),
    ("Classify the sentiment of these 40 reviews and list the three most common complaints.",
     "Positive 27, neutral 6, negative 7.\n\nMost common complaints:\n1. Search forgets its filters (5 reviews)\n2. Slow on the train, that is, on poor networks (4)\n3. The export has no header row (3)"),
    ("Suggest a shorter name for the function `calculate_remaining_budget_for_window`.",
     "`remaining`. The module is `budgets` and the argument is a window, so `budgets.remaining(window)` says it all."),
)  # fmt: skip

ERRANDS = (
    ("The nightly build fails in tests/test_export.py. Find out why and repair it.", "tests/test_export.py", "pytest tests/test_export.py -q",
     "E   AssertionError: assert 'name,total' == 'name;total'\n1 failed, 11 passed in 0.84s",
     "The export wrote commas while the test, and the documentation, expect semicolons. The default had been changed in the last commit. I restored it and the whole file passes: 12 tests."),
    ("Review the last commit for mistakes that a test would not find.", "app/billing.py", "git show --stat HEAD",
     " app/billing.py | 34 ++++++++++++++----\n 1 file changed, 27 insertions(+), 7 deletions(-)",
     "Two things.\n\n1. `round()` is used on money. Amounts are integers of micro-dollars everywhere else; here half a cent is lost on every invoice line.\n2. The new loop asks the database once for each line. `select_related('seat')` makes it one query."),
    ("Update the dependencies that have security fixes, one commit each.", "requirements.txt", "pip list --outdated",
     "Package   Version  Latest\nurllib3   2.2.1    2.2.3\njinja2    3.1.3    3.1.4",
     "Both are updated, each in a commit of its own; the tests pass after either. jinja2 3.1.4 changes nothing that the project uses."),
    ("Write a changelog entry for everything since the last tag.", "CHANGELOG.md", "git log --oneline v1.4.0..HEAD",
     "9f1c2aa Import reads files in pieces\n41d0be3 Reports can be saved as CSV\n77a90c1 Sign-in remembers the project",
     "The entry is in CHANGELOG.md under 1.5.0: three lines, in the words of somebody who uses the product."),
    ("Why does the report page take four seconds? Measure, then propose the smallest change.", "app/reports.py", "python -m cProfile -s cumtime report.py | head -5",
     "   312 calls  3.61 s  reports.totals\n   312 calls  3.58 s  sqlite3.execute",
     "It asks for the totals once for each of 312 customers. One query with GROUP BY gives the same numbers in 40 ms; the change is eleven lines in app/reports.py."),
)  # fmt: skip
