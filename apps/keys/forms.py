"""What people type into the admin about keys and members."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms import BaseInlineFormSet, ModelForm
from django.utils import timezone

from apps.claude.catalog import MODELS
from apps.keys.models import ApiKey, Membership, Project, Role
from apps.keys.networks import validate_networks
from apps.keys.rates import Limits
from apps.keys.terms import Terms

OVERLAPS = [
    (timedelta(hours=1), "1 hour"),
    (timedelta(days=1), "1 day"),
    (timedelta(days=7), "7 days"),
    (timedelta(days=30), "30 days"),
    (timedelta(0), "not at all: its jobs and open sockets end now"),
]


class NetworksField(forms.CharField):
    """Networks in CIDR notation, one to a line; the value is a list. A lone address stands for itself."""

    widget = forms.Textarea(attrs={"rows": 4, "cols": 40, "spellcheck": "false", "autocapitalize": "off"})

    def clean(self, value: Any) -> list[str]:
        networks = list(dict.fromkeys(super().clean(value).split()))
        validate_networks(networks)
        return networks

    def prepare_value(self, value: Any) -> Any:
        """The row's list, one to a line."""
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return (data or "").split() != (initial or [])


class KeyForm(ModelForm[ApiKey]):
    """Adds what the database cannot say: an end lies ahead."""

    allowed_networks = NetworksField(
        required=False,
        help_text="Where it may be used from, one a line, such as 192.0.2.0/24 or 2001:db8::/32. Empty: anywhere.",
    )
    default_model = forms.ChoiceField(
        required=False,
        choices=[("", "The service's default"), *((model.alias or model.id, model.display_name) for model in MODELS)],
        help_text="For requests that name none.",
    )

    def clean_expires_at(self) -> datetime | None:
        end: datetime | None = self.cleaned_data["expires_at"]
        if end and "expires_at" in self.changed_data and end <= timezone.now():
            raise ValidationError("Choose a time that is still to come, or revoke the key.")
        return end

    def terms(self) -> Terms:
        """The valid form as the services take it."""
        facts = self.cleaned_data
        return Terms(
            name=facts["name"],
            profile=facts["profile"],
            expires_at=facts["expires_at"],
            limits=Limits(facts["requests_per_minute"], facts["tokens_per_minute"], facts["concurrent_jobs"]),
            allowed_networks=tuple(facts["allowed_networks"]),
            default_model=facts["default_model"],
        )


class RotateForm(forms.Form):
    """How long a rotated key works on."""

    overlap = forms.TypedChoiceField(
        label="The old key works on for",
        choices=[(int(span.total_seconds()), name) for span, name in OVERLAPS],
        coerce=lambda seconds: timedelta(seconds=int(seconds)),
        initial=int(timedelta(days=1).total_seconds()),
    )


if TYPE_CHECKING:
    _MemberForms = BaseInlineFormSet[Membership, Project, ModelForm[Membership]]
else:
    _MemberForms = BaseInlineFormSet  # at run time it takes no parameters


class MemberFormSet(_MemberForms):
    """The members of a project as they would be; one that has owners must keep one."""

    def clean(self) -> None:
        """Raises ValidationError."""
        super().clean()
        if any(self.errors):
            return
        before = any(form.initial.get("role") == Role.OWNER for form in self.initial_forms)
        kept = [form for form in self.forms if form not in self.deleted_forms]
        if before and not any(form.cleaned_data.get("role") == Role.OWNER for form in kept):
            raise ValidationError("The project would be left without an owner: make somebody else one.")
