"""What people type into the dashboard. A form cleans; the verbs of the lower floors decide."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from apps.budgets.managing import Terms as BudgetTerms
from apps.budgets.models import Budget
from apps.budgets.models.budgets import MOST_MICROUSD, MOST_TOKENS, Period
from apps.budgets.periods import Cycle, period_name
from apps.claude.catalog import MODELS
from apps.dashboard import figures
from apps.keys.models import ApiKey, Project, Role
from apps.keys.networks import validate_networks
from apps.keys.rates import Limits
from apps.keys.rotation import LONGEST_OVERLAP
from apps.keys.terms import Terms
from apps.permissions.models import DEFAULT_SLUG, Profile

MICRO = 1_000_000
OVERLAPS = {
    "hour": ("1 hour", timedelta(hours=1)),
    "day": ("1 day", timedelta(days=1)),
    "week": ("7 days", timedelta(days=7)),
    "month": ("30 days", timedelta(days=30)),
    "none": ("Not at all: its jobs and sockets end now", timedelta(0)),
}
assert all(overlap <= LONGEST_OVERLAP for _, overlap in OVERLAPS.values())


class Dollars(forms.DecimalField):
    """US dollars, exact to a micro-dollar; the value is in micro-dollars."""

    def __init__(self, **options: Any) -> None:
        widget = forms.NumberInput(attrs={"step": "any", "min": "0", "inputmode": "decimal"})
        limits = {"min_value": 0, "max_value": MOST_MICROUSD // MICRO, "decimal_places": 6, "widget": widget}
        super().__init__(**{**limits, **options})

    def clean(self, value: Any) -> int | None:
        amount: Decimal | None = super().clean(value)
        return None if amount is None else int(amount * MICRO)


class Moment(forms.DateTimeField):
    """A moment in UTC, as a browser's own field gives it."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(widget=widget, **options)


class KeyForm(forms.Form):
    """A key's terms."""

    name = forms.CharField(max_length=100, help_text="What it is for, such as ci-bot. Lists and bills show it.")
    profile = forms.ModelChoiceField(
        Profile.objects.order_by("max_cost_microusd", "slug"),
        required=False,
        empty_label=f"The default ({DEFAULT_SLUG})",
        help_text="What the key may use: tools, agents, skills and models.",
    )
    expires_at = Moment(label="Ends (UTC)", required=False, help_text="Empty: never.")
    default_model = forms.ChoiceField(
        required=False,
        choices=[("", "The service's default"), *((model.alias or model.id, model.display_name) for model in MODELS)],
        help_text="For requests that name no model.",
    )
    requests_per_minute = forms.IntegerField(required=False, min_value=1, help_text="Empty: no limit.")
    tokens_per_minute = forms.IntegerField(required=False, min_value=1, help_text="All kinds. Empty: no limit.")
    concurrent_jobs = forms.IntegerField(
        label="Jobs at a time", required=False, min_value=1, help_text="Empty: what the profile allows."
    )
    allowed_networks = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text="Where it may be used from, one a line, such as 192.0.2.0/24. Empty: anywhere.",
    )

    @classmethod
    def of(cls, key: ApiKey, data: Any = None) -> "KeyForm":
        """The form of a key that is there."""
        initial = Terms.of(key).columns() | {"allowed_networks": "\n".join(key.allowed_networks)}
        return cls(data, initial=initial)

    def clean_allowed_networks(self) -> list[str]:
        networks = list(dict.fromkeys(self.cleaned_data["allowed_networks"].split()))
        validate_networks(networks)
        return networks

    def terms(self) -> Terms:
        """What was typed, as one value."""
        given = self.cleaned_data
        return Terms(
            name=given["name"],
            profile=given["profile"],
            expires_at=given["expires_at"],
            limits=Limits(given["requests_per_minute"], given["tokens_per_minute"], given["concurrent_jobs"]),
            allowed_networks=tuple(given["allowed_networks"]),
            default_model=given["default_model"],
        )


class RotateForm(forms.Form):
    """How long the old key works on."""

    overlap = forms.ChoiceField(
        label="The old key works on for",
        choices=[(name, words) for name, (words, _) in OVERLAPS.items()],
        initial="day",
        help_text="Put the new key into use meanwhile.",
    )

    def value(self) -> timedelta:
        """The choice as a time."""
        return OVERLAPS[self.cleaned_data["overlap"]][1]


