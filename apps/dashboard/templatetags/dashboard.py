"""What the dashboard's templates say: figures, icons and addresses."""

import json
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from django import template
from django.contrib.staticfiles import finders
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from apps.dashboard import figures, icons, palette
from apps.jobs.models import Job

register = template.Library()


@register.filter
def money(microusd: int | None) -> SafeString:
    """A sum, with the exact one where somebody points at it."""
    return format_html('<span class="num" title="{}">{}</span>', figures.exact_money(microusd), figures.money(microusd))


@register.filter
def plain_money(microusd: int | None) -> str:
    """A sum as mere text."""
    return figures.money(microusd)


@register.filter
def usd(microusd: int | None) -> str:
    """A sum as a form takes it."""
    return figures.usd(microusd)


@register.filter
def count(number: int | None) -> SafeString:
    """A count, short, with the exact one where somebody points at it."""
    exact = "" if number is None else f"{number:,}"
    return format_html('<span class="num" title="{}">{}</span>', exact, figures.compact(number))


@register.filter
def duration(seconds: float | timedelta | None) -> SafeString:
    """A length of time."""
    return format_html('<span class="num">{}</span>', figures.duration(seconds))


@register.filter
def ago(moment: datetime | None) -> SafeString:
    """How long ago, with the exact moment where somebody points at it."""
    words = figures.ago(moment, now=timezone.now())
    if moment is None:
        return format_html('<span class="muted">{}</span>', words)
    exact = f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), exact, words)


@register.filter
def moment(value: datetime | None) -> SafeString:
    """A moment to the second."""
    if value is None:
        return format_html('<span class="muted">{}</span>', "–")
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), f"{value:%Y-%m-%d %H:%M:%S} UTC")


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """A drawing; silent to a screen reader unless it has a label."""
    drawn = mark_safe(icons.PATHS[name])  # noqa: S308  # our own constants
    hidden = mark_safe('aria-hidden="true"') if not label else format_html('role="img" aria-label="{}"', label)
    return format_html('<svg class="icon" viewBox="0 0 20 20" {}>{}</svg>', hidden, drawn)


@register.simple_tag
def asset(name: str) -> str:
    """The address of a static file, another one when the file is another: browsers may keep it for ever."""
    return f"{static(name)}?{_stamp(name)}"


@register.simple_tag(takes_context=True)
def query(context: dict[str, Any], **changes: object) -> str:
    """This page's query string with some parameters changed; None or an empty one takes it away."""
    request: HttpRequest = context["request"]
    parameters = request.GET.copy()
    for name, value in changes.items():
        if value in (None, ""):
            parameters.pop(name, None)
        else:
            parameters[name] = str(value)
    return f"?{parameters.urlencode()}"


@cache
def _stamp(name: str) -> str:
    found = finders.find(name)
    return f"{Path(found).stat().st_mtime_ns // 1_000_000:x}" if isinstance(found, str) else "0"


@register.filter
def tokens(job: Job) -> int:
    """All four kinds together."""
    return job.input_tokens + job.output_tokens + job.cache_read_input_tokens + job.cache_creation_input_tokens


@register.filter
def took(job: Job) -> timedelta | None:
    """From its submission to its end, or until now."""
    return (job.finished_at or timezone.now()) - job.created_at


@register.filter
def first_token(job: Job) -> timedelta | None:
    """From its submission to the first token; None before there is one."""
    return job.first_token_at - job.created_at if job.first_token_at else None


@register.filter
def spent_share(job: Job) -> str:
    """What it cost, in per cent of what it might have."""
    return f"{min(100.0, 100 * job.cost_microusd / max(1, job.cap_microusd)):.2f}"


@register.simple_tag
def model(model_id: str) -> SafeString:
    """A model's name with its colour, which is the same on every page."""
    return format_html('<span class="dot {}"></span> {}', palette.class_of(model_id), palette.name_of(model_id))


@register.simple_tag
def amount(value: int | None, measure: str) -> SafeString:
    """Money, or tokens with their unit."""
    if measure == "microusd":
        return money(value)
    return format_html('{} <span class="unit">tokens</span>', count(value))


@register.simple_tag
def share(part: int, whole: int) -> SafeString:
    """A part in per cent, with both where somebody points at it."""
    return format_html('<span class="num" title="{} of {}">{}</span>', part, whole, figures.percent(part, whole))


@register.simple_tag
def change(now: int, before: int | None) -> SafeString:
    """Against the period before, whose sum is there where somebody points at it."""
    words = figures.change(now, before or 0) or ("new" if now else "–")
    return format_html('<span class="num" title="{} before">{}</span>', figures.exact_money(before or 0), words)


@register.filter
def compact(number: float | None) -> str:
    """A count as mere text."""
    return figures.compact(number)


@register.filter
def day(value: datetime) -> SafeString:
    """A day, with the exact moment where somebody points at it."""
    words = figures.day(value, now=timezone.now())
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', value.isoformat(), f"{value:%Y-%m-%d %H:%M} UTC", words
    )


@register.filter
def pretty(value: object) -> str:
    """Data as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) if value else ""
