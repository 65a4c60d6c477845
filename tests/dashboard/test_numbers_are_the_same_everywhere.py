"""The dashboard, the API and the ledger say the same for the same project and time, to the micro-dollar."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.budgets.models import LedgerEntry
from apps.dashboard import figures
from apps.jobs.models import Job
from apps.keys import services as keys
from apps.keys.models import Project
from tests.dashboard.conftest import person, window
from tests.jobs.ended import SONNET, call, end

Bill = tuple[datetime, str, str, str, int]
"""When, by which key, of which model, for what kind of work, how many micro-dollars."""
GROUPS: dict[str, Callable[[Bill], str]] = {
    "key": lambda bill: bill[1],
    "model": lambda bill: bill[2],
    "kind": lambda bill: bill[3],
}
ZONES = ["UTC", "Asia/Kathmandu", "America/New_York"]


@pytest.fixture
def since() -> datetime:
    return (timezone.now() - timedelta(days=6)).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
def key(filled: Project) -> str:
    """A key of atlas, which has just spent something that is not folded yet."""
    key, secret = keys.issue(project=filled, name="reader", now=timezone.now())
    end(key, timezone.now(), call(SONNET, read=1234, wrote=567), model=SONNET)
    return secret


@pytest.fixture
def ledger(key: str, filled: Project) -> list[Bill]:
    bills = LedgerEntry.objects.filter(project=filled, kind="settle", window=None).select_related("api_key")
    jobs = Job.objects.in_bulk([bill.job_id for bill in bills])
    assert len(bills) == len(jobs) > 100
    return [
        (
            bill.created_at,
            bill.api_key.public_id if bill.api_key else "",
            jobs[bill.job_id].model,
            jobs[bill.job_id].kind,
            bill.spent_microusd,
        )
        for bill in bills
    ]


def ask(key: str, **query: Any) -> Any:
    """The API's answer, inside this process."""
    answer = Client().get(f"/v1/usage?{urlencode(query)}", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.content
    return answer.json() if query.get("format") != "csv" else list(csv.DictReader(io.StringIO(answer.text)))


def micro(usd: Any) -> int:
    return round(float(usd) * 1_000_000)


def sums(bills: list[Bill], *names: Callable[[Bill], Any]) -> Counter[tuple[Any, ...]]:
    found = Counter[tuple[Any, ...]]()
    for bill in bills:
        found[tuple(name(bill) for name in names)] += bill[4]
    return +found


@pytest.mark.parametrize("zone", ZONES)
def test_the_api_says_what_the_ledger_says(key: str, ledger: list[Bill], since: datetime, zone: str) -> None:
    def day(bill: Bill) -> str:
        return bill[0].astimezone(ZoneInfo(zone)).date().isoformat()

    everything = sum(bill[4] for bill in ledger)
    for name, of in GROUPS.items():
        query = {"from": since.date().isoformat(), "tz": zone, "group_by": f"day,{name}"}
        said = ask(key, **query)
        found = +Counter({(row["start"][:10], row[name]): micro(row["cost_usd"]) for row in said["data"]})
        assert found == sums(ledger, day, of)
        assert micro(said["total"]["cost_usd"]) == everything
        in_csv = {(row["start"][:10], row[name]): micro(row["cost_usd"]) for row in ask(key, **query, format="csv")}
        assert +Counter(in_csv) == found
        said = ask(key, **query | {"group_by": name})
        assert {(row[name],): micro(row["cost_usd"]) for row in said["data"] if row["cost_usd"]} == sums(ledger, of)


@pytest.mark.parametrize("by", GROUPS)
def test_the_overview_says_what_the_ledger_and_the_api_say(
    filled: Project, key: str, ledger: list[Bill], since: datetime, by: str
) -> None:
    until = timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    query = urlencode({"from": f"{since:%Y-%m-%dT%H:%M}", "to": f"{until:%Y-%m-%dT%H:%M}", "by": by})
    page = window(person("alice", filled)).get(f"/p/atlas/?{query}").text
    everything = sum(bill[4] for bill in ledger)
    said = re.search(r'<dt>Spend</dt><dd class="value" title="([^"]+)"', page)
    assert said
    assert said[1] == figures.exact_money(everything)

    chart = re.search(r'<script id="chart-spend" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert chart
    data = json.loads(chart[1])
    days = [datetime.fromtimestamp(second, UTC).date().isoformat() for second in data["x"]]
    by_day = Counter({(day,): sum(each["values"][n] for each in data["lines"]) for n, day in enumerate(days)})
    assert +by_day == sums(ledger, lambda bill: bill[0].date().isoformat())
    assert sorted(sum(line["values"]) for line in data["lines"] if line["name"] != "Others") == sorted(
        sorted(sums(ledger, GROUPS[by]).values())[-len([1 for line in data["lines"] if line["name"] != "Others"]) :]
    )
    assert sum(sum(line["values"]) for line in data["lines"]) == everything
    for (day,), cost in by_day.items():  # the table that is there without JavaScript
        assert not cost or re.search(rf"{day}.*?{re.escape(figures.exact_money(cost))}", page, re.DOTALL)

    said = ask(key, **{"from": int(since.timestamp()), "to": int(until.timestamp()), "group_by": "day"})
    assert {(row["start"][:10],): micro(row["cost_usd"]) for row in said["data"] if row["cost_usd"]} == +by_day


def test_the_api_takes_the_same_queries_however_much_there_is(atlas: Project) -> None:
    """However many groups and steps too."""
    _, secret = keys.issue(project=atlas, name="reader", now=timezone.now())
    counts = []
    for jobs in (1, 30):
        for number in range(jobs):
            key = keys.issue(project=atlas, name=f"key {number}", now=timezone.now())[0]
            end(key, timezone.now() - timedelta(hours=7 * number), call(), status="failed", error_code="timeout")
        for query in ({}, {"group_by": "day,key,model", "tz": "Asia/Kathmandu"}, {"group_by": "key"}):
            ask(secret, **query)
            with CaptureQueriesContext(connection) as captured:
                ask(secret, **query)
            counts.append(len([each for each in captured if "rollup" in each["sql"] or "keys_" in each["sql"]]))
    assert counts[:3] == counts[3:]
    assert max(counts) <= 6
