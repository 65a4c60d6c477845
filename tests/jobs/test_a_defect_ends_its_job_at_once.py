"""An engine or a spec that raises is a defect of ours: the job hears of it now, not when its lease runs out."""

import logging
from typing import Any

import pytest
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.claude.spec import Metered, Started, Text
from apps.jobs import execution, services
from apps.jobs.events import Event
from apps.jobs.execution import DEFECT, Worker
from apps.jobs.models import Call, Job
from apps.keys.models import ApiKey
from tests.jobs.conftest import Ask, both_databases, followed, task
from tests.jobs.fake_engine import FakeEngine, metered

pytestmark = pytest.mark.usefixtures("valkey")


def _defect(*_: Any) -> Any:
    raise RuntimeError("a defect with a secret-word in it")


def job_error(event: Event) -> dict[str, Any]:
    error: Any = event.data["error"]
    return {name: error[name] for name in ("code", "message")}


@both_databases
def test_a_spec_that_cannot_be_made_ends_the_job(
    atlas: ApiKey, ask: Ask, worker: Worker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(execution, "run_spec", _defect)
    with caplog.at_level(logging.ERROR):
        job = ask(atlas)
        *_, last = followed(job)

    assert (last.type, job_error(last)) == ("error", {"code": "internal_error", "message": DEFECT})
    assert "secret-word" not in str(last.data)
    job.refresh_from_db()
    assert (job.status, job.error_code, job.cost_microusd) == ("failed", "internal_error", 0)
    assert job.lease_until is not None
    assert job.finished_at is not None
    assert job.finished_at < job.lease_until, "nobody waited for its lease"
    [logged] = [each for each in caplog.records if job.pk in each.getMessage()]
    assert logged.exc_info
    assert "secret-word" in str(logged.exc_info[1])
    assert AuditEvent.objects.get(action="job.closed", target_id=job.pk).outcome == "internal_error"


def test_the_worker_goes_on(atlas: ApiKey, ask: Ask, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(execution, "task_spec", _defect)
        failed = services.submit(key=atlas, request=task(), request_id="", now=timezone.now())
        followed(failed)
    job = ask(atlas)
    assert followed(job)[-1].type == "done"
    assert Job.objects.get(pk=failed.pk).error_code == "internal_error"


def test_an_engine_that_raises_in_the_middle_is_billed_for_what_was_metered(
    atlas: ApiKey, ask: Ask, worker: Worker, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(spec: Any, emit: Any) -> Any:
        await emit(Started(spec.model))
        await emit(Text("half "))
        await emit(Text("an answer"))
        await emit(Metered(metered(spec, 2, estimated=True)))
        _defect()

    monkeypatch.setattr(engine, "run", run)
    job = ask(atlas)
    followed(job)

    job.refresh_from_db()
    assert (job.error_code, job.result, job.output_tokens, job.estimated) == (
        "internal_error",
        "half an answer",
        2,
        True,
    )
    assert Call.objects.get(job=job).cost_microusd == job.cost_microusd > 0
