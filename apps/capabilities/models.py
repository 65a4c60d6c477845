"""What exists: agents and skills that were found on disk, as rows that an operator can switch off or trust."""

from django.db import models
from django.db.models import Q

KINDS = [("agent", "agent"), ("skill", "skill")]


class CapabilityQuerySet(models.QuerySet["Capability"]):
    """Questions about capabilities."""

    def agents(self) -> "CapabilityQuerySet":
        """Subagents."""
        return self.filter(kind="agent")

    def skills(self) -> "CapabilityQuerySet":
        """Skills."""
        return self.filter(kind="skill")

    def usable(self) -> "CapabilityQuerySet":
        """There, well-formed and switched on: what a task may be granted. At most one for each kind and name."""
        return self.filter(enabled=True, fault="", missing_since=None)


class Capability(models.Model):
    """One file that holds an agent or a skill. Written by scans; people only switch it on, off, and trust it."""

    kind = models.CharField(max_length=8, choices=KINDS)
    name = models.CharField(max_length=200, help_text="As tasks name it; a plugin's begins with the plugin's name.")
    description = models.TextField(blank=True)
    body = models.TextField(blank=True, help_text="An agent's prompt. A skill's text stays in its file.")
    tools = models.JSONField(null=True, help_text="What it wants; empty for whatever the task has.")
    model = models.CharField(max_length=64, blank=True, help_text="Empty: the task's own.")
    runs_commands = models.BooleanField(
        default=False, help_text="Its text holds commands that the CLI would run by itself; only if it is trusted."
    )
    ignored = models.JSONField(default=list, help_text="Fields of its front matter that have no effect here.")
    source = models.CharField(max_length=200)
    path = models.CharField(max_length=1000)
    digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the file, or of a skill's whole folder.")
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes.")
    stamp = models.CharField(max_length=100, blank=True, editable=False)
    enabled = models.BooleanField(default=True)
    trusted = models.BooleanField(
        default=False, help_text="A skill whose commands may run. Withdrawn when its files change."
    )
    fault = models.CharField(max_length=300, blank=True, help_text="Why it cannot be used.")
    first_seen_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    missing_since = models.DateTimeField(null=True)

    objects = CapabilityQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "capabilities"
        constraints = [
            models.UniqueConstraint(fields=["kind", "path"], name="capability_of_a_file_once"),
            models.UniqueConstraint(
                fields=["kind", "name"], condition=Q(fault="", missing_since=None), name="capability_name_once"
            ),
            models.CheckConstraint(condition=Q(kind__in=["agent", "skill"]), name="capability_kind_known"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"
