"""Django's middleware, only for pages: the API, `/health` and `/ready` know no sessions, forms or frames.

Under ASGI each of these costs a hop to a thread and back; ten of them would cost an API request more than its own work.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from axes.middleware import AxesMiddleware
from csp.middleware import CSPMiddleware
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.security import SecurityMiddleware
from whitenoise.middleware import WhiteNoiseMiddleware

API_PATHS = ("/v1/", "/health", "/ready", "/metrics")

Response = HttpResponseBase | Awaitable[HttpResponseBase]


class OnlyPages:
    """Lets requests to the API pass by the middleware it is mixed into, in threads and on the event loop alike."""

    get_response: Any

    def __call__(self, request: HttpRequest) -> Response:
        if request.path_info.startswith(API_PATHS):
            untouched: Response = self.get_response(request)
            return untouched
        passed_on: Response = super().__call__(request)  # type: ignore[misc]  # the middleware's own
        return passed_on


class Security(OnlyPages, SecurityMiddleware):
    pass


class ContentSecurityPolicy(OnlyPages, CSPMiddleware):
    pass


class Sessions(OnlyPages, SessionMiddleware):
    pass


class Common(OnlyPages, CommonMiddleware):
    pass


class Csrf(OnlyPages, CsrfViewMiddleware):
    pass


class Authentication(OnlyPages, AuthenticationMiddleware):
    pass


class Messages(OnlyPages, MessageMiddleware):
    pass


class Clickjacking(OnlyPages, XFrameOptionsMiddleware):
    pass


class LoginAttempts(OnlyPages, AxesMiddleware):  # type: ignore[misc]
    pass


class StaticFiles(WhiteNoiseMiddleware):  # type: ignore[misc]
    """WhiteNoise that fits an asynchronous chain; the original would force every request into a thread."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Response:
        found = self.files.get(request.path_info)
        if found is None:
            return self.get_response(request)  # type: ignore[no-any-return]
        response: HttpResponseBase = self.serve(found, request)
        return _already(response) if iscoroutinefunction(self) else response


async def _already(response: HttpResponseBase) -> HttpResponseBase:
    return response
