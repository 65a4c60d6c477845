"""The admin's forms: patterns grouped by kind, money in dollars; translated to and from rows here."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from apps.claude import catalog
from apps.permissions.fields import NamesField, PatternsField
from apps.permissions.known import TOOLS, model_names
from apps.permissions.models import Profile
from apps.permissions.policy import Ask, Policy
from apps.permissions.services import Rules
from apps.permissions.words import dollars


def microusd(usd: Decimal) -> int:
    """Dollars of at most six places as whole micro-dollars."""
    return int(usd.scaleb(6))


def _money(line: str, *, required: bool = True, initial: str | None = None) -> forms.DecimalField:
    return forms.DecimalField(
        initial=initial,
        label="Cost, $",
        min_value=Decimal("0.000001"),
        max_value=Decimal(1_000_000),
        decimal_places=6,
        required=required,
        help_text=line,
    )


def _number(label: str, line: str, *, required: bool = True, initial: int | None = None) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, min_value=1, max_value=1_000_000, required=required, initial=initial, help_text=line
    )


class RulesForm(forms.Form):
    """Rules and limits: all that decides."""

    tool_allow = PatternsField("tool", "allow")
    tool_deny = PatternsField("tool", "deny")
    tool_ask = PatternsField("tool", "ask")
    agent_allow = PatternsField("agent", "allow")
    agent_deny = PatternsField("agent", "deny")
    skill_allow = PatternsField("skill", "allow")
    skill_deny = PatternsField("skill", "deny")
    model_allow = PatternsField("model", "allow")
    model_deny = PatternsField("model", "deny")
    max_cost_usd = _money("US dollars a task; it is stopped inside this sum, whatever the model does.", initial="0.10")
    max_seconds = _number("Time, s", "Seconds a task; then it is ended and what it used is billed.", initial=120)
    max_turns = _number(
        "Turns", "Times the model is asked in a task, each with the results of its tool calls.", initial=10
    )
    max_concurrency = _number("Open jobs", "Jobs of one key open at the same time, waiting ones included.", initial=10)

    def decisions(self) -> dict[str, Any]:
        """The columns of a profile that decide, once the form is valid."""
        data = self.cleaned_data
        lists: dict[str, list[str]] = {"allow": [], "deny": [], "ask": []}
        for name, field in self.fields.items():
            if isinstance(field, PatternsField):
                lists[field.verdict] += data[name]
        limits = {name: data[name] for name in ("max_seconds", "max_turns", "max_concurrency")}
        return {**lists, **limits, "max_cost_microusd": microusd(data["max_cost_usd"])}

    def policy(self) -> Policy:
        """The policy that saving would give, once the form is valid."""
        return Profile(slug="this profile", **self.decisions()).policy()

    @staticmethod
    def initial_of(profile: Profile) -> dict[str, Any]:
        """What the fields show for a profile's row."""
        shown: dict[str, Any] = {"max_cost_usd": dollars(profile.max_cost_microusd).strip("$").replace(",", "")}
        for name in ("max_seconds", "max_turns", "max_concurrency"):
            shown[name] = getattr(profile, name)
        for name, field in RulesForm.base_fields.items():
            if isinstance(field, PatternsField):
                shown[name] = [rule for rule in getattr(profile, field.verdict) if rule.startswith(f"{field.kind}:")]
        return shown


class ProfileForm(forms.ModelForm[Profile], RulesForm):
    """A profile as an operator edits it."""

    seen_version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Profile
        fields = ["name", "slug", "description"]
        help_texts = {
            "name": "What lists and menus call it.",
            "slug": "What commands and the API call it; it cannot be changed later.",
            "description": "Who should get it, in a sentence or two.",
        }
        widgets = {"description": forms.Textarea(attrs={"rows": 2})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        profile: Profile | None = kwargs.get("instance")
        if profile and profile.pk:
            stored = {**RulesForm.initial_of(profile), "seen_version": profile.version}
            kwargs["initial"] = stored | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.instance.pk and cleaned.get("seen_version") != self.instance.version:
            raise ValidationError(
                f"Somebody else has saved version {self.instance.version} since you opened this page. "
                "Open it again and repeat your change."
            )
        return cleaned

    def rules(self) -> Rules:
        """What was typed, once the form is valid."""
        facts = self.decisions() | {name: self.cleaned_data[name] for name in ("name", "description")}
        return Rules.from_json(facts)


class TryForm(forms.Form):
    """A request to be judged and not made."""

    profile = forms.ModelChoiceField(
        Profile.objects.order_by("max_cost_microusd", "slug"), to_field_name="slug", empty_label=None
    )
    model = forms.CharField(
        max_length=200,
        initial="haiku",
        widget=forms.TextInput(attrs={"list": "known-models", "class": "vTextField"}),
        help_text="A short name such as sonnet, or a full id.",
    )
    tools = NamesField(f"Names divided by spaces, such as {' '.join(TOOLS[:7])}.")
    agents = NamesField("Names divided by spaces.")
    skills = NamesField("Names divided by spaces.")
    max_cost_usd = _money("Empty: what the profile allows.", required=False)
    max_seconds = _number("Time, s", "Empty: what the profile allows.", required=False)
    max_turns = _number("Turns", "Empty: what the profile allows.", required=False)

    def ask(self) -> Ask:
        """The request, once the form is valid."""
        data = self.cleaned_data
        model = catalog.find(data["model"])
        cost = data["max_cost_usd"]
        return Ask(
            model=model_names(model) if model else (data["model"],),
            tools=data["tools"],
            agents=data["agents"],
            skills=data["skills"],
            max_cost_microusd=None if cost is None else microusd(cost),
            max_seconds=data["max_seconds"],
            max_turns=data["max_turns"],
        )
