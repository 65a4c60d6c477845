"""How deeds are named: `noun.past_participle`, such as `key.issued`, `job.closed`, `login.failed`."""

import re

_FORM = re.compile(
    r"""[a-z][a-z0-9_]*\.(?:[a-z0-9]+_)*
    (?:[a-z]+ed|begun|bought|bound|broken|brought|built|caught|chosen|cut|drawn|found|frozen|given|grown|held|hidden|hit
    |kept|left|lost|made|met|overspent|paid|put|read|rebuilt|reset|run|rung|seen|sent|set|shown|shut|sold|spent|split
    |taken|thrown|told|undone|unset|withdrawn|won|written)""",
    re.VERBOSE,
)
LONGEST = 64


class BadAction(ValueError):
    """An action that is not written as `noun.past_participle`."""


def check(action: str) -> str:
    """The action itself. Raises BadAction."""
    if len(action) > LONGEST or not _FORM.fullmatch(action):
        raise BadAction(f"an action is noun.past_participle, such as key.issued, and not {action!r}")
    return action
