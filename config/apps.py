from django.apps import AppConfig
from django.contrib.admin import autodiscover
from django.contrib.admin.apps import SimpleAdminConfig


class ConfigConfig(AppConfig):
    name = "config"
    label = "config"
    verbose_name = "Service"
    default = True


class AdminConfig(SimpleAdminConfig):
    """Django's admin in the service's own frame."""

    default_site = "config.site.Site"

    def ready(self) -> None:
        """Find the pages of all apps."""
        super().ready()
        autodiscover()
