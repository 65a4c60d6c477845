from django.apps import AppConfig


class BudgetsConfig(AppConfig):
    name = "apps.budgets"
    label = "budgets"
    verbose_name = "Budgets"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """A rotated key's budgets go on with its successor. Keys cannot know budgets, so the two are joined up here."""
        from apps.budgets import inheriting
        from apps.keys import rotation

        rotation.with_rotation(inheriting.hand_on)
