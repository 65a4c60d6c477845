from django.apps import AppConfig


class PeopleConfig(AppConfig):
    name = "apps.people"
    verbose_name = "People"

    def ready(self) -> None:
        """Have logins and their failures put on record, whichever door they come through."""
        from apps.people import listening

        listening.listen()
