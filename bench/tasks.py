"""Tasks: from their start to the first request to the model, and what the service adds to a task with one tool."""

import asyncio
import json
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apps.claude import catalog
from apps.claude.credential import Credential
from apps.claude.engine import Engine, EngineConfig
from apps.claude.launch import environment
from apps.claude.spec import Event
from apps.claude.taskspec import TaskSpec
from bench.report import Report, median, ms
from bench.rig import MODEL, scripted_model
from tests.support.scripted import Log

_SAMPLES = 15
_TOOL = '[[tool: Bash {"command":"echo hi"}]]'
_FLAGS = ("-p", "--output-format", "stream-json", "--verbose", "--include-partial-messages", "--model", MODEL)
_GRANT = ("--tools", "Bash,Read", "--allowedTools", "Bash,Read", "--permission-mode", "dontAsk")


def measure(report: Report) -> None:
    """Cold CLI, prepared CLI, jailed task: in one run, in turns."""
    with scripted_model() as upstream:
        _measure(upstream, report)


def _measure(upstream: str, report: Report) -> None:
    log = Log(upstream)
    cold, jailed, bare, ours = [], [], [], []
    with _engine(upstream) as engine:
        _task(engine, "warm", tool=False)
        for _ in range(_SAMPLES):
            marker = f"cold-{uuid.uuid4().hex}"
            cold.append(_first_request(log, marker, _cold(upstream, marker)))
            bare.append(_prepared(upstream))
            _await_spare(engine)
            marker = f"task-{uuid.uuid4().hex}"
            jailed.append(_first_request(log, marker, _task(engine, marker, tool=False)[0]))
            _await_spare(engine)
            ours.append(_task(engine, uuid.uuid4().hex, tool=True)[1])
    share = median(jailed) / median(cold)
    report.add("first model request, cold unjailed `claude -p`", ms(median(cold)))
    report.add(
        "first model request, jailed task",
        f"{ms(median(jailed))} ({share:.2f} × cold)",
        "≤ 0.5 × cold",
        share <= 0.5,
    )
    added = median(ours) - median(bare)
    report.add("task with one tool, prepared CLI alone, unjailed", ms(median(bare)))
    report.add("task with one tool, jailed, start to outcome", ms(median(ours)))
    report.add("… added by the service", ms(added), "≤ 60 ms", added <= 0.06)


def _first_request(log: Log, marker: str, began: float) -> float:
    """Seconds from then until the model was first asked with this marker."""
    return float(log.containing(marker)[0]["time"]) - began


def _environment(upstream: str, home: str) -> dict[str, str]:
    given = environment(home=home, tmp=home, socket="")
    del given["ANTHROPIC_UNIX_SOCKET"]
    return given | {"ANTHROPIC_BASE_URL": upstream, "PATH": os.environ["PATH"]}


@contextmanager
def _home() -> Iterator[str]:
    home = tempfile.mkdtemp(prefix="ccs-bench-")
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _cold(upstream: str, marker: str) -> float:
    """Run a fresh CLI to its end; when it was started."""
    with _home() as home:
        began = time.time()
        argv = [str(catalog.locate_cli(None)), *_FLAGS, *_GRANT, marker]
        subprocess.run(
            argv, env=_environment(upstream, home), cwd=home, stdin=subprocess.DEVNULL, capture_output=True, check=True
        )
        return began


def _prepared(upstream: str) -> float:
    """Seconds that a waiting CLI takes for a task with one tool, from the first word to the result."""
    with _home() as home:
        flags = [*_FLAGS, *_GRANT, "--input-format", "stream-json", "--restricted", "--setting-sources", ""]
        process = subprocess.Popen(
            [str(catalog.locate_cli(None)), *flags],
            env=_environment(upstream, home),
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            time.sleep(2.0)  # as long as a spare has waited
            began = time.perf_counter()
            message = {"role": "user", "content": [{"type": "text", "text": f"{_TOOL} {uuid.uuid4().hex}"}]}
            lines: tuple[dict[str, Any], ...] = (
                {"type": "control_request", "request_id": "1", "request": {"subtype": "initialize", "hooks": None}},
                {"type": "user", "client_composed": True, "parent_tool_use_id": None, "message": message},
            )
            process.stdin.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
            process.stdin.flush()
            for line in process.stdout:
                if line.startswith(b"{") and json.loads(line).get("type") == "result":
                    return time.perf_counter() - began
            raise RuntimeError("the prepared CLI gave no result")
        finally:
            process.kill()
            process.wait()


@contextmanager
def _engine(upstream: str) -> Iterator[Engine]:
    cache = Path(tempfile.gettempdir()) / "ccs-bench-cli"
    credential = Credential("api_key", "dummy")
    engine = Engine(EngineConfig(credential=credential, upstream=upstream, slots=2, cache_dir=cache, task_spares=1))
    engine.start()
    try:
        yield engine
    finally:
        engine.stop(0)


def _await_spare(engine: Engine) -> None:
    """Until a prepared jail has waited a while."""
    assert engine._seats is not None
    while not engine._seats._spares:
        time.sleep(0.05)
    time.sleep(2.0)


def _task(engine: Engine, marker: str, *, tool: bool) -> tuple[float, float]:
    """When a task was started, and the seconds until its outcome was there."""
    prompt = ({"type": "text", "text": f"{_TOOL if tool else ''} {marker}"},)
    spec = TaskSpec(
        job_id=uuid.uuid4().hex,
        project="bench",
        model=MODEL,
        prompt=prompt,
        tools=("Bash", "Read"),
        cap_microusd=1_000_000,
        wall_seconds=60,
        idle_seconds=60,
    )

    async def ignore(_: Event) -> None:
        return None

    at, began = time.time(), time.perf_counter()
    outcome = asyncio.run_coroutine_threadsafe(engine.run(spec, ignore), engine.loop).result(60)
    assert outcome.status == "completed", outcome
    return at, time.perf_counter() - began
