"""Proves, one by one, what the engine stands on: the CLI, the jail, the egress, and each undocumented feature."""

import asyncio
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from apps.claude import catalog
from apps.claude.egress import Egress
from apps.claude.engine import Engine, EngineConfig, find_walls, temporary_runtime_dir
from apps.claude.live import CliUnfit, LiveProcess, RewindMissing, Workshop
from apps.claude.spec import Event, RunSpec, Turn
from apps.claude.tasks.seats import Place, Seats

_CALL_CAP_MICROUSD = 20_000


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried. `warn` works, but not as well as it should."""

    name: str
    state: Literal["ok", "warn", "fail"]
    detail: str


def examine(config: EngineConfig, *, call: bool) -> list[Check]:
    """Try everything in turn; with `call`, ask the upstream one cheap question (it is billed). Takes about 2 s."""
    try:
        cli = catalog.locate_cli(config.cli_path)
    except catalog.CliMissing as missing:
        return [Check("cli", "fail", str(missing))]
    checks = [_version(cli, config.tested_version)]
    runtime_dir = config.runtime_dir or temporary_runtime_dir()
    try:
        return [*checks, *_walls_and_features(config, cli, runtime_dir), *_upstream(config, call=call)]
    finally:
        shutil.rmtree(runtime_dir, ignore_errors=True)


def _walls_and_features(config: EngineConfig, cli: Path, runtime_dir: Path) -> list[Check]:
    cli, jail, fault = find_walls(cli, runtime_dir, config.cache_dir)
    if jail:
        walls = Check("jail", "ok", f"{jail.bwrap} around the CLI")
    else:
        walls = Check("jail", "warn", f"{fault}: chat runs without a jail, tools will be refused")
    egress = Egress(upstream=config.upstream, credential=None)
    place = Place(cli, jail, fault, egress, runtime_dir, config.cache_dir, config.tested_version)
    seats = Seats(place, config.task_bounds.limits, 0)
    if jail and not asyncio.run(seats.ready()):
        walls = Check("jail", "warn", f"{seats.fault}: tasks will be refused")
    limits = Check("limits", "ok", "prlimit in the jail; memory and disk are watched; no cgroup of its own for a task")
    return [
        walls,
        limits,
        *_network(config, seats),
        *asyncio.run(_features(Workshop(cli, jail, egress, runtime_dir), config.model)),
    ]


def _network(config: EngineConfig, seats: Seats) -> list[Check]:
    """What a task may connect to, tried from a jail."""
    if seats.fault:
        return []
    if config.reach.ca_file and not os.access(config.reach.ca_file, os.R_OK):
        return [Check("network", "fail", f"TASK_NETWORK_CA cannot be read: {config.reach.ca_file}")]
    if fault := asyncio.run(seats.network_fault()):
        return [Check("network", "warn", f"{fault}: tasks that use the network will be refused")]
    return [Check("network", "ok", "a task reaches what it may through its proxy, and nothing private")]


def _upstream(config: EngineConfig, *, call: bool) -> list[Check]:
    checks = [_credential(config)]
    if call and config.credential:
        checks.append(_call(config))
    return checks


def _version(cli: Path, tested: str) -> Check:
    done = subprocess.run([str(cli), "--version"], capture_output=True, text=True, timeout=30, check=False)
    version = done.stdout.split()[0] if done.returncode == 0 and done.stdout else ""
    if not version:
        return Check("cli", "fail", f"{cli} does not run: {done.stderr.strip()[:200]}")
    if version != tested:
        return Check("cli", "warn", f"{version} at {cli}; proven is {tested}: tasks will be refused")
    return Check("cli", "ok", f"{version} at {cli}")


async def _features(workshop: Workshop, model: str) -> list[Check]:
    """The undocumented features, proven by a process that answers a rehearsed question without any upstream."""
    await workshop.egress.start()
    try:
        return await _rehearse(workshop, model)
    finally:
        await workshop.egress.stop()


async def _rehearse(workshop: Workshop, model: str) -> list[Check]:
    started = time.monotonic()
    try:
        live = await LiveProcess.start(workshop, model)
    except RewindMissing as missing:
        proven = Check("egress", "ok", "the CLI speaks to its own unix socket; prompts arrive verbatim")
        return [proven, Check("rewind", "warn", f"{missing}: each process serves one question (spares)")]
    except (CliUnfit, OSError) as unfit:
        return [Check("egress", "fail", str(unfit))]
    seconds = time.monotonic() - started
    try:
        checks = [
            Check("egress", "ok", f"the CLI speaks to its own unix socket; ready after {seconds:.1f} s"),
            Check("verbatim", "ok", "commands and file mentions in a prompt stay text"),
            Check("rewind", "ok", "a conversation can be taken back between questions"),
        ]
        try:
            await live.use_model("claude-haiku-5-5")
            checks.append(Check("set_model", "ok", "a live process changes its model"))
        except (CliUnfit, TimeoutError) as unfit:
            checks.append(Check("set_model", "warn", f"{unfit}: only the default model runs on live processes"))
        return checks
    finally:
        await live.aclose()


def _credential(config: EngineConfig) -> Check:
    credential = config.credential
    if credential is None:
        return Check("credential", "fail", "none: set ANTHROPIC_API_KEY (or ANTHROPIC_AUTH_TOKEN)")
    if credential.warning:
        return Check("credential", "warn", credential.warning)
    return Check("credential", "ok", f"{credential.setting} for {config.upstream}")


def _call(config: EngineConfig) -> Check:
    """One question to the cheapest model."""
    question: tuple[Turn, ...] = (Turn("user", ({"type": "text", "text": "Say ok."},)),)
    model = catalog.resolve("haiku") or config.model
    spec = RunSpec("doctor", "doctor", model, "", question, 256, (), None, None, _CALL_CAP_MICROUSD, 60.0, 60.0)

    async def ignore(_event: Event) -> None:
        return None

    engine = Engine(replace(config, runtime_dir=None, slots=1, model=model))
    engine.start()
    try:
        outcome = asyncio.run_coroutine_threadsafe(engine.run(spec, ignore), engine.loop).result(90)
    finally:
        engine.stop(0)
    if outcome.status == "completed":
        return Check("call", "ok", f"{model} answered; cost {outcome.cost_microusd} µ$")
    return Check("call", "fail", f"{outcome.error_code}: {outcome.error_message}")
