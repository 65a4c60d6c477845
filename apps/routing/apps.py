"""The app's registration."""

from django.apps import AppConfig


class RoutingConfig(AppConfig):
    """Routing."""

    name = "apps.routing"
    label = "routing"
    verbose_name = "Routing"
    default_auto_field = "django.db.models.BigAutoField"
