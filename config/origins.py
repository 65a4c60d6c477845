"""Sockets that trust a browser's cookie are for our own pages only."""

from apps.api.websocket.origins import is_allowed
from config.draining import Application, Message, Receive, Send, refuse_websocket


def of_our_pages(application: Application) -> Application:
    """The application, for handshakes that a page of ours, or of TRUSTED_ORIGINS, has begun; others are refused."""

    async def checked(scope: Message, receive: Receive, send: Send) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"] if name in (b"origin", b"host")}
        if is_allowed(headers.get(b"origin", ""), host=headers.get(b"host", "")):
            await application(scope, receive, send)
        else:
            await refuse_websocket(scope, receive, send)

    return checked
