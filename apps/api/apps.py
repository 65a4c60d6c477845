from django.apps import AppConfig
from django.utils import timezone


class ApiConfig(AppConfig):
    name = "apps.api"
    label = "api"
    verbose_name = "API"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """A revoked key's jobs end with it. Keys cannot know jobs, so the two are joined up here."""
        from apps.jobs import services as jobs
        from apps.keys import services as keys

        keys.after_revoke(lambda key_pk: jobs.revoke_running(key_id=key_pk, now=timezone.now()))
