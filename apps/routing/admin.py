"""The router's weights in the admin: every version can be read; saving the form puts a new one in force at once."""

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.audit.showing import deed
from apps.routing import services
from apps.routing.features import NAMES
from apps.routing.models import RoutingVersion
from apps.routing.scoring import BadWeights, Weights


class PrettyJson(forms.JSONField):
    """JSON as people read it: one entry a line."""

    def prepare_value(self, value: Any) -> Any:
        return json.dumps(value, indent=1) if isinstance(value, dict) else super().prepare_value(value)


class WeightsForm(forms.ModelForm[RoutingVersion]):
    """A version in its parts."""

    sonnet_from = forms.FloatField(help_text="Scores from here on go to sonnet; lower ones to haiku.")
    opus_from = forms.FloatField(help_text="Scores from here on go to opus.")
    low_budget = forms.FloatField(
        help_text="With less than this share of a budget left, requests go one tier down; below a third, to haiku."
    )
    bias = forms.FloatField(help_text="What a request without any feature has.")
    features = PrettyJson(
        widget=forms.Textarea(attrs={"rows": 24, "cols": 60}),
        help_text="Weight by feature. A feature is a number from 0 to 1; a positive weight speaks for a dearer model.",
    )
    words = PrettyJson(
        required=False,
        widget=forms.Textarea(attrs={"rows": 24, "cols": 60}),
        help_text="Weight by word, in lower case. What the words of a prompt add is divided by √ of their number.",
    )

    class Meta:
        model = RoutingVersion
        fields = ["note"]

    def clean(self) -> dict[str, Any]:
        """The parts have to make usable weights."""
        data = super().clean() or {}
        if not self.errors:
            thresholds = {"sonnet": data["sonnet_from"], "opus": data["opus_from"]}
            parts = {name: data[name] or {} for name in ("features", "words")}
            numbers = {name: data[name] for name in ("bias", "low_budget")}
            try:
                self.weights = Weights.from_json({"thresholds": thresholds, **parts, **numbers})
            except BadWeights as bad:
                raise forms.ValidationError(str(bad)) from None
            self.instance.weights = self.weights.to_json()
        return data


@admin.register(RoutingVersion)
class RoutingVersionAdmin(admin.ModelAdmin[RoutingVersion]):
    """Every deed is a call of `services`."""

    form = WeightsForm
    list_display = ["number", "active", "note", "thresholds", "author", "created_at"]
    ordering = ["-number"]
    actions = ["put_in_force", "use_shipped"]
    readonly_fields = ["number", "active", "note", "author", "created_at", "thresholds", "table", "word_table"]
    show_full_result_count = False

    def get_fieldsets(self, request: HttpRequest, obj: RoutingVersion | None = None) -> Any:
        if obj is None:
            numbers = {"fields": [("sonnet_from", "opus_from", "low_budget", "bias")]}
            return [(None, {"fields": ["note"]}), ("Numbers", numbers), ("Weights", {"fields": ["features", "words"]})]
        facts = ["number", "active", "note", "author", "created_at", "thresholds"]
        return [(None, {"fields": facts}), ("Weights", {"fields": ["table", "word_table"]})]

    def get_readonly_fields(self, request: HttpRequest, obj: RoutingVersion | None = None) -> Any:
        return self.readonly_fields if obj else []

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A new version begins as a copy of what is in force."""
        now = services.in_force().to_json()
        limits = now.pop("thresholds")
        return {**now, "sonnet_from": limits["sonnet"], "opus_from": limits["opus"]}

    def has_change_permission(self, request: HttpRequest, obj: RoutingVersion | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: RoutingVersion | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: RoutingVersion, form: Any, change: bool) -> None:
        made = services.create(weights=form.weights, note=obj.note, **deed(request))
        obj.pk, obj.number, obj.active = made.pk, made.number, True

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Who may add a version may also put an earlier one back."""
        return super().get_actions(request) if self.has_add_permission(request) else {}

    @admin.action(description="Put the selected version in force")
    def put_in_force(self, request: HttpRequest, versions: QuerySet[RoutingVersion]) -> None:
        """Only one can be."""
        if len(versions) != 1:
            self.message_user(request, "Select one version: only one can be in force.", messages.ERROR)
            return
        services.put_in_force(version=versions[0], **deed(request))
        self.message_user(request, f"Version {versions[0].number} decides from now on.", messages.SUCCESS)

    @admin.action(description="Go back to the shipped weights")
    def use_shipped(self, request: HttpRequest, versions: QuerySet[RoutingVersion]) -> None:
        """Whichever versions are selected."""
        services.use_shipped(**deed(request))
        self.message_user(request, "The weights that come with the release decide from now on.", messages.SUCCESS)

    @admin.display(description="Thresholds")
    def thresholds(self, version: RoutingVersion) -> str:
        """Where sonnet and opus begin."""
        limits = version.weights["thresholds"]
        return f"sonnet from {limits['sonnet']}, opus from {limits['opus']}"

    @admin.display(description="Features")
    def table(self, version: RoutingVersion) -> SafeString:
        """Heaviest first."""
        weights = sorted(version.weights["features"].items(), key=lambda item: -abs(item[1]))
        return _rows([(NAMES.get(name, name), f"{weight:+.3f}") for name, weight in weights if weight])

    @admin.display(description="Heaviest words")
    def word_table(self, version: RoutingVersion) -> SafeString:
        """Fifty of them."""
        weights = sorted(version.weights.get("words", {}).items(), key=lambda item: -abs(item[1]))[:50]
        return _rows([(word, f"{weight:+.3f}") for word, weight in weights])


def _rows(rows: list[tuple[str, str]]) -> SafeString:
    return format_html("<table>{}</table>", format_html_join("", "<tr><td>{}</td><td>{}</td></tr>", rows))
