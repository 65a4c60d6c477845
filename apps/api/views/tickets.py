"""`POST /v1/ws-tickets`: for browsers, which can send no header with a WebSocket."""

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from apps.api.answers import answer
from apps.api.base import View
from apps.api.problems import ApiError, Problem
from apps.api.schema.tickets import ticket_schema
from apps.keys import tickets

_RETRY = {"x-should-retry": "true", "Retry-After": "1"}
_AWAY = Problem(503, str(tickets.NoTickets()), "valkey_unavailable", headers=_RETRY)


class Tickets(View):
    """Tickets."""

    @ticket_schema
    def post(self, request: Request) -> HttpResponse:
        """Make a ticket that opens `/v1/stream` once, within 30 seconds."""
        key, ip = self.caller, request.META.get("REMOTE_ADDR") or None
        try:
            ticket = tickets.issue(key=key, actor=f"key:{key.public_id}", ip=ip, now=timezone.now())
        except tickets.NoTickets:
            raise ApiError(_AWAY) from None
        made = {"object": "ws_ticket", "ticket": ticket, "expires_in": tickets.SECONDS}
        return answer(made, status=201, headers={"Cache-Control": "no-store"})
