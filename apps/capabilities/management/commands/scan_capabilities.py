"""`bin/manage scan_capabilities`: look for agents and skills now."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from apps.capabilities import services
from apps.capabilities.models import Capability


class Command(BaseCommand):
    """The service does so by itself within seconds; this one tells what it found."""

    help = "Scan CLAUDE_HOME and CAPABILITY_DIRS for agents and skills, and list those that cannot be used."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(str(services.scan(actor="command:scan_capabilities", now=timezone.now())))
        for row in Capability.objects.filter(missing_since=None).exclude(fault="").order_by("path"):
            self.stdout.write(f"  {row.path}: {row.fault}")
