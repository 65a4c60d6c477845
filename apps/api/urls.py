"""The addresses of the API."""

from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

from apps.api import errors
from apps.api.views.approvals import Approvals, Decide, WaitingApprovals
from apps.api.views.artifacts import Artifact, Artifacts
from apps.api.views.batch import BatchCancel, Batches, OneBatch
from apps.api.views.capabilities import Capabilities
from apps.api.views.chat import ChatCompletions
from apps.api.views.docs import OpenApi, redoc, swagger
from apps.api.views.explain import Explain
from apps.api.views.files import FileContent, Files, OneFile
from apps.api.views.health import Health, Ready
from apps.api.views.jobs import JobCancel, JobEvents, Jobs, OneJob
from apps.api.views.messages import CountTokens, Messages
from apps.api.views.metrics import Metrics
from apps.api.views.models import Model, Models
from apps.api.views.openai_batches import OneOpenaiBatch, OpenaiBatchCancel, OpenaiBatches
from apps.api.views.responses import OneResponse, ResponseCancel, ResponseInput, Responses
from apps.api.views.route import RouteRequest
from apps.api.views.sessions import Fork, OneSession, Sessions
from apps.api.views.tasks import Tasks
from apps.api.views.tickets import Tickets
from apps.api.views.usage import Usage
from apps.api.views.webhooks import Redeliver, WebhookSecret

urlpatterns = [
    path("v1/chat/completions", ChatCompletions.as_view(), name="chat-completions"),
    path("v1/messages", Messages.as_view(), name="messages"),
    path("v1/messages/count_tokens", CountTokens.as_view(), name="count-tokens"),
    path("v1/models", Models.as_view(), name="models"),
    path("v1/models/<str:model>", Model.as_view(), name="model"),
    path("v1/responses", Responses.as_view(), name="responses"),
    path("v1/responses/<str:response_id>", OneResponse.as_view(), name="response"),
    path("v1/responses/<str:response_id>/input_items", ResponseInput.as_view(), name="response-input-items"),
    path("v1/responses/<str:response_id>/cancel", ResponseCancel.as_view(), name="response-cancel"),
    path("v1/route", RouteRequest.as_view(), name="route"),
    path("v1/task", Tasks.as_view(), name="task"),
    path("v1/batch", Batches.as_view(), name="batch"),
    path("v1/batch/<str:batch_id>", OneBatch.as_view(), name="one-batch"),
    path("v1/batch/<str:batch_id>/cancel", BatchCancel.as_view(), name="batch-cancel"),
    path("v1/batches", OpenaiBatches.as_view(), name="openai-batches"),
    path("v1/batches/<str:batch_id>", OneOpenaiBatch.as_view(), name="openai-batch"),
    path("v1/batches/<str:batch_id>/cancel", OpenaiBatchCancel.as_view(), name="openai-batch-cancel"),
    path("v1/files", Files.as_view(), name="files"),
    path("v1/files/<str:file_id>", OneFile.as_view(), name="file"),
    path("v1/files/<str:file_id>/content", FileContent.as_view(), name="file-content"),
    path("v1/capabilities", Capabilities.as_view(), name="capabilities"),
    path("v1/jobs", Jobs.as_view(), name="jobs"),
    path("v1/jobs/<str:job_id>", OneJob.as_view(), name="job"),
    path("v1/jobs/<str:job_id>/events", JobEvents.as_view(), name="job-events"),
    path("v1/jobs/<str:job_id>/cancel", JobCancel.as_view(), name="job-cancel"),
    path("v1/explain", Explain.as_view(), name="explain"),
    path("v1/jobs/<str:job_id>/artifacts", Artifacts.as_view(), name="artifacts"),
    path("v1/jobs/<str:job_id>/artifacts/<path:name>", Artifact.as_view(), name="artifact"),
    path("v1/jobs/<str:job_id>/approvals", Approvals.as_view(), name="approvals"),
    path("v1/jobs/<str:job_id>/approvals/<str:call_id>", Decide.as_view(), name="approval"),
    path("v1/jobs/<str:job_id>/redeliver", Redeliver.as_view(), name="redeliver"),
    path("v1/approvals", WaitingApprovals.as_view(), name="waiting-approvals"),
    path("v1/webhooks/secret", WebhookSecret.as_view(), name="webhook-secret"),
    path("v1/sessions", Sessions.as_view(), name="sessions"),
    path("v1/sessions/<str:session_id>", OneSession.as_view(), name="session"),
    path("v1/sessions/<str:session_id>/fork", Fork.as_view(), name="session-fork"),
    path("v1/ws-tickets", Tickets.as_view(), name="ws-tickets"),
    path("v1/usage", Usage.as_view(), name="usage"),
    path("health", Health.as_view(), name="health"),
    path("ready", Ready.as_view(), name="ready"),
    path("metrics", Metrics.as_view(), name="metrics"),
    path("openapi.json", OpenApi.as_view(), name="openapi"),
    path("docs", swagger, name="docs"),
    path("redoc", redoc, name="redoc"),
    re_path(r"^v1(?:/.*)?\Z", csrf_exempt(errors.not_found)),
]
