"""Clients of others in their ordinary flows: chat, stream, tools, structured output, images, errors; LangChain's suite.

They live in environments of their own, which `bin/test` makes: `.venv-clients` for Python, `node_modules` for the rest.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

from config.env import ROOT
from tests.support.scripted import ScriptedServer
from tests.support.service import Person, Service

FLOWS = Path(__file__).parent / "flows"
PYTHON = ROOT / ".venv-clients" / "bin" / "python"
NOT_OURS = {
    "langchain_standard.py": {
        "Model does not support audio inputs.",
        "Model does not explicitly support Anthropic inputs.",
        "VCR not set up.",
    }
}
"""What a suite leaves out by itself, and why: no audio, another API's blocks, recordings."""


def run(service: Service, person: Person, model: ScriptedServer, *command: str, directory: Path = FLOWS) -> str:
    """The output of the command, which has to succeed."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environ |= {"CCS_URL": service.url, "CCS_KEY": person.key, "CCS_MODEL_URL": model.url, "NO_PROXY": "127.0.0.1"}
    environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LANGSMITH_TRACING": "false", "AI_SDK_LOG_WARNINGS": "0"}
    done = subprocess.run(
        command, cwd=directory, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout


@pytest.mark.parametrize(
    ("flow", "least"),
    [
        ("langchain_standard.py", 47),
        ("langchain_flows.py", 10),
        ("langchain_anthropic_flows.py", 6),
        ("litellm_flows.py", 7),
        ("instructor_flows.py", 6),
        ("pydantic_ai_flows.py", 8),
    ],
)
def test_a_python_client(
    service: Service, alice: Person, scripted_model: ScriptedServer, flow: str, least: int
) -> None:
    options = ["-q", "-rs", "--tb=short", "--noconftest", "-c", "pytest.ini", "-p", "no:cacheprovider", "-W", "ignore"]
    said = run(service, alice, scripted_model, str(PYTHON), "-m", "pytest", *options, flow)
    passed = re.search(r"(\d+) passed", said)
    assert passed
    assert int(passed[1]) >= least, said
    assert set(re.findall(r"SKIPPED .*\.py:\d+: (.+)", said)) == NOT_OURS.get(flow, set())


def test_the_vercel_ai_sdk(service: Service, alice: Person, scripted_model: ScriptedServer) -> None:
    said = run(service, alice, scripted_model, "node", "--test", "flows.mjs", directory=FLOWS / "vercel")
    assert re.search(r"^# pass 16$", said, re.MULTILINE), said[-4000:]