class BudgetTermsForm(forms.Form):
    """What can be changed about a budget."""

    name = forms.CharField(max_length=100, required=False, help_text="What refusals and alerts call it.")
    limit_usd = Dollars(label="Limit in US dollars", required=False, help_text="Empty: money is not limited.")
    limit_tokens = forms.IntegerField(
        label="Limit in tokens",
        required=False,
        min_value=1,
        max_value=MOST_TOKENS,
        help_text="All four kinds together.",
    )
    thresholds = forms.CharField(
        label="Tell somebody at (per cent)", required=False, initial="80, 95", help_text="Once in each window."
    )
    emails = forms.CharField(
        label="E-mail addresses", required=False, max_length=1000, help_text="Commas between them."
    )
    webhook_url = forms.CharField(
        label="Webhook", required=False, max_length=500, help_text="Where alerts are posted, signed. Only https."
    )

    @classmethod
    def of(cls, budget: Budget, data: Any = None) -> "BudgetTermsForm":
        """The form of a budget that is there."""
        initial = {
            "name": budget.name,
            "limit_usd": figures.usd(budget.limit_microusd),
            "limit_tokens": budget.limit_tokens,
            "thresholds": ", ".join(map(str, budget.thresholds)),
            "emails": budget.emails,
            "webhook_url": budget.webhook_url,
        }
        return cls(data, initial=initial)

    def clean_thresholds(self) -> tuple[int, ...]:
        words = self.cleaned_data["thresholds"].replace("%", " ").replace(",", " ").split()
        try:
            return tuple(int(word) for word in words)
        except ValueError:
            raise ValidationError("Give whole per cents with commas between them, such as 80, 95.") from None

    def terms(self) -> BudgetTerms:
        """What was typed, as one value."""
        given = self.cleaned_data
        return BudgetTerms(
            name=given["name"],
            limit_microusd=given["limit_usd"],
            limit_tokens=given["limit_tokens"],
            thresholds=given["thresholds"],
            webhook_url=given["webhook_url"],
            emails=given["emails"],
        )


class BudgetForm(BudgetTermsForm):
    """A new budget: its scope and period too, which never change."""

    api_key = forms.ModelChoiceField(
        ApiKey.objects.none(), label="For", required=False, empty_label="The whole project", to_field_name="public_id"
    )
    period = forms.ChoiceField(choices=[(str(p), str(p.label).capitalize()) for p in Period], initial="month")
    rolling = forms.BooleanField(
        required=False, help_text="Look back over the last 24 hours, 7 or 30 days instead of starting anew at midnight."
    )
    time_zone = forms.ChoiceField(
        choices=lambda: [("UTC", "UTC"), *((z, z) for z in sorted(available_timezones() - {"UTC", "localtime"}))],
        initial="UTC",
        help_text="Whose midnight it is.",
    )
    anchor = forms.IntegerField(
        label="First day", initial=1, min_value=1, max_value=31, help_text="Of a week 1 to 7, of a month 1 to 31."
    )
    field_order = ("name", "api_key", "period", "limit_usd", "limit_tokens", "rolling", "time_zone", "anchor")

    def __init__(self, project: Project, data: Any = None) -> None:
        super().__init__(data)
        keys = ApiKey.objects.filter(project=project, revoked_at=None).order_by("-pk")
        self.fields["api_key"].queryset = keys  # type: ignore[attr-defined]

    def cycle(self) -> Cycle:
        """How its windows follow each other."""
        given = self.cleaned_data
        return Cycle(period_name(given["period"]), given["rolling"], given["time_zone"], given["anchor"])


class IncreaseForm(forms.Form):
    """A temporary increase."""

    extra_usd = Dollars(label="More US dollars", required=False)
    extra_tokens = forms.IntegerField(label="More tokens", required=False, min_value=0, max_value=MOST_TOKENS)
    until = Moment(label="Until (UTC)")
    reason = forms.CharField(max_length=200, help_text="The record keeps it.")

    def __init__(self, budget: Budget, data: Any = None, *, until: datetime | None = None) -> None:
        super().__init__(data, initial={"until": until})
        limits: dict[str, int | None] = {"extra_usd": budget.limit_microusd, "extra_tokens": budget.limit_tokens}
        for name, limit in limits.items():
            if limit is None:
                del self.fields[name]


class RoleForm(forms.Form):
    """A role in a project."""

    role = forms.ChoiceField(choices=[(str(role), str(role).capitalize()) for role in Role], initial=str(Role.MEMBER))


class MemberForm(RoleForm):
    """A new member: somebody who can log in already."""

    person = forms.CharField(
        label="User name or e-mail address",
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}),
    )
    field_order = ("person", "role")

    def clean_person(self) -> User:
        """Raises ValidationError for nobody, and for an address that several share."""
        text = self.cleaned_data["person"]
        people = User.objects.filter(is_active=True)
        found = list(people.filter(username=text)) or list(people.filter(email__iexact=text)[:2])
        if not found:
            raise ValidationError(
                "Nobody of this name can log in. An operator makes accounts in the admin, under Users."
            )
        if len(found) > 1:
            raise ValidationError("Several people have this address: give the user name.")
        return found[0]


def take_faults(form: forms.Form, error: ValidationError) -> None:
    """Put what a verb refused beside the fields; what belongs to none above them."""
    names = {"limit_microusd": "limit_usd", "extra_microusd": "extra_usd"}
    if hasattr(error, "error_dict"):
        for field, faults in error.error_dict.items():
            name = names.get(field, field)
            form.add_error(name if name in form.fields else None, faults)
    else:
        form.add_error(None, error)
