"""What people type into the admin about money."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.utils import timezone

from apps.budgets.managing import Terms
from apps.budgets.models import Budget
from apps.budgets.models.budgets import MOST_MICROUSD, MOST_TOKENS
from apps.budgets.periods import Cycle, period_name

MICRO = 1_000_000


class DollarsField(forms.DecimalField):
    """An amount in US dollars, exact to a micro-dollar; the value is in micro-dollars."""

    def __init__(self, **options: Any) -> None:
        limits = {"min_value": 0, "max_value": MOST_MICROUSD // MICRO, "decimal_places": 6}
        super().__init__(**{**limits, **options})

    def clean(self, value: Any) -> int | None:
        amount = super().clean(value)
        return None if amount is None else int(amount * MICRO)


def in_dollars(microusd: int | None) -> Decimal | None:
    """As `DollarsField` shows it: `0.5`, `25`."""
    if microusd is None:
        return None
    amount = Decimal(microusd) / MICRO
    return amount.quantize(Decimal(1)) if amount == amount.to_integral_value() else amount.normalize()


class PercentsField(forms.CharField):
    """Per cents with commas between them; the value is a list of whole numbers."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            return [int(part) for part in text.replace("%", " ").replace(",", " ").split()]
        except ValueError:
            raise ValidationError("Give whole per cents with commas between them, such as 80, 95.") from None

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.prepare_value(initial) != data)


def zones() -> list[tuple[str, str]]:
    """The time zones there are, UTC first."""
    return [("UTC", "UTC"), *((zone, zone) for zone in sorted(available_timezones() - {"UTC", "localtime", "Factory"}))]


class BudgetForm(ModelForm[Budget]):
    """A budget in dollars and words. Period and scope are given once."""

    limit_usd = DollarsField(
        label="Limit in US dollars", required=False, help_text="Empty: money is not limited.", localize=False
    )
    thresholds = PercentsField(
        required=False,
        initial=[80, 95],
        help_text="Per cent of the limit at which somebody is told, once in each window. Empty: nobody is.",
    )
    time_zone = forms.ChoiceField(choices=zones, initial="UTC", help_text="Whose midnight it is.")
    webhook_secret = forms.CharField(
        label="New signing secret",
        required=False,
        max_length=100,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Empty: it stays, or is made and shown once. Receivers check it as standardwebhooks.com says.",
    )
    reason = forms.CharField(
        required=False, max_length=200, help_text="Why, for the record.", widget=forms.TextInput({"size": 60})
    )

    class Meta:
        model = Budget
        fields = [
            "project",
            "api_key",
            "name",
            "limit_tokens",
            "period",
            "rolling",
            "time_zone",
            "anchor",
            "thresholds",
            "webhook_url",
            "webhook_secret",
            "emails",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["limit_usd"] = in_dollars(self.instance.limit_microusd)
        self.initial["webhook_secret"] = ""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        key, project = cleaned.get("api_key"), cleaned.get("project")
        if key and project and key.project_id != project.pk:
            self.add_error("api_key", "The key belongs to another project.")
        self.instance.limit_microusd = cleaned.get("limit_usd")
        return cleaned

    def _get_validation_exclusions(self) -> set[str]:
        """The limit is looked at though its field has another name; the webhook's secret may still be to be made."""
        unknown: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        known = set() if "limit_usd" in self.errors else {"limit_microusd"}
        return unknown - known | {"webhook_secret"}

    def terms(self) -> Terms:
        """The valid form as the services take it."""
        facts = self.cleaned_data
        return Terms(
            name=facts["name"],
            limit_microusd=facts["limit_usd"],
            limit_tokens=facts["limit_tokens"],
            thresholds=tuple(facts["thresholds"]),
            webhook_url=facts["webhook_url"],
            webhook_secret=facts["webhook_secret"],
            emails=facts["emails"],
        )

    def cycle(self) -> Cycle:
        """The valid form's period, of a budget that is new."""
        facts = self.cleaned_data
        return Cycle(period_name(facts["period"]), facts["rolling"], facts["time_zone"], facts["anchor"])


class ReasonForm(forms.Form):
    """Why a deed is done."""

    reason = forms.CharField(max_length=200, help_text="For the record.", widget=forms.TextInput({"size": 60}))


class IncreaseForm(ReasonForm):
    """How much more, and until when."""

    extra_usd = DollarsField(label="More US dollars", required=False, help_text="0 and 0 end an increase.")
    extra_tokens = forms.IntegerField(label="More tokens", required=False, min_value=0, max_value=MOST_TOKENS)
    until = forms.SplitDateTimeField(
        widget=forms.SplitDateTimeWidget({"type": "date"}, None, None, {"type": "date"}, {"type": "time"}),
        label="Until (UTC)",
    )
    field_order = ["extra_usd", "extra_tokens", "until", "reason"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["until"].initial = (timezone.now() + timedelta(days=1)).replace(second=0, microsecond=0)

    def clean_until(self) -> datetime:
        until: datetime = self.cleaned_data["until"]
        if until <= timezone.now():
            raise ValidationError("Choose an end that is still to come.")
        return until
