"""`GET /v1/usage`: the project's own, in JSON and CSV, by any step, zone and group."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from apps.api.problems import ApiError
from apps.api.usage.objects import csv_text
from apps.api.usage.query import read
from tests.support.service import Person, Service

NOW = datetime(2026, 11, 27, 10, 7, tzinfo=UTC)
USAGE = '[[usage: {"input_tokens": 100, "output_tokens": 1000, "cache_read_input_tokens": 5000}]]'


@pytest.fixture(scope="module")
def ursula(service: Service) -> Person:
    """Owner of a project of her own, which has asked four times."""
    [ursula] = service.people(("ursula", "ursa-minor"))
    for model in ("haiku", "sonnet", "sonnet"):
        assert ursula.http.chat(f"{USAGE} hello", model=model).status == 200
    assert ursula.http.chat("[[fail: 529]] hello").status == 529
    return ursula


def ask(person: Person, query: str = "") -> Any:
    answer = person.http.get(f"/v1/usage?{query}")
    assert answer.status == 200, answer.body
    return answer.json()


def test_requests_tokens_cost_and_times_are_there_at_once(ursula: Person) -> None:
    report = ask(ursula)
    assert report["object"] == "usage"
    assert report["project_id"] == "ursa-minor"
    assert len(report["data"]) == 31
    total = report["total"]
    assert (total["requests"], total["completed"], total["failed"], total["refused"]) == (4, 3, 1, 0)
    assert total["usage"]["output_tokens"] == 3000
    assert total["usage"]["cache_read_input_tokens"] == 15_000
    assert total["errors"] == {"overloaded": 1}
    jobs = ursula.http.get("/v1/jobs").json()["data"]
    assert total["cost_usd"] == pytest.approx(sum(job["cost_usd"] for job in jobs))
    assert total["cost_usd"] == total["costs"]["price_table_usd"] > 0
    assert total["cache_savings_usd"] > 0
    assert total["latency_seconds"]["count"] == 3
    assert 0 < total["first_token_seconds"]["p50"] <= total["latency_seconds"]["p99"]
    assert report["data"][-1]["requests"] == 4


def test_what_the_cli_says_is_beside_what_was_metered(ursula: Person) -> None:
    total = ask(ursula)["total"]
    assert total["costs"]["cli_requests"] >= 3
    assert total["costs"]["cli_usd"] == pytest.approx(total["costs"]["metered_where_cli_usd"], abs=1e-5)
    assert total["drift"] == []


def test_groups_add_up_to_the_total(ursula: Person) -> None:
    report = ask(ursula, "group_by=model,status")
    assert report["group_by"] == ["model", "status"]
    found = {(row["model"], row["status"]): row["requests"] for row in report["data"]}
    assert found == {
        ("claude-haiku-5-5", "completed"): 1,
        ("claude-sonnet-5-5", "completed"): 2,
        ("claude-sonnet-5-5", "failed"): 1,
    }
    assert sum(row["cost_usd"] for row in report["data"]) == pytest.approx(report["total"]["cost_usd"])


def test_days_are_those_of_the_time_zone(ursula: Person) -> None:
    report = ask(ursula, "group_by=day,key&tz=Asia/Kathmandu")
    [row] = report["data"]
    assert row["start"].endswith("T00:00:00+05:45")
    assert (row["key"], row["key_name"], row["requests"]) == (ursula.key_id, "ursula", 4)


def test_filters_narrow_the_answer(ursula: Person) -> None:
    assert ask(ursula, "model=haiku")["total"]["requests"] == 1
    assert ask(ursula, "kind=task")["total"]["requests"] == 0
    assert ask(ursula, f"key_id={ursula.key_id}")["total"]["requests"] == 4
    assert ask(ursula, "to=2026-01-01&from=2025-12-01")["total"]["requests"] == 0


def test_nobody_sees_another_project(ursula: Person, charlie: Person) -> None:
    assert ask(ursula, "project_id=ursa-minor")["total"]["requests"] == 4
    for query in ("project_id=ursa-minor", f"key_id={ursula.key_id}"):
        answer = charlie.http.get(f"/v1/usage?{query}")
        assert (answer.status, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "get",
    [
        lambda person: person.http.get("/v1/usage?group_by=model&format=csv"),
        lambda person: person.http.get("/v1/usage?group_by=model", accept="text/csv"),
    ],
)
def test_the_same_comes_as_csv(ursula: Person, get: Callable[[Person], Any]) -> None:
    answer = get(ursula)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [row["model"] for row in rows] == ["claude-haiku-5-5", "claude-sonnet-5-5"]
    assert [row["requests"] for row in rows] == ["1", "3"]
    assert rows[1]["errors"] == "overloaded=1"
    assert float(rows[0]["usage.cache_read_input_tokens"]) == 5000


def test_no_cell_is_a_formula_and_titles_are_always_there() -> None:
    rows = [{"key_name": "=cmd()", "errors": {}, "drift": []}]
    assert csv_text(rows, like={}).splitlines()[1].startswith("'=cmd()")
    assert csv_text([], like={"requests": 0, "usage": {"input_tokens": 0}}) == "requests,usage.input_tokens\r\n"


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"from": "yesterday"}, "from"),
        ({"to": "1999-01-01"}, "to"),
        ({"to": "nan"}, "to"),
        ({"from": "9" * 30}, "from"),
        ({"from": "2026-11-02", "to": "2026-11-01"}, "from"),
        ({"tz": "Mars/Olympus"}, "tz"),
        ({"tz": "../etc/passwd"}, "tz"),
        ({"group_by": "day,hour"}, "group_by"),
        ({"group_by": "project"}, "group_by"),
        ({"group_by": "model,model"}, "group_by"),
        ({"group_by": "hour", "from": "2020-01-01"}, "from"),
    ],
)
def test_what_cannot_be_understood_is_named(query: dict[str, str], param: str) -> None:
    with pytest.raises(ApiError) as raised:
        read(query, now=NOW)
    assert (raised.value.problem.status, raised.value.problem.param) == (400, param)


def test_days_are_local_and_included_and_times_are_exact() -> None:
    asked = read({"from": "2026-11-01", "to": "2026-11-02", "tz": "Europe/Berlin"}, now=NOW)
    assert asked.since == datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert asked.until == datetime(2026, 11, 2, 23, tzinfo=UTC)
    asked = read({"from": "2026-11-01T12:00:00+01:00", "to": "1793620800"}, now=NOW)
    assert asked.since == datetime(2026, 11, 1, 11, tzinfo=UTC)
    assert asked.until == datetime.fromtimestamp(1793620800, UTC)
    assert read({}, now=NOW).until == NOW
    assert read({"group_by": ""}, now=NOW).step is None
