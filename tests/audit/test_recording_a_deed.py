"""A deed and its record are one: written together, cleaned, bounded, named the same way everywhere."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from apps.audit import redaction
from apps.audit.models import AuditEvent
from apps.audit.services import BadAction
from tests.audit.cast import NOON, Record, assert_whole
from tests.audit.conftest import both_databases

SECRETS = [
    "ccs_live_a1b2c3d4e5f6_0123456789abcdefghijABCDEFGHIJ_x1y2z3",
    "sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
    "sk-proj-0123456789abcdefABCDEF",
    "ghp_0123456789abcdefABCDEF0123456789abcd",
    "github_pat_11ABCDEFG0123456789_abcdefghijklmnop",
    "xoxb-123456789012-abcdefABCDEF",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA0123456789abcdefghijklmnopqrstuv",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "Bearer 0123456789abcdef0123456789abcdef",
    "Basic YWxpY2U6d29uZGVybGFuZA==",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA0123456789\n-----END RSA PRIVATE KEY-----",
]


class Undone(Exception):
    """The deed fails after it was recorded."""


@both_databases
def test_a_deed_that_is_undone_leaves_no_record(recorded: Record) -> None:
    def deed() -> None:
        with transaction.atomic():
            recorded()
            raise Undone

    with pytest.raises(Undone):
        deed()
    assert not AuditEvent.objects.exists()


@both_databases
def test_a_record_is_read_back_as_it_was_written(recorded: Record) -> None:
    event = recorded(reason="“née” 日本", ip="2001:DB8::0001", request_id="req_1", data={"n": 1.5, "b": [True, None]})
    kept = AuditEvent.objects.get()
    assert (kept.id, kept.at, kept.actor, kept.action) == (event.id, NOON, "user:alice", "key.issued")
    assert (kept.target_type, kept.target_id, kept.project_id, kept.outcome) == ("key", "k1", "atlas", "ok")
    assert (kept.reason, kept.ip, kept.request_id) == ("“née” 日本", "2001:db8::1", "req_1")
    assert kept.data == {"n": 1.5, "b": [True, None]}
    assert_whole()


def test_recording_is_one_insert(recorded: Record) -> None:
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        recorded()
    assert [query["sql"].split()[0] for query in queries] == ["INSERT"]


@pytest.mark.parametrize(
    "action", ["job.submitted", "key.issued", "budget.limit_changed", "budget.overspent", "a.rung"]
)
def test_an_action_is_a_noun_and_what_was_done(recorded: Record, action: str) -> None:
    assert recorded(action=action).action == action


@pytest.mark.parametrize(
    "action", ["", "issued", "key.issue", "Key.issued", "key issued", "key.issued\n", "key.", "a" * 60 + ".issued"]
)
def test_an_action_of_another_form_is_refused(recorded: Record, action: str) -> None:
    with pytest.raises(BadAction):
        recorded(action=action)


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret[:8])
def test_a_secret_is_written_nowhere(recorded: Record, secret: str) -> None:
    told = f"sent {secret} to us"
    recorded(
        actor=told, target_id=told, reason=told, request_id=told, ip=told, project_id=told,
        target_type=told, outcome=told,
        data={"note": told, "list": [told], "deep": {"er": {"note": told}}, told: 1},
    )  # fmt: skip
    row = json.dumps(AuditEvent.objects.values().get(), default=str)
    assert max(re.findall("[A-Za-z0-9]+", secret), key=len) not in row
    assert "[secret]" in row


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret[:8])
def test_a_secret_that_is_the_whole_text_is_hidden(secret: str) -> None:
    assert redaction.text(secret).endswith("[secret]")


def test_a_secret_at_the_cut_of_a_long_text_is_not_half_written(recorded: Record) -> None:
    recorded(reason="x" * (redaction.LONGEST_TEXT - 20) + " " + SECRETS[1])
    assert "AbCdEf" not in AuditEvent.objects.get().reason


@pytest.mark.parametrize(
    "name", ["password", "client_secret", "Authorization", "api_key", "access_token", "Cookie", "private_key"]
)
def test_a_value_is_hidden_when_its_name_says_credential(name: str) -> None:
    assert json.loads(redaction.canonical({name: "hunter2"})) == {name: "[secret]"}


@pytest.mark.parametrize(
    "facts", [{"max_tokens": 400}, {"api_key_id": "k1"}, {"token_count": 5}, {"password_changed_at": "noon"}]
)
def test_facts_about_credentials_are_no_credentials(facts: dict[str, Any]) -> None:
    assert json.loads(redaction.canonical(facts)) == facts


@pytest.mark.parametrize("name", ["prompt", "messages", "system", "content", "result", "instructions", "body"])
def test_a_prompt_is_not_written_down(name: str) -> None:
    assert redaction.canonical({name: [{"role": "user", "content": "a trade secret"}]}) == f'{{"{name}":"[prompt]"}}'


@both_databases
@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b", "\x1b[2J", "\u202etxt.exe", "x" * 1_000_000], ids=ascii)
def test_no_text_of_a_stranger_makes_a_deed_fail(recorded: Record, text: str) -> None:
    recorded(
        actor=f"user:{text}", target_id=text, reason=text, ip=text, request_id=text, project_id=text, data={text: text}
    )
    event = AuditEvent.objects.get()
    assert event.actor.startswith("user:")
    assert "".join([event.actor, event.reason, event.ip]).isprintable()
    assert_whole()


def test_data_is_bounded_in_depth_length_and_size() -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless
    assert "[too deep]" in redaction.canonical(endless)
    assert json.loads(redaction.canonical({"many": list(range(500))}))["many"][-1] == "… 400 more"
    huge = json.loads(redaction.canonical({f"field{n}": "x" * 400 for n in range(80)}))
    assert huge["too_long_bytes"] > redaction.MOST_BYTES


def test_what_is_no_json_is_written_as_text() -> None:
    facts = {
        "cost": Decimal("1.50"),
        "at": datetime(2026, 1, 2, tzinfo=UTC),
        "tags": {"b", "a"},
        "nan": float("nan"),
        "raw": b"xy",
    }
    assert json.loads(redaction.canonical(facts)) == {
        "cost": "1.50", "at": "2026-01-02T00:00:00+00:00", "tags": ["a", "b"], "nan": "nan", "raw": "[2 bytes]",
    }  # fmt: skip


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=40,
)


@given(st.dictionaries(st.text(), anything))
def test_any_data_becomes_bounded_json_that_reads_back_the_same(data: dict[str, Any]) -> None:
    written = redaction.canonical(data)
    assert len(written) <= redaction.MOST_BYTES
    if written:
        assert json.dumps(json.loads(written), sort_keys=True, separators=(",", ":")) == written
        written.encode("utf-8")
