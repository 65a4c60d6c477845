"""`bin/manage set_budget PROJECT --usd 25 --period month`: what a project or one of its keys may spend."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.budgets.models import Budget
from apps.budgets.models.budgets import Period
from apps.budgets.periods import Cycle
from apps.budgets.setting import Wish, set_budget
from apps.keys.models import ApiKey, Project
from apps.permissions.words import dollars


class Command(BaseCommand):
    """Running it again changes the limit of the budget that is there."""

    help = "Set what a project, or one of its keys, may spend. Run again, it changes the limit."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="The project's slug.")
        parser.add_argument("--key", help="The id of one of its keys. Without it the budget is for all of them.")
        parser.add_argument("--usd", type=_microusd, help="The limit in US dollars, such as 25 or 0.50.")
        parser.add_argument("--tokens", type=_tokens, help="The limit in tokens of all kinds together.")
        parser.add_argument("--period", required=True, choices=Period.values, help="When it starts anew.")
        parser.add_argument("--rolling", action="store_true", help="The last 24 hours, 7 or 30 days.")
        parser.add_argument("--tz", help="Whose midnight it is, such as Europe/Berlin. Without it UTC.")
        parser.add_argument("--anchor", type=int, help="First day of a week (1 Monday) or month (1 to 31).")
        parser.add_argument("--json", action="store_true", help="Print the budget as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["usd"] is None and options["tokens"] is None:
            raise CommandError("Give a limit: --usd or --tokens, or both.")
        project = _project(options["project"])
        wish = Wish(
            limit_microusd=options["usd"],
            limit_tokens=options["tokens"],
            cycle=Cycle(options["period"], options["rolling"]),
            time_zone=options["tz"],
            anchor=options["anchor"],
        )
        try:
            budget, deed = set_budget(
                project=project,
                api_key=_key(project, options["key"]) if options["key"] else None,
                wish=wish,
                actor="command:set_budget",
                now=timezone.now(),
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        if options["json"]:
            self.stdout.write(json.dumps(_facts(budget) | {"deed": deed}))
        else:
            self.stdout.write(f"Budget {budget.pk} of {_whose(budget)}: {_limits(budget)} {budget.span} ({deed}).")


def _microusd(text: str) -> int:
    try:
        amount = Decimal(text) * 1_000_000
    except InvalidOperation:
        raise ValueError from None
    if not amount.is_finite() or amount < 0 or amount != int(amount):
        raise ValueError
    return int(amount)


def _tokens(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


_microusd.__name__, _tokens.__name__ = "amount in dollars", "number of tokens"  # argparse names them in its errors


def _project(slug: str) -> Project:
    try:
        return Project.objects.get(slug=slug)
    except Project.DoesNotExist:
        raise CommandError(f"There is no project {slug!r}. `bin/manage issue_key {slug}` makes one.") from None


def _key(project: Project, public_id: str) -> ApiKey:
    try:
        return ApiKey.objects.get(project=project, public_id=public_id)
    except ApiKey.DoesNotExist:
        raise CommandError(f"Project {project.slug} has no key {public_id!r}.") from None


def _whose(budget: Budget) -> str:
    return f"key {budget.api_key.public_id} of {budget.project.slug}" if budget.api_key else budget.project.slug


def _limits(budget: Budget) -> str:
    money = [] if budget.limit_microusd is None else [dollars(budget.limit_microusd)]
    tokens = [] if budget.limit_tokens is None else [f"{budget.limit_tokens:,} tokens"]
    return " and ".join(money + tokens)


def _facts(budget: Budget) -> dict[str, Any]:
    return {
        "id": budget.pk,
        "project": budget.project.slug,
        "key": budget.api_key.public_id if budget.api_key else None,
        "limit_microusd": budget.limit_microusd,
        "limit_tokens": budget.limit_tokens,
        "period": budget.period,
        "rolling": budget.rolling,
        "time_zone": budget.time_zone,
        "anchor": budget.anchor,
    }
