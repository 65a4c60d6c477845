"""Budgets in the admin: every deed is a call of `services`."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.audit.paging import BoundedPaginator
from apps.audit.showing import NONE, deed, links, moment
from apps.budgets import services
from apps.budgets.admin.forms import BudgetForm, IncreaseForm, ReasonForm
from apps.budgets.admin.showing import bar, elapsed, few, figure, owner
from apps.budgets.fitting import MEASURES, BudgetState
from apps.budgets.models import Budget
from apps.permissions.words import dollars

SCOPE = ["project", "api_key"]
PERIOD = ["period", "rolling", "time_zone", "anchor"]
ALERTS = ["thresholds", "webhook_url", "webhook_secret", "emails"]
NOW = ["present", "increase", "active", "created_at", "updated_at", "more"]


class _Budgets(ChangeList):
    """The list, with how each of its budgets stands: two or three queries for all of them."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        budgets = list(self.result_list)
        for budget, state in zip(budgets, services.states_of(budgets, now=timezone.now()), strict=True):
            budget.__dict__["state"] = state
        self.result_list = budgets


class ScopeFilter(admin.SimpleListFilter):
    """What it binds."""

    title = "scope"
    parameter_name = "scope"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("project", "Whole projects"), ("key", "Single keys")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Budget]) -> QuerySet[Budget]:
        wanted = {"project": queryset.filter(api_key=None), "key": queryset.exclude(api_key=None)}
        return wanted.get(self.value() or "", queryset)


