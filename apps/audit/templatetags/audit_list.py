"""The lines above and below the list of audit events."""

from typing import Any

from django.contrib.admin.templatetags.admin_list import pagination
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.template import Library

from apps.audit import periods
from apps.audit.models import AuditEvent
from apps.audit.paging import MOST_COUNTED

register = Library()


@register.inclusion_tag("admin/audit/auditevent/dates.html")
def audit_dates(cl: ChangeList) -> dict[str, Any]:
    """Into years, months and days, and out again. Two index probes; Django's own reads every row for this."""
    chosen = cl.params.get("when", "")
    times = AuditEvent.objects.values_list("at", flat=True)
    first, last = times.order_by("at").first(), times.order_by("-at").first()
    if first is None or last is None:
        return {}
    choices = periods.children(chosen, first=first, last=last)
    back = periods.parent(chosen)
    return {
        "back": {"title": back.title, "link": _link(cl, back.value)} if back else None,
        "choices": [{"title": choice.title, "link": _link(cl, choice.value)} for choice in choices],
    }


@register.inclusion_tag("admin/audit/auditevent/pages.html")
def audit_pages(cl: ChangeList) -> dict[str, Any]:
    """Django's pages; where the count ended, a link that goes on with older rows."""
    rows = list(cl.result_list)
    bounded = cl.result_count >= MOST_COUNTED
    older = cl.get_query_string({"older": str(rows[-1].pk)}, [PAGE_VAR]) if bounded and rows else ""
    return {**pagination(cl), "bounded": bounded, "older": older}


def _link(cl: ChangeList, period: str) -> str:
    without = [PAGE_VAR, "older"]
    return cl.get_query_string({"when": period}, without) if period else cl.get_query_string({}, [*without, "when"])
