"""The admin as a whole; each app brings its own pages."""

from django.contrib import admin
from django_q.models import Failure, OrmQ, Schedule, Success

admin.site.site_title = admin.site.site_header = "Claude Code API Service"
admin.site.index_title = "Manage"
admin.site.site_url = "/docs"

# A schedule is a dotted path with arguments: whoever may write one runs code. The others are always empty.
for unwanted in (Schedule, OrmQ, Success, Failure):
    if admin.site.is_registered(unwanted):
        admin.site.unregister(unwanted)