@admin.register(Budget)
class BudgetAdmin(admin.ModelAdmin[Budget]):
    """What projects and keys may spend. Never deleted: the ledger names them; they are deactivated."""

    form = BudgetForm
    change_form_template = "budgets/budget.html"
    list_display = ["title", "whose", "standing", "left", "resets", "active"]
    list_select_related = ["project", "api_key"]
    list_filter = ["active", ScopeFilter, "period", "rolling"]
    search_fields = ["name", "project__slug", "api_key__name", "api_key__public_id"]
    ordering = ["-pk"]
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    autocomplete_fields = ["project", "api_key"]
    actions = ["increase_selected", "deactivate_selected", "activate_selected"]

    class Media:
        css = {"all": ["budgets/budgets.css"]}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return _Budgets

    # -- what lists and pages show

    @admin.display(description="Budget", ordering="name")
    def title(self, budget: Budget) -> SafeString:
        """Its name, or its period where it has none."""
        return format_html("{} <small>{}</small>", budget.name or "Budget", budget.span)

    @admin.display(description="Of", ordering="project__slug")
    def whose(self, budget: Budget) -> SafeString:
        """The project, or one of its keys."""
        return owner(budget.project, budget.api_key)

    @admin.display(description="Limit", ordering="limit_microusd")
    def limit(self, budget: Budget) -> SafeString:
        """With a temporary increase."""
        return _lines(budget, lambda state, measure: figure(state.count(measure).limit or 0, measure))

    @admin.display(description="Spent and held")
    def standing(self, budget: Budget) -> SafeString:
        """As a bar, and in words for those who do not see it."""
        now = timezone.now()

        def drawn(state: BudgetState, measure: Any) -> SafeString:
            passed = elapsed(state, rolling=budget.rolling, now=now)
            return bar(state.count(measure), measure, thresholds=budget.thresholds, elapsed_percent=passed)

        return _lines(budget, drawn)

    @admin.display(description="Left")
    def left(self, budget: Budget) -> SafeString:
        """What is neither spent nor held, of how much."""

        def line(state: BudgetState, measure: Any) -> SafeString:
            count = state.count(measure)
            left, limit = count.remaining or 0, count.limit or 0
            if measure == "tokens":
                return format_html("{} of {} tokens", few(left), few(limit))
            return format_html("{} of {}", dollars(left), dollars(limit))

        return _lines(budget, line)

    @admin.display(description="Resets")
    def resets(self, budget: Budget) -> SafeString:
        """When its window ends, or the next of a rolling budget's spend is forgotten."""
        return moment(_state(budget).resets_at)

    @admin.display(description="More")
    def more(self, budget: Budget) -> SafeString:
        """Its windows, holds, statement and record."""
        return links(
            ("Windows", "budgets_budgetwindow", {"budget__id__exact": budget.pk}),
            ("Holds", "budgets_hold", {"window__budget__id__exact": budget.pk}),
            ("Ledger", "budgets_ledgerentry", {"window__budget__id__exact": budget.pk}),
            ("Changes", "audit_auditevent", {"target_id": budget.pk}),
        )

    @admin.display(description="Now")
    def present(self, budget: Budget) -> SafeString:
        """As bars, and each measure in a line."""

        def line(state: BudgetState, measure: Any) -> str:
            count = state.count(measure)
            parts = ((count.spent, "spent"), (count.reserved, "held"), (count.remaining or 0, "left"))
            return ", ".join(f"{figure(amount, measure)} {word}" for amount, word in parts)

        return format_html("{}{}", self.standing(budget), _lines(budget, line))

    @admin.display(description="Temporary increase", empty_value="None")
    def increase(self, budget: Budget) -> str | None:
        """What it is and when it ends."""
        if budget.extra_until is None or budget.extra_until <= timezone.now():
            return None
        money = [dollars(budget.extra_microusd)] if budget.extra_microusd else []
        tokens = [f"{budget.extra_tokens:,} tokens"] if budget.extra_tokens else []
        return f"{' and '.join(money + tokens)} until {budget.extra_until:%d %b %Y %H:%M} UTC"

    # -- who may do what

    def get_fieldsets(self, request: HttpRequest, obj: Budget | None = None) -> Any:
        limit = ("Limit", {"fields": ["limit_usd" if self._edits(request, obj) else "limit", "limit_tokens"]})
        alerts = [name for name in ALERTS if name != "webhook_secret" or self._edits(request, obj)]
        groups = [(None, {"fields": [*SCOPE, "name"]}), limit, ("Period", {"fields": PERIOD})]
        groups.append(("Alerts", {"fields": alerts}))
        if obj is not None:
            groups.append(("Now", {"fields": NOW}))
        return [*groups, ("Record", {"fields": ["reason"]})] if obj and self._edits(request, obj) else groups

    def get_readonly_fields(self, request: HttpRequest, obj: Budget | None = None) -> list[str]:
        if obj is None:
            return []
        return [*SCOPE, *PERIOD, *NOW, *([] if self._edits(request, obj) else ["limit"])]

    def has_delete_permission(self, request: HttpRequest, obj: Budget | None = None) -> bool:
        return False

    def _edits(self, request: HttpRequest, obj: Budget | None) -> bool:
        return obj is None or self.has_change_permission(request, obj)

    # -- deeds

    def save_model(self, request: HttpRequest, obj: Budget, form: Any, change: bool) -> None:
        terms, secret = form.terms(), ""
        if change:
            budget = Budget.objects.get(pk=obj.pk)  # as it is, for the form has changed `obj`
            secret = budget.webhook_secret
            services.edit(budget=budget, terms=terms, reason=form.cleaned_data["reason"], **deed(request))
        else:
            budget = services.create(
                project=obj.project, api_key=obj.api_key, cycle=form.cycle(), terms=terms, **deed(request)
            )
        obj.__dict__.update(budget.__dict__)
        if budget.webhook_secret not in (secret, terms.webhook_secret):
            setattr(request, "made_secret", budget.webhook_secret)  # noqa: B010  for the answer to this request only

    def response_add(self, request: HttpRequest, obj: Budget, post_url_continue: str | None = None) -> HttpResponse:
        return self._secret(request, obj) or super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Budget) -> HttpResponse:
        return self._secret(request, obj) or super().response_change(request, obj)

    def _secret(self, request: HttpRequest, budget: Budget) -> HttpResponse | None:
        """The page with a signing secret that was made, and not a redirect: it is in no session, cookie or history."""
        secret = getattr(request, "made_secret", None)
        if secret is None:
            return None
        context = self.admin_site.each_context(request) | {"title": "Signing secret", "opts": self.opts}
        context |= {"budget": budget, "secret": secret}
        return TemplateResponse(request, "budgets/secret.html", context)

    @admin.action(description="Increase for a while", permissions=["change"])
    def increase_selected(self, request: HttpRequest, queryset: QuerySet[Budget]) -> HttpResponse | None:
        """Ask how much more and until when."""
        form = IncreaseForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return self._ask(request, queryset, form, title="Increase budgets", action="increase_selected")
        facts = form.cleaned_data
        for budget in queryset:
            try:
                services.increase_temporarily(
                    budget=budget,
                    extra_microusd=facts["extra_usd"] or 0,
                    extra_tokens=facts["extra_tokens"] or 0,
                    until=facts["until"],
                    reason=facts["reason"],
                    **deed(request),
                )
                self.message_user(request, f"{budget}: increased.", messages.SUCCESS)
            except ValidationError as fault:
                self.message_user(request, f"{budget}: {' '.join(fault.messages)}", messages.ERROR)
        return None

    @admin.action(description="Deactivate", permissions=["change"])
    def deactivate_selected(self, request: HttpRequest, queryset: QuerySet[Budget]) -> HttpResponse | None:
        """Ask why: what they limit is unlimited afterwards."""
        form = ReasonForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return self._ask(request, queryset, form, title="Deactivate budgets", action="deactivate_selected")
        reason = form.cleaned_data["reason"]
        count = sum(services.deactivate(budget=budget, reason=reason, **deed(request)) for budget in queryset)
        self.message_user(request, f"{count} budget{'s' * (count != 1)} deactivated.", messages.SUCCESS)
        return None

    @admin.action(description="Activate", permissions=["change"])
    def activate_selected(self, request: HttpRequest, queryset: QuerySet[Budget]) -> None:
        """They bind again from now on."""
        count = sum(services.activate(budget=budget, **deed(request)) for budget in queryset)
        self.message_user(request, f"{count} budget{'s' * (count != 1)} activated.", messages.SUCCESS)

    def _ask(
        self, request: HttpRequest, queryset: QuerySet[Budget], form: ReasonForm, *, title: str, action: str
    ) -> HttpResponse:
        """The page between an action and its deed."""
        rows = [(budget.pk, f"{budget} of {budget.project}") for budget in queryset.select_related("project")]
        context = self.admin_site.each_context(request) | {"title": title, "opts": self.opts, "form": form}
        context |= {"rows": rows, "action": action, "media": self.media + form.media}
        return TemplateResponse(request, "budgets/ask.html", context)


def _state(budget: Budget) -> BudgetState:
    """How it stands: as the list found out, or asked for this one."""
    known: BudgetState | None = budget.__dict__.get("state")
    if known is None:
        (known,) = services.states_of([budget], now=timezone.now())
        budget.__dict__["state"] = known
    return known


def _lines(budget: Budget, show: Any) -> SafeString:
    """One line for each measure that is limited."""
    state = _state(budget)
    shown = ((show(state, measure),) for measure in MEASURES if state.count(measure).limit is not None)
    return format_html_join("", '<div class="figure">{}</div>', shown) or NONE
