from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.utils import timezone

if TYPE_CHECKING:
    from apps.jobs.batches.models import Batch


class ApiConfig(AppConfig):
    name = "apps.api"
    label = "api"
    verbose_name = "API"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Join up what cannot know each other: a revoked key's jobs end with it, batches write OpenAI's lines."""
        from apps.jobs import services as jobs
        from apps.jobs.batches.finishing import files_are_written_by
        from apps.keys import services as keys

        keys.after_revoke(lambda key_pk: jobs.revoke_running(key_id=key_pk, now=timezone.now()))
        files_are_written_by(_write_files)


def _write_files(batch: "Batch") -> tuple[str, str]:
    from apps.api.batches.lines import write_files  # late: a process that never ends such a batch needs none of it

    return write_files(batch)
