"""Admin, logins, everything of `apps.api`, and the dashboard at the bare address."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("apps.people.urls")),
    path("", include("apps.api.urls")),
    path("", include("apps.dashboard.urls")),
]

# By name: the modules behind them are loaded when a request needs them.
handler400 = "apps.api.errors.bad_request"
handler403 = "config.errors.forbidden"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
