from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "apps.jobs"
    label = "jobs"
    verbose_name = "Jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the floor below where the egress rows are, so that bills can be proven against them, and usage."""
        from apps.budgets.verifying import also_prove, egress_rows_are
        from apps.jobs.metering import metered
        from apps.jobs.usage.proving import differences

        egress_rows_are(metered)
        also_prove("usage", differences)
