"""What only the services write, to read in the admin: windows, holds, alerts."""

from typing import Any, TypeVar

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from apps.audit.paging import BoundedPaginator
from apps.audit.showing import NONE, deed, link, links, moment
from apps.budgets import services
from apps.budgets.admin.forms import ReasonForm
from apps.budgets.admin.showing import figure, figures, job, owner
from apps.budgets.fitting import MEASURES
from apps.budgets.models import Alert, BudgetWindow, Hold, Notification

M = TypeVar("M", bound=Model)


class Record(admin.ModelAdmin[M]):
    """Rows to read, newest first, never counted to the end."""

    ordering = ["-pk"]
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    deep_lookups: tuple[str, ...] = ()
    """By what other pages narrow this list."""

    class Media:
        css = {"all": ["budgets/budgets.css"]}

    def get_readonly_fields(self, request: HttpRequest, obj: M | None = None) -> list[str]:
        return [name for name in self.fields or () if isinstance(name, str)]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in self.deep_lookups or super().lookup_allowed(lookup, value, request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False


@admin.register(BudgetWindow)
class BudgetWindowAdmin(Record[BudgetWindow]):
    """Budgets over time."""

    list_display = ["starts", "ends", "title", "of", "spent", "held"]
    list_select_related = ["budget__project", "budget__api_key"]
    fields = ["budget", "of", "starts_at", "ends_at", "horizon_at", "spent", "held", "more"]

    @admin.display(description="From", ordering="starts_at")
    def starts(self, window: BudgetWindow) -> SafeString:
        return moment(window.starts_at)

    @admin.display(description="To", ordering="ends_at")
    def ends(self, window: BudgetWindow) -> SafeString:
        return moment(window.ends_at)

    @admin.display(description="Budget")
    def title(self, window: BudgetWindow) -> SafeString:
        return link(window.budget, "budgets_budget", window.budget_id)

    @admin.display(description="Of")
    def of(self, window: BudgetWindow) -> SafeString:
        return owner(window.budget.project, window.budget.api_key)

    @admin.display(description="Spent")
    def spent(self, window: BudgetWindow) -> SafeString:
        return figures([figure(window.spent_microusd, "microusd"), figure(window.spent_tokens, "tokens")])

    @admin.display(description="Held")
    def held(self, window: BudgetWindow) -> SafeString:
        return figures([figure(window.reserved_microusd, "microusd"), figure(window.reserved_tokens, "tokens")])

    @admin.display(description="More")
    def more(self, window: BudgetWindow) -> SafeString:
        """Its holds, statement and alerts."""
        return links(
            ("Holds", "budgets_hold", {"window__id__exact": window.pk}),
            ("Ledger", "budgets_ledgerentry", {"window__id__exact": window.pk}),
            ("Alerts", "budgets_alert", {"window__id__exact": window.pk}),
        )


@admin.register(Hold)
class HoldAdmin(Record[Hold]):
    """What running jobs keep. A hold whose job is gone can be released by hand."""

    list_display = ["since", "job", "budget", "of", "amount", "state", "expires"]
    list_select_related = ["window__budget", "project", "api_key"]
    list_filter = ["state"]
    search_fields = ["=job_id"]
    search_help_text = "A job's id."
    deep_lookups = ("window__budget__id__exact",)
    fields = ["job_id", "job", "budget", "of", "amount", "state", "created_at", "expires_at", "ended_at", "more"]
    actions = ["release_selected"]

    def has_release_permission(self, request: HttpRequest) -> bool:
        """Those who may change holds."""
        return request.user.has_perm("budgets.change_hold")

    @admin.display(description="Job")
    def job(self, hold: Hold) -> SafeString:
        return job(hold.job_id)

    @admin.display(description="Since", ordering="created_at")
    def since(self, hold: Hold) -> SafeString:
        return moment(hold.created_at)

    @admin.display(description="Expires", ordering="expires_at")
    def expires(self, hold: Hold) -> SafeString:
        return moment(hold.expires_at)

    @admin.display(description="Of")
    def of(self, hold: Hold) -> SafeString:
        return owner(hold.project, hold.api_key)

    @admin.display(description="Budget")
    def budget(self, hold: Hold) -> SafeString:
        return link(hold.window.budget, "budgets_budget", hold.window.budget_id)

    @admin.display(description="Amount")
    def amount(self, hold: Hold) -> SafeString:
        return figures([figure(hold.amount_microusd, "microusd"), figure(hold.amount_tokens, "tokens")])

    @admin.display(description="More")
    def more(self, hold: Hold) -> SafeString:
        """The job's statement and record."""
        return links(
            ("Ledger", "budgets_ledgerentry", {"q": hold.job_id}),
            ("Audit", "audit_auditevent", {"target_id": hold.job_id}),
        )

    @admin.action(description="Release", permissions=["release"])
    def release_selected(self, request: HttpRequest, queryset: QuerySet[Hold]) -> HttpResponse | None:
        """Ask why: a job that runs on could pass its budget."""
        holds = list(queryset.filter(state=Hold.State.HELD).select_related("window__budget", "project"))
        if not holds:
            self.message_user(request, "These holds have ended already.", messages.INFO)
            return None
        form = ReasonForm(request.POST if "confirmed" in request.POST else None)
        if form.is_valid():
            reason = form.cleaned_data["reason"]
            count = sum(services.release_manually(hold=hold, reason=reason, **deed(request)) for hold in holds)
            self.message_user(request, f"{count} hold{'s' * (count != 1)} released.", messages.SUCCESS)
            return None
        rows = [(hold.pk, f"{figure(hold.amount_microusd, 'microusd')} for {hold.job_id}") for hold in holds]
        context = self.admin_site.each_context(request) | {"title": "Release holds", "opts": self.opts, "rows": rows}
        context |= {"form": form, "action": "release_selected", "media": self.media + form.media}
        return TemplateResponse(request, "budgets/ask.html", context)


class NotificationInline(admin.TabularInline[Notification, Alert]):
    """Who was told."""

    model = Notification
    fields = ["channel", "destination", "attempts", "delivered_at", "next_attempt_at", "error"]
    readonly_fields = ["channel", "destination", "attempts", "delivered_at", "next_attempt_at", "error"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Alert)
class AlertAdmin(Record[Alert]):
    """Thresholds that were crossed, and whether the word got through."""

    list_display = ["at", "threshold_percent", "budget", "of", "spent_of", "told"]
    list_select_related = ["window__budget__project", "window__budget__api_key"]
    fields = ["created_at", "threshold_percent", "budget", "of", "spent_of", "period_starts_at"]
    inlines = [NotificationInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alert]:
        return super().get_queryset(request).prefetch_related("notifications")

    @admin.display(description="Threshold")
    def threshold_percent(self, alert: Alert) -> str:
        return f"{alert.threshold} %"

    @admin.display(description="Budget")
    def budget(self, alert: Alert) -> SafeString:
        return link(alert.window.budget, "budgets_budget", alert.window.budget_id)

    @admin.display(description="At", ordering="created_at")
    def at(self, alert: Alert) -> SafeString:
        return moment(alert.created_at)

    @admin.display(description="Of")
    def of(self, alert: Alert) -> SafeString:
        return owner(alert.window.budget.project, alert.window.budget.api_key)

    @admin.display(description="Spent")
    def spent_of(self, alert: Alert) -> str:
        measure = next(known for known in MEASURES if known == alert.measure)
        return f"{figure(alert.spent, measure)} of {figure(alert.limit, measure)}"

    @admin.display(description="Told")
    def told(self, alert: Alert) -> SafeString:
        """One word for each destination."""
        words = [(each.get_channel_display(), _progress(each)) for each in alert.notifications.all()]
        return format_html_join(", ", "{}: {}", words) or NONE


def _progress(notification: Notification) -> str:
    if notification.delivered_at:
        return "delivered"
    return "waiting" if notification.next_attempt_at else "given up"
