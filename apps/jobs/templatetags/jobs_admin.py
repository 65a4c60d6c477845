"""Figures and words of the admin's job page."""

from collections.abc import Iterable

from django.template import Library
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.jobs.models import Call, Job
from apps.permissions import words

register = Library()
MARKS = {"queued": "○", "in_progress": "◐", "completed": "✓", "failed": "✕", "cancelled": "–"}


@register.simple_tag
def job_status(job: Job) -> SafeString:
    """A mark and a word; colour says nothing that they do not."""
    return format_html(
        '<span class="job-status {}">{} {}</span>', job.status, MARKS[job.status], job.get_status_display()
    )


def few(tokens: int) -> str:
    """`950`, `12.4k`, `3.97M`."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if tokens >= size:
            return f"{tokens / size:.3g}{unit}"
    return str(tokens)


@register.filter
def grouped(number: int) -> str:
    """`12,400`."""
    return f"{number:,}"


@register.filter
def dollars(microusd: int) -> str:
    """The exact amount."""
    return words.dollars(microusd)


@register.filter
def signed_dollars(microusd: int) -> str:
    """`+$1.00`, `−$0.25`; a dash for nothing."""
    return f"{'−' if microusd < 0 else '+'}{words.dollars(abs(microusd))}" if microusd else "–"


@register.filter
def cache_writes(call: Call) -> int:
    """Tokens written to the cache, for five minutes and for an hour."""
    return call.cache_creation_5m_input_tokens + call.cache_creation_1h_input_tokens


@register.filter
def sum_of_calls(calls: Iterable[Call]) -> int:
    """What they cost together, in micro-dollars."""
    return sum(call.cost_microusd for call in calls)
