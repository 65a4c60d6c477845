"""`bin/manage parameters_table`: what becomes of each of OpenAI's parameters."""

from typing import Any

from django.core.management.base import BaseCommand

from apps.api.openai.parameters import table


class Command(BaseCommand):
    """Its output stands in docs/parameters.md."""

    help = "Prints the table of docs/parameters.md, in Markdown."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print."""
        self.stdout.write(table(), ending="")
