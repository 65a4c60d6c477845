from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from apps.audit.models import AuditEvent
from apps.jobs import services, sessions
from apps.jobs.execution import Worker
from apps.jobs.models import Job, Session
from apps.jobs.sessions import SessionBusy, SessionNotFound
from apps.keys.models import ApiKey
from tests.jobs.conftest import followed, task


@pytest.fixture(autouse=True)
def data(tmp_path: Path, settings: Settings) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def begun(key: ApiKey) -> Session:
    """A session with a job that waits for a worker, and a kept conversation."""
    job = services.submit(key=key, request=task(), request_id="", now=timezone.now())
    folder = sessions.directory(project_id=key.project_id, session_id=job.session_id)
    folder.mkdir(parents=True)
    (folder / "conversation.jsonl").write_text("said")
    return sessions.find(project=key.project, session_id=job.session_id)


def ended(key: ApiKey) -> Session:
    session = begun(key)
    job = Job.objects.get(session_id=session.pk)
    services.cancel(job=job, now=timezone.now())
    return session


@pytest.mark.usefixtures("valkey")
def test_a_fork_goes_on_from_the_same_conversation(atlas: ApiKey) -> None:
    session = ended(atlas)

    copy = sessions.fork(session=session, actor="key:atlas", now=timezone.now())

    kept = [sessions.directory(project_id=atlas.project_id, session_id=each.pk) for each in (session, copy)]
    assert [(each / "conversation.jsonl").read_text() for each in kept] == ["said", "said"]
    assert copy.forked_from == session.pk
    assert AuditEvent.objects.get(action="session.forked").target_id == copy.pk


@pytest.mark.usefixtures("valkey")
def test_a_session_is_forgotten_with_its_conversation(atlas: ApiKey, borealis: ApiKey) -> None:
    session = ended(atlas)
    folder = sessions.directory(project_id=atlas.project_id, session_id=session.pk)
    with pytest.raises(SessionNotFound):
        sessions.find(project=borealis.project, session_id=session.pk)

    sessions.delete(session=session, actor="key:atlas", now=timezone.now())

    assert not folder.exists()
    with pytest.raises(SessionNotFound):
        sessions.find(project=atlas.project, session_id=session.pk)
    assert Job.objects.filter(session_id=session.pk).exists()
    assert AuditEvent.objects.get(action="session.deleted").actor == "key:atlas"


@pytest.mark.usefixtures("valkey")
def test_while_a_job_of_it_is_open_a_session_stays_whole(atlas: ApiKey) -> None:
    session = begun(atlas)

    for act in (sessions.delete, sessions.fork):
        with pytest.raises(SessionBusy):
            act(session=session, actor="key:atlas", now=timezone.now())
    assert sessions.prune(now=timezone.now() + timedelta(days=365)) == 0


@pytest.mark.usefixtures("valkey")
def test_what_nobody_continues_is_pruned(atlas: ApiKey, settings: Settings) -> None:
    session, now = ended(atlas), timezone.now()

    assert sessions.prune(now=now + timedelta(days=settings.SESSION_DAYS - 1)) == 0
    assert sessions.prune(now=now + timedelta(days=settings.SESSION_DAYS + 1)) == 1
    assert not sessions.directory(project_id=atlas.project_id, session_id=session.pk).exists()


def test_the_engine_is_told_where_the_conversation_is(atlas: ApiKey, worker: Worker) -> None:
    job = services.submit(key=atlas, request=task(), request_id="", now=timezone.now())

    followed(job)

    [spec] = worker._engine.tasks  # type: ignore[attr-defined]  # the double
    assert spec.session_id == job.session_id
    assert spec.session_dir == sessions.directory(project_id=atlas.project_id, session_id=job.session_id)
