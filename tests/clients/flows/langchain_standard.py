"""LangChain's own suite for chat models, against the service.

Its prompts carry no stage directions: the scripted model answers them by what they ask for. The pictures and papers
that it would download come from here.
"""

import base64
import os
from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=")


@pytest.fixture(autouse=True)
def _downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(url: str, **_: Any) -> httpx.Response:
        return httpx.Response(200, content=b"%PDF-1.7 dummy" if url.endswith(".pdf") else PNG)

    monkeypatch.setattr(httpx, "get", get)


class TestChatOpenAI(ChatModelIntegrationTests):
    """Everything that a model without audio can do is claimed."""

    chat_model_class = ChatOpenAI
    supports_json_mode = True
    supports_image_inputs = True
    supports_image_tool_message = True
    supports_pdf_inputs = True
    supports_pdf_tool_message = True
    supports_anthropic_inputs = False  # content blocks of another API's
    supports_model_override = True
    model_override_value = "claude-sonnet-5-5"
    supported_usage_metadata_details = {"invoke": ["cache_read_input"], "stream": ["cache_read_input"]}

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "model": os.environ.get("CCS_MODEL", "sonnet"),
            "base_url": os.environ["CCS_URL"] + "/v1",
            "api_key": os.environ["CCS_KEY"],
            "stream_usage": True,
        }

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        model = ChatOpenAI(**self.chat_model_params)
        prompt = "Read this. " + "words " * 200
        model.invoke(prompt)
        if not stream:
            return model.invoke(prompt)
        first, *rest = model.stream(prompt)
        for chunk in rest:
            first += chunk
        return first
