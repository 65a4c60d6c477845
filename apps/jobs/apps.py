from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "apps.jobs"
    label = "jobs"
    verbose_name = "Jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the floor below where the egress rows are, so that bills can be proven against them."""
        from apps.budgets.verifying import egress_rows_are
        from apps.jobs.metering import metered

        egress_rows_are(metered)
