"""Admin, logins, everything of `apps.api`, and the way there for somebody who opens the bare address."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(url="/docs")),
    path("admin/", admin.site.urls),
    path("", include("apps.people.urls")),
    path("", include("apps.api.urls")),
]

# By name: the modules behind them are loaded when a request needs them.
handler400 = "apps.api.errors.bad_request"
handler403 = "apps.api.errors.forbidden"
handler404 = "apps.api.errors.not_found"
handler500 = "apps.api.errors.server_error"
