"""Conversations that jobs continue: made with their first job, kept on disk, owned by their project."""

import contextlib
import secrets
import shutil
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import transaction

from apps.audit import services as audit
from apps.jobs.models import Job, Status
from apps.jobs.taskmodels import Session
from apps.keys.models import Project

NEW_SESSION = "new"
"""What a chat says for its session to begin one."""
_AT_ONCE = 100


class SessionNotFound(Exception):
    """The project has no such session."""

    param = "session_id"

    def __init__(self, session_id: str) -> None:
        super().__init__(f"There is no session '{session_id[:64]}'.")


class SessionBusy(Exception):
    """A job of this session has not ended; two at a time would tear the conversation apart."""

    param = "session_id"

    def __init__(self, session_id: str, job_id: str) -> None:
        super().__init__(f"Job {job_id} of session '{session_id}' has not ended: wait for it, or fork the session.")


def find(*, project: Project, session_id: str) -> Session:
    """The project's session. Raises SessionNotFound."""
    session = Session.objects.of(project).filter(pk=session_id[:64]).select_related("project").first()
    if session is None:
        raise SessionNotFound(session_id)
    return session


def enter(*, project: Project, kind: str, session_id: str, job_id: str, now: datetime) -> str:
    """The id of the session that a new job continues, or of a new one where it names none.

    Call it in the transaction that makes the job. Raises SessionNotFound or SessionBusy.
    """
    if not session_id:
        return _new(project, kind, job_id, now).pk
    # The update locks the row: of two jobs for one session the second sees the first.
    used = {"last_used_at": now, "last_job_id": job_id}
    if not Session.objects.of(project).filter(pk=session_id, kind=kind).update(**used):
        raise SessionNotFound(session_id)
    _refuse_busy(session_id)
    return session_id


def head(session: Session) -> Job | None:
    """The last job of a session of chats that was answered; a fork's first one is that of its origin."""
    answered = Job.objects.of(session.project).filter(status=Status.COMPLETED).select_related("project")
    own = answered.of_session(session.pk).order_by("-id").first()
    return own or answered.filter(pk=session.last_job_id).first()


def go_on(*, project: Project, session_id: str, follows: str, job_id: str, now: datetime) -> str:
    """The id of the session of a new chat, which goes on from the job that it `follows`.

    Call it in the transaction that makes the job. Raises SessionNotFound, SessionBusy also where others went on first.
    """
    if session_id == NEW_SESSION:
        return enter(project=project, kind="chat", session_id="", job_id=job_id, now=now)
    before = head(find(project=project, session_id=session_id))
    entered = enter(project=project, kind="chat", session_id=session_id, job_id=job_id, now=now)
    if before and before.pk != follows:
        raise SessionBusy(session_id, before.pk)
    return entered


def directory(*, project_id: int, session_id: str) -> Path:
    """Where the engine keeps the conversation."""
    return Path(settings.DATA_DIR) / "sessions" / str(project_id) / session_id


def fork(*, session: Session, actor: str, now: datetime) -> Session:
    """A new session that goes on from where this one is. Raises SessionBusy."""
    with transaction.atomic():
        _refuse_busy(session.pk)
        answered = head(session) if session.kind == "chat" else None
        last_job_id = answered.pk if answered else session.last_job_id
        copy = _new(session.project, session.kind, last_job_id, now, forked_from=session.pk)
        source = directory(project_id=session.project_id, session_id=session.pk)
        if source.is_dir():
            target = directory(project_id=session.project_id, session_id=copy.pk)
            shutil.copytree(source, target, symlinks=True)
        _record("session.forked", copy, actor, now)
    return copy


def delete(*, session: Session, actor: str, now: datetime) -> None:
    """Forget a conversation; what its jobs answered and cost stays with them. Raises SessionBusy."""
    with transaction.atomic():
        _refuse_busy(session.pk)
        if not Session.objects.filter(pk=session.pk).delete()[0]:
            return
        _record("session.deleted", session, actor, now)
        transaction.on_commit(partial(_remove, directory(project_id=session.project_id, session_id=session.pk)))


def prune(*, now: datetime) -> int:
    """Delete some of the sessions that nobody has continued for SESSION_DAYS. How many."""
    unused = Session.objects.unused_since(now - timedelta(days=settings.SESSION_DAYS))
    pruned = 0
    for session in unused.select_related("project")[:_AT_ONCE]:
        with contextlib.suppress(SessionBusy):
            delete(session=session, actor="system", now=now)
            pruned += 1
    return pruned


def _new(project: Project, kind: str, job_id: str, now: datetime, *, forked_from: str = "") -> Session:
    return Session.objects.create(
        id=f"session_{secrets.token_hex(16)}",
        kind=kind,
        project=project,
        forked_from=forked_from,
        last_job_id=job_id,
        created_at=now,
        last_used_at=now,
    )


def _refuse_busy(session_id: str) -> None:
    if job_id := Job.objects.unfinished().of_session(session_id).values_list("pk", flat=True).first():
        raise SessionBusy(session_id, job_id)


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)


def _record(action: str, session: Session, actor: str, now: datetime) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="session",
        target_id=session.pk,
        project_id=session.project.slug,
        data={"forked_from": session.forked_from} if session.forked_from else {},
        now=now,
    )
