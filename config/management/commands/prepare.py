import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.utils import OperationalError
from django.utils import timezone

from config import firstrun

SHOWN_ONCE = "First run. Keep what follows; it is not shown again."
TRY_IT = """\
  curl {url}/v1/chat/completions -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
    -d '{{"model": "sonnet", "messages": [{{"role": "user", "content": "Say hello."}}]}}'"""


class Command(BaseCommand):
    help = "Makes or updates the tables; on the first run makes an admin and an API key and prints both."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--url", default="http://127.0.0.1:8006", help="where the service will be, for the output")

    def handle(self, *args: Any, url: str, **options: Any) -> None:
        try:
            made = firstrun.prepare(now=timezone.now())
        except OperationalError as error:
            raise CommandError(f"the database cannot be used: {str(error).strip().splitlines()[0]}") from None
        if made.admin_password or made.api_key:
            self.stdout.write(SHOWN_ONCE)
        if made.admin_password:
            self.stdout.write(f"  admin    {url}/admin/  user {firstrun.ADMIN}  password {made.admin_password}")
        if made.api_key:
            self.stdout.write(f"  API key  {made.api_key}")
            self.stdout.write("  try it:\n" + TRY_IT.format(url=url, key=made.api_key))
