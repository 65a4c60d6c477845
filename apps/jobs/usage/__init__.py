"""Usage: what was asked, what it took and what it cost. One source for API, admin and dashboard.

`series`, `totals` and `top` read; `note` and `note_refusal` count where a job ends; `fold` and `raise_drifts` are the
sweep's.
"""

from apps.jobs.usage.drifting import raise_drifts
from apps.jobs.usage.figures import Figures, together
from apps.jobs.usage.folding import fold
from apps.jobs.usage.histograms import Spread
from apps.jobs.usage.noting import note, note_refusal
from apps.jobs.usage.reading import DIMENSIONS, Dimension, Row, Scope, Series, TooMuch, quarters, series, top, totals
from apps.jobs.usage.spans import STEPS, StepName

__all__ = [
    "DIMENSIONS",
    "STEPS",
    "Dimension",
    "Figures",
    "Row",
    "Scope",
    "Series",
    "Spread",
    "StepName",
    "TooMuch",
    "fold",
    "note",
    "note_refusal",
    "quarters",
    "raise_drifts",
    "series",
    "together",
    "top",
    "totals",
]
