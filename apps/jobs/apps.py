from typing import Any

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "apps.jobs"
    label = "jobs"
    verbose_name = "Jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the floor below where the egress rows are, so that bills can be proven against them, and usage."""
        from django.db.backends.signals import connection_created

        from apps.budgets.verifying import also_prove, egress_rows_are
        from apps.jobs.metering import metered
        from apps.jobs.usage.proving import differences

        egress_rows_are(metered)
        also_prove("usage", differences)
        connection_created.connect(_without_jit, dispatch_uid="jobs-without-jit")


def _without_jit(*, connection: Any, **_: object) -> None:
    """PostgreSQL compiles a statement of eighty sums for longer than it takes to run."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET jit = off")
