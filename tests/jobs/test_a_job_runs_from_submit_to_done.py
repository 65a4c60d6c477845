import json

import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from apps.jobs import services
from apps.jobs.broker import RingBroker
from apps.jobs.execution import Worker
from apps.jobs.models import Call, Job, JobEvent
from apps.jobs.requests import ChatRequest
from apps.keys.models import ApiKey
from tests.jobs.conftest import Ask, both_databases, chat, followed, text_of
from tests.jobs.fake_engine import MICROUSD_PER_TOKEN

HOSTILE = "NUL \0, half a pair \ud83d, both \U0001f600, a line\u2028end and <script>"


@both_databases
def test_a_chat_is_answered_told_and_billed(atlas: ApiKey, ask: Ask, worker: Worker) -> None:
    job = ask(atlas, tokens=5)
    worker.ring()

    events = followed(job)

    assert [event.sequence_number for event in events] == list(range(1, len(events) + 1))
    assert [event.type for event in events if event.type != "token"] == ["started", "done"]
    assert text_of(events) == "t0 t1 t2 t3 t4 "
    job = Job.objects.get(pk=job.pk)
    assert (job.status, job.result, job.stop_reason) == ("completed", "t0 t1 t2 t3 t4 ", "end_turn")
    assert (job.input_tokens, job.output_tokens, job.cost_microusd) == (10, 5, 5 * MICROUSD_PER_TOKEN)
    assert job.created_at <= job.started_at <= job.finished_at  # type: ignore[operator]
    [call] = Call.objects.filter(job=job)
    assert (call.output_tokens, call.cost_microusd, call.estimated) == (5, 5 * MICROUSD_PER_TOKEN, False)


def test_the_last_event_is_the_job_object(atlas: ApiKey, ask: Ask, worker: Worker) -> None:
    done = followed(ask(atlas, tokens=1))[-1]

    assert done.data | {"id": 0, "created_at": 0, "started_at": 0, "finished_at": 0} == {
        "id": 0,
        "object": "job",
        "kind": "chat",
        "status": "completed",
        "project_id": "atlas",
        "model": "claude-haiku-5-5",
        "routed_from": None,
        "route": None,
        "result": "t0 ",
        "content": [],
        "structured_output": None,
        "usage": {
            "input_tokens": 10,
            "output_tokens": 1,
            "cache_read_input_tokens": 0,
            "cache_creation_input_tokens": 0,
            "total_tokens": 11,
        },
        "cost_usd": MICROUSD_PER_TOKEN / 1_000_000,
        "estimated": False,
        "cost_attribution": {},
        "thinking_tokens": 0,
        "web_search_requests": 0,
        "overhead_tokens": 0,
        "num_turns": 1,
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "tools_used": [],
        "permission_denials": [],
        "artifacts": [],
        "artifacts_skipped": [],
        "artifacts_skipped_count": 0,
        "session_id": None,
        "error": None,
        "created_at": 0,
        "started_at": 0,
        "finished_at": 0,
    }


@both_databases
def test_text_that_databases_refuse_comes_back_unharmed(atlas: ApiKey, ask: Ask, worker: Worker) -> None:
    job = ask(atlas, tokens=2, text=HOSTILE)

    live = followed(job)

    assert text_of(live) == HOSTILE * 2
    job = Job.objects.get(pk=job.pk)
    assert job.result == HOSTILE * 2
    assert json.loads(str(ChatRequest.from_json(job.request).turns[0].content[0]["text"]))["text"] == HOSTILE
    assert "".join(str(row.data["text"]) for row in JobEvent.objects.filter(job=job, type="token")) == HOSTILE * 2


def test_without_a_credential_nothing_is_accepted_and_the_message_says_what_to_set(
    atlas: ApiKey, settings: Settings
) -> None:
    settings.ANTHROPIC_API_KEY = ""

    with pytest.raises(services.CredentialMissing) as refused:
        services.submit(key=atlas, request=chat(), request_id="", now=timezone.now())

    for setting in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"):
        assert setting in str(refused.value)
    assert not Job.objects.exists()


def test_a_job_that_was_rolled_back_rings_for_nobody(atlas: ApiKey, ask: Ask, valkey: object) -> None:
    with transaction.atomic():
        ask(atlas)
        transaction.set_rollback(True)

    assert RingBroker().queue_size() == 0
    ask(atlas)
    assert RingBroker().queue_size() == 1


def test_jobs_are_taken_in_while_valkey_is_away(atlas: ApiKey, settings: Settings) -> None:
    settings.VALKEY_URL = "unix:///nowhere/valkey.sock?db=0"

    job = services.submit(key=atlas, request=chat(), request_id="", now=timezone.now())

    assert Job.objects.get(pk=job.pk).status == "queued"


def test_a_request_survives_its_row() -> None:
    request = ChatRequest(
        model="m",
        requested_model="auto",
        system="s",
        turns=chat(a=1).turns,
        max_tokens=3,
        stop=("x", "y"),
        temperature=0.5,
        top_p=0.9,
        user="u",
        metadata={"k": "v"},
    )

    assert ChatRequest.from_json(request.to_json()) == request
