"""`POST /v1/messages` and its `count_tokens`: Anthropic's Messages API, for its SDKs and for Claude Code itself."""

from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from apps.api import watching
from apps.api.answers import answer
from apps.api.anthropic.answers import Stream, message
from apps.api.anthropic.errors import body_of
from apps.api.anthropic.requests import read
from apps.api.base import EventStreamRenderer, View
from apps.api.body import read_json
from apps.api.errors import problem_of
from apps.api.later import Later
from apps.api.openai.requests import session_of
from apps.api.problems import Problem, of_status
from apps.api.schema.messages import count_schema, messages_schema
from apps.claude import counting
from apps.jobs import admission, conversations, routes
from apps.jobs.engines import credential
from apps.jobs.routes import AUTO
from apps.jobs.services import CredentialMissing


class AnthropicView(View):
    """An endpoint whose errors are Anthropic's."""

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]  # any response will do
        """Every failure of the view, in Anthropic's shape."""
        return self.failure(problem_of(exc))

    def failure(self, problem: Problem) -> HttpResponse:
        """The answer that tells a problem."""
        return answer(body_of(problem, self.visit.request_id), status=problem.status, headers=problem.headers)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response.headers["request-id"] = self.visit.request_id  # the SDKs read this name
        return super().finalize_response(request, response, *args, **kwargs)


class Messages(AnthropicView):
    """Anthropic's messages."""

    renderer_classes = [JSONRenderer, EventStreamRenderer]

    @messages_schema
    def post(self, request: Request) -> HttpResponseBase:
        """Create a message."""
        body = read_json(request)
        earlier = conversations.of_session(project=self.caller.project, session_id=session_of(body))
        reading = read(body, earlier=earlier)
        visit, job = self.visit, self.submit(reading.chat)
        self.end_with_client(job)
        words = watching.Words(
            whole=partial(message, thinking=reading.thinking),
            failure=self.failure,
            stream=Stream(job.id, job.model, reading.thinking, visit.request_id),
        )
        response = Later(partial(watching.streamed if reading.stream else watching.whole, job.id, words, visit))
        if reading.ignored:
            response.headers["x-ignored-params"] = ", ".join(reading.ignored)
        return response


class CountTokens(AnthropicView):
    """How many tokens a request would be."""

    @count_schema
    def post(self, request: Request) -> HttpResponseBase:
        """Count the tokens of a message. It costs nothing and makes no job."""
        body = read_json(request)
        reading = read(body, counting=True)
        chat = reading.chat
        if chat.model == AUTO:
            chat = chat.answered_by(routes.route(key=self.caller, request=chat, now=timezone.now()).model)
        admission.permit(key=self.caller, request=chat)
        holder = credential()
        if holder is None:
            raise CredentialMissing
        asked = counting.question(chat.model, body)
        return Later(partial(self._count, partial(counting.count, settings.ANTHROPIC_BASE_URL, holder, asked)))

    async def _count(self, count: Any) -> HttpResponse:
        try:
            return answer({"input_tokens": await count()})
        except counting.CountFailed as failed:
            return self.failure(of_status(failed.status, str(failed)))
        except Exception as error:
            return self.failure(problem_of(error))
