"""How figures, bars and links look in the admin's lists."""

from collections.abc import Iterable
from datetime import datetime

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.audit.showing import link
from apps.budgets.fitting import BudgetState, Count, Measure
from apps.keys.models import ApiKey, Project
from apps.permissions.words import dollars


def figure(amount: int, measure: Measure) -> str:
    """`$0.0042`, `12,400 tokens`."""
    return dollars(amount) if measure == "microusd" else f"{amount:,} tokens"


def few(tokens: int) -> SafeString:
    """`950`, `12.4k`, `3.97M`, with the exact figure for those who point at it."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if tokens >= size:
            return format_html('<span title="{}">{}{}</span>', f"{tokens:,}", f"{tokens / size:.3g}", unit)
    return SafeString(tokens)


def change(amount: int, measure: Measure) -> str:
    """`+$1.00`, `−15 tokens`; a dash for nothing."""
    if not amount:
        return "–"
    return ("−" if amount < 0 else "+") + figure(abs(amount), measure)


def bar(count: Count, measure: Measure, *, thresholds: Iterable[int], elapsed_percent: float | None) -> SafeString:
    """Spent, held and free as one bar, with marks at the thresholds and a tick for now. Empty without a limit.

    Drawn as SVG, whose lengths are attributes: our pages allow no inline styles.
    """
    if count.limit is None:
        return SafeString("")
    whole = max(count.limit, count.spent + count.reserved, 1)
    spent, taken = _percent(count.spent, whole), _percent(count.spent + count.reserved, whole)
    marks = [_percent(count.limit * threshold, whole * 100) for threshold in thresholds]
    words = f"{figure(count.spent, measure)} spent, {figure(count.reserved, measure)} held of "
    return format_html(
        '<svg class="budget-bar{}" role="img" aria-label="{}" width="120" height="12">'
        '<rect class="free" width="100%" height="100%" rx="2"/><rect class="spent" width="{}%" height="100%"/>'
        '<line class="held" x1="{}%" x2="{}%" y1="6" y2="6"/>{}{}</svg>',
        " over" if count.spent >= count.limit else "",
        words + figure(count.limit, measure),
        spent,
        spent,
        taken,
        format_html_join("", '<line class="mark" x1="{}%" x2="{}%" y1="0" y2="100%"/>', ((x, x) for x in marks)),
        ""
        if elapsed_percent is None
        else format_html('<line class="now" x1="{0}%" x2="{0}%" y1="0" y2="100%"/>', round(elapsed_percent, 1)),
    )


def elapsed(state: BudgetState, *, rolling: bool, now: datetime) -> float | None:
    """How much of a calendar window has passed, in per cent; None where it has no end."""
    if rolling or state.resets_at is None:
        return None
    return 100 * (now - state.starts_at) / (state.resets_at - state.starts_at)


def figures(lines: Iterable[str]) -> SafeString:
    """One under the other, to be read down."""
    return format_html_join("", '<div class="figure">{}</div>', ((line,) for line in lines))


def job(job_id: str) -> SafeString:
    """The end of a job's id, which tells it from others; all of it for those who point at it."""
    short = format_html('<code title="{}">…{}</code>', job_id, job_id[-8:])
    return link(short, "jobs_job", job_id)


def owner(project: Project, key: ApiKey | None) -> SafeString:
    """The project, and the key where there is one."""
    ours = link(project, "keys_project", project.pk)
    return ours if key is None else format_html("{} › {}", ours, link(key.name, "keys_apikey", key.pk))


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2)
