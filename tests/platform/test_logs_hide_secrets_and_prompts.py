import io
import json
import logging

import pytest
import structlog

from config import logs

KEY = "ccs_live_zaabf93t1ld9_QoRypvIpwFB6fF2ucBcg9AZP89WQO5KS_02hZQF"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    written = io.StringIO()
    logs.configure(log_format="json", level="INFO")
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            monkeypatch.setattr(handler, "stream", written)
    return written


def test_fields_that_hold_secrets_or_prompts_are_hidden(lines: io.StringIO) -> None:
    private = {"authorization": "x-1", "prompt": "x-2", "messages": ["x-3"], "api_key": "x-4", "system": "x-5"}
    structlog.get_logger("a").warning("refused", request={"body": private}, **private, job_id="job_1")
    entry = json.loads(lines.getvalue())
    assert entry["job_id"] == "job_1"
    assert "x-" not in lines.getvalue()


def test_a_key_in_any_text_is_hidden_also_in_a_traceback_of_a_library(lines: io.StringIO) -> None:
    try:
        raise ValueError(f"bad header: Bearer {KEY}")
    except ValueError:
        logging.getLogger("some.library").exception("failed for %s and sk-ant-api03-abcdefgh", KEY)
    text = lines.getvalue()
    assert "ValueError" in text
    assert "QoRypv" not in text
    assert "abcdefgh" not in text
