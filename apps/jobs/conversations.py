"""What was said in chats before, for those that go on from there."""

from dataclasses import dataclass
from typing import Any

from apps.claude.spec import Turn
from apps.jobs import sessions
from apps.jobs.erasing import is_erased
from apps.jobs.models import Job, Status
from apps.jobs.requests import ChatRequest
from apps.jobs.sessions import NEW_SESSION
from apps.jobs.wire import job_object
from apps.keys.models import Project


@dataclass(frozen=True, slots=True)
class Conversation:
    """The turns so far, the last one the assistant's, and the job that answered it."""

    turns: tuple[Turn, ...] = ()
    job_id: str = ""


NOTHING_SAID = Conversation()


class CannotContinue(Exception):
    """That job has no answer to go on from; the message is for callers."""

    def __init__(self, job: Job) -> None:
        state = "forgotten" if is_erased(job) else job.status.replace("_", " ")
        super().__init__(f"It is {state}: only a chat that is completed can be continued.")


def of_job(job: Job) -> Conversation:
    """What was asked and answered. Raises CannotContinue."""
    if job.status != Status.COMPLETED or is_erased(job):
        raise CannotContinue(job)
    turns = ChatRequest.from_json(job.request).turns
    said: Any = job_object(job)["content"] or ([{"type": "text", "text": job.result}] if job.result else [])
    answered = (Turn("assistant", tuple(said)),) if said else ()
    return Conversation((*turns, *answered), job.pk)


def of_session(*, project: Project, session_id: str) -> Conversation:
    """What was said in a session of chats so far. Raises SessionNotFound."""
    if session_id in ("", NEW_SESSION):
        return NOTHING_SAID
    head = sessions.head(sessions.find(project=project, session_id=session_id))
    return of_job(head) if head and not is_erased(head) else NOTHING_SAID
