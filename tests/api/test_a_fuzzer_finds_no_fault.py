"""Whatever a fuzzer makes of the API's own description: no 500, and no answer that the description does not tell."""

import json
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.processes import ROOT
from tests.support.service import Service

EXAMPLES = 12
_DOCUMENT: dict[str, Any] = json.loads(Path(ROOT, "docs/openapi.json").read_text())
schema = schemathesis.openapi.from_dict(_DOCUMENT)


@pytest.fixture(scope="module")
def fuzzer_key(service: Service) -> str:
    """A key of a project of its own: the fuzzer cancels and deletes what it finds."""
    [person] = service.people(("fuzzer", "fuzzed"))
    return person.key


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_no_fault_and_nothing_untold(case: "schemathesis.Case[Any]", service: Service, fuzzer_key: str) -> None:
    response = case.call(base_url=service.url, headers={"Authorization": f"Bearer {fuzzer_key}"}, timeout=30)
    assert response.status_code != 500, response.text
    case.validate_response(
        response, checks=[status_code_conformance, content_type_conformance, response_schema_conformance]
    )
