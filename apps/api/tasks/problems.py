"""What the errors of tasks, sessions, approvals and artifacts are on the wire: status and code. All are spoken."""

from apps.jobs.approvals import ApprovalNotFound, MayNotDecide, NotWaiting
from apps.jobs.artifacts import ArtifactGone, ArtifactNotFound
from apps.jobs.deliveries import NothingToDeliver
from apps.jobs.naming import UnknownNames
from apps.jobs.sessions import SessionBusy, SessionNotFound

OF_TASKS: dict[type[Exception], tuple[int, str]] = {
    UnknownNames: (422, "unknown_name"),
    SessionNotFound: (404, "session_not_found"),
    SessionBusy: (409, "session_busy"),
    ApprovalNotFound: (404, "approval_not_found"),
    MayNotDecide: (403, "may_not_decide"),
    NotWaiting: (409, "not_waiting"),
    ArtifactNotFound: (404, "artifact_not_found"),
    ArtifactGone: (410, "artifact_gone"),
    NothingToDeliver: (409, "nothing_to_deliver"),
}
