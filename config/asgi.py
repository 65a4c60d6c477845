"""The ASGI application: the API by its own gateway, pages by Django, WebSockets by the consumers of both."""

import os
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
pages: Any = get_asgi_application()

# These import models, so they come after Django's set-up.
from apps.api.gateway import Gateway  # noqa: E402
from apps.api.routing import websocket_urlpatterns  # noqa: E402
from apps.dashboard.sockets import websocket_urlpatterns as page_sockets  # noqa: E402
from config.draining import Draining, refuse_websocket  # noqa: E402
from config.origins import of_our_pages  # noqa: E402

nowhere = re_path(r"", refuse_websocket)  # type: ignore[arg-type]  # an ASGI application, as URLRouter expects
for each in page_sockets:
    each.callback = of_our_pages(each.callback)
websocket = URLRouter([*websocket_urlpatterns, *page_sockets, nowhere])
application = Draining(ProtocolTypeRouter({"http": Gateway(pages), "websocket": websocket}))
