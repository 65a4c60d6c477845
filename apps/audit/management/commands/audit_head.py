"""`bin/manage audit_head`: the chain's end, to be kept where no editor of the database comes."""

import json
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from apps.audit import chain, services


class Command(BaseCommand):
    """Whoever has a head can tell later whether rows up to it were cut off or rewritten."""

    help = "Seal what is committed and print the chain's head as JSON, for audit_verify --head."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one line."""
        self.stdout.write(json.dumps(services.seal(now=timezone.now()).to_json(chain.keyring())))
