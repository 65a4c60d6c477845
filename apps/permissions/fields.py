"""Form fields for names and patterns as people type them."""

import re
from typing import Any, Literal

from django import forms
from django.core.exceptions import ValidationError

from apps.permissions.refs import KINDS, BadPattern, Kind, parse

Verdict = Literal["allow", "deny", "ask"]
EXAMPLES: dict[Kind, str] = {
    "tool": "Read, or mcp__tickets__* for all tools of one MCP server",
    "agent": "security-auditor, or security-* for all that begin so",
    "skill": "pdf, or office:* for all of one plugin",
    "model": "haiku, or claude-haiku-* for every version",
}


class PatternsField(forms.CharField):
    """Globs of one kind, one to a line; the value is the list of full patterns. `tool:Read` is taken like `Read`."""

    def __init__(self, kind: Kind, verdict: Verdict) -> None:
        self.kind, self.verdict = kind, verdict
        label, line = {
            "allow": ("Allow", f"One a line: {EXAMPLES[kind]}. Empty: none."),
            "deny": ("Deny", "Wins over every allow line."),
            "ask": ("Ask first", "Somebody approves each call; must be allowed as well."),
        }[verdict]
        area = forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "autocapitalize": "off", "class": "patterns"})
        super().__init__(required=False, widget=area, max_length=20_000, label=label, help_text=line)

    def clean(self, value: Any) -> list[str]:
        """Raises ValidationError with one message for every line that cannot be read."""
        patterns, faults = [], []
        for line in filter(None, map(str.strip, super().clean(value).splitlines())):
            try:
                patterns.append(str(parse(self._full(line))))
            except BadPattern as fault:
                faults.append(str(fault))
        if faults:
            raise ValidationError(faults)
        return list(dict.fromkeys(patterns))

    def _full(self, line: str) -> str:
        kind = line.partition(":")[0]
        if kind == self.kind:
            return line
        if kind != line and kind in KINDS:
            raise BadPattern(f"'{line}' stands under the wrong heading: this one holds {self.kind}s")
        return f"{self.kind}:{line}"

    def prepare_value(self, value: Any) -> Any:
        """The row's patterns without their kind, which the field's place already says."""
        if isinstance(value, list):
            return "\n".join(str(pattern).removeprefix(f"{self.kind}:") for pattern in value)
        return value

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.clean(data) != (initial or []))
        except ValidationError:
            return True


class NamesField(forms.CharField):
    """Names divided by spaces or commas; the value is a tuple. Any text is a name: judging it is the policy's work."""

    def __init__(self, line: str) -> None:
        wide = forms.TextInput(attrs={"class": "vTextField", "spellcheck": "false", "autocapitalize": "off"})
        super().__init__(required=False, widget=wide, help_text=line)

    def clean(self, value: Any) -> tuple[str, ...]:
        return tuple(name for name in re.split(r"[\s,]+", super().clean(value)) if name)
