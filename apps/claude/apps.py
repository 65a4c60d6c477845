from django.apps import AppConfig


class ClaudeConfig(AppConfig):
    name = "apps.claude"
    label = "claude"
    verbose_name = "Claude"
    default_auto_field = "django.db.models.BigAutoField"
