from typing import Any

from django.core.management.base import BaseCommand

from config.env import settings_table


class Command(BaseCommand):
    help = "Prints the README's table of settings, in Markdown."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(settings_table(), ending="")
