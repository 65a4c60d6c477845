from django.contrib import admin


def test_no_page_of_the_job_queue_s_own_is_in_the_admin() -> None:
    found = {model._meta.app_label for model in admin.site._registry}
    assert "keys" in found
    assert "django_q" not in found
