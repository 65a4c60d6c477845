"""`POST /v1/chat/completions`: submit a job and watch it, whole or as a stream."""

from functools import partial

from django.conf import settings
from django.http.response import HttpResponseBase
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from apps.api import watching
from apps.api.answers import failure
from apps.api.base import EventStreamRenderer, View
from apps.api.body import read_json
from apps.api.later import Later
from apps.api.openai.answers import completion
from apps.api.openai.chunks import Chunks
from apps.api.openai.content import Media
from apps.api.openai.remote import fetched
from apps.api.openai.requests import read, session_of
from apps.api.schema.chat import chat_schema
from apps.jobs import conversations


class ChatCompletions(View):
    """OpenAI's chat completions."""

    renderer_classes = [JSONRenderer, EventStreamRenderer]

    @chat_schema
    def post(self, request: Request) -> HttpResponseBase:
        """Create a chat completion."""
        body = read_json(request)
        earlier = conversations.of_session(project=self.caller.project, session_id=session_of(body))
        media = Media(remote_images=settings.REMOTE_IMAGES)
        reading = read(body, default_model=self.default_model, earlier=earlier, media=media)
        visit, job = self.visit, self.submit(fetched(reading.chat))
        self.end_with_client(job)
        created = int(job.created_at.timestamp())
        words = watching.Words(
            whole=partial(completion, created=created, reasoning=reading.include_reasoning),
            failure=failure,
            stream=Chunks(job.id, job.model, created, reading.include_usage, reading.include_reasoning),
        )
        response = Later(partial(watching.streamed if reading.stream else watching.whole, job.id, words, visit))
        if reading.ignored:
            response.headers["x-ignored-params"] = ", ".join(reading.ignored)
        return response
