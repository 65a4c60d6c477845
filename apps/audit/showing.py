"""How the admin of every app shows moments and links, who acts in it, and how its rows leave as a file."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.audit import services
from apps.audit.exporting import safe_cell

NONE = SafeString("–")
MOST_EXPORTED = 20_000
"""Rows of one file; who needs more narrows by time, or asks a command."""


def deed(request: HttpRequest) -> dict[str, Any]:
    """Who acts, from where and when, for the services."""
    actor = f"user:{request.user.get_username()}"
    return {"actor": actor, "now": timezone.now(), "ip": request.META.get("REMOTE_ADDR") or None}


def moment(value: datetime | None) -> SafeString:
    """`23 Nov 00:19`, with the exact time for those who point at it; a dash for none."""
    if value is None:
        return NONE
    exact = f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return format_html('<time datetime="{}" title="{}">{}</time>', value.isoformat(), exact, f"{value:%d %b %H:%M}")


def link(text: object, name: str, pk: object) -> SafeString:
    """A link to a row's page; the text alone where there is no such page."""
    try:
        return format_html('<a href="{}">{}</a>', reverse(f"admin:{name}_change", args=[pk]), text)
    except NoReverseMatch:
        return format_html("{}", text)


def links(*targets: tuple[str, str, dict[str, object]]) -> SafeString:
    """Links to other lists, narrowed by a query; lists that this install does not have are left out."""
    found = []
    for text, name, query in targets:
        try:
            found.append((f"{reverse(f'admin:{name}_changelist')}?{urlencode(query)}", text))
        except NoReverseMatch:
            continue
    return format_html_join(" · ", '<a href="{}">{}</a>', found) or NONE


def csv_file(
    request: HttpRequest, *, name: str, titles: Sequence[str], rows: Iterable[Sequence[object]]
) -> HttpResponse:
    """`name.csv` with these rows, no cell of which is a formula to a spreadsheet; the export is on record first."""
    chosen = len(request.POST.getlist("_selected_action"))
    with transaction.atomic():
        services.record(
            action=f"{name}.exported",
            target_type=name,
            data={"form": "csv", "filters": request.GET.urlencode(), "selected": chosen},
            **deed(request),
        )
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(titles)
    writer.writerows([_cell(value) for value in row] for row in rows)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return HttpResponse(file.getvalue(), content_type="text/csv; charset=utf-8", headers=headers)


def _cell(value: object) -> object:
    """Numbers stay numbers, below zero too."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else safe_cell(value)
