"""Where an engine's tasks are run: who may be which uid, and whether tasks can be run at all."""

from pathlib import Path

from apps.claude import jail as walls
from apps.claude.egress import Egress
from apps.claude.jail import Jail
from apps.claude.spec import Outcome
from apps.claude.tasks import results
from apps.claude.tasks.launch import Limits
from apps.claude.tasks.run import Shop, TaskRun

_FIRST_UID = walls.JAIL_UID + 1
"""Tasks of a service that is root have uids of their own, so that not even the host lets one see another's files."""


class TaskShop:
    """Belongs to the engine's loop."""

    def __init__(self, cli: Path, jail: Jail | None, fault: str | None, egress: Egress, runtime_dir: Path) -> None:
        self._cli = cli
        self._jail = jail
        self.fault = fault
        """Why no task is taken, or None."""
        self._egress = egress
        self._runtime_dir = runtime_dir
        self._uids: set[int] = set()

    async def run(self, task: TaskRun) -> Outcome:
        """Do one task, or refuse it where it could not be contained."""
        if self._jail is None or self.fault is not None:
            reason = self.fault or "there is no jail"
            message = f"Tasks are refused on this worker, because they could not be contained: {reason}"
            return Outcome("failed", results.JAIL_UNAVAILABLE, message)
        uid = self._take_uid()
        shop = Shop(self._cli, self._jail, self._egress, self._runtime_dir, self._runtime_dir / "tasks", Limits(), uid)
        try:
            return await task.answer(shop)
        finally:
            if uid is not None:
                self._uids.discard(uid)

    def _take_uid(self) -> int | None:
        if not walls.runs_as_root():
            return None
        uid = next(uid for uid in range(_FIRST_UID, _FIRST_UID + 1_000) if uid not in self._uids)
        self._uids.add(uid)
        return uid
