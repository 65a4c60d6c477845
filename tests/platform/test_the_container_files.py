"""What can be checked of the container and CI files where there is no engine: they parse, and name what exists."""

import dataclasses
import re
import subprocess
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from config.env import Env
from tests.architecture.sources import ROOT, files

SETTINGS = {setting.metadata["name"] for setting in dataclasses.fields(Env)}
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}
DOCKERFILE = (ROOT / "docker/Dockerfile").read_text()
SCRIPTS = [path for path in files() if path.parts[0] in ("bin", ".ci")]


def test_the_parts_of_a_scaled_out_install_are_there() -> None:
    assert {*OURS} == {"prepare", "web", "worker"}
    assert {*COMPOSE["services"]} - {*OURS} == {"postgres", "valkey"}


@pytest.mark.parametrize("name", OURS)
def test_each_container_runs_a_command_that_exists(name: str) -> None:
    command = OURS[name]["command"]
    assert command[:2] == ["python", "manage.py"]
    assert command[2] in get_commands()


@pytest.mark.parametrize("name", OURS)
def test_each_container_is_given_settings_that_exist(name: str) -> None:
    assert {*OURS[name]["environment"]} <= SETTINGS


def test_the_example_names_settings_that_exist() -> None:
    names = re.findall(r"^#?([A-Z_]+)=", (ROOT / "docker/example.env").read_text(), re.MULTILINE)
    assert {*names} - {"POSTGRES_PASSWORD"} <= SETTINGS


def test_what_compose_asks_for_is_in_the_example() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (ROOT / "docker/compose.yaml").read_text()))
    assert asked <= set(re.findall(r"^([A-Z_]+)=", (ROOT / "docker/example.env").read_text(), re.MULTILINE))


def test_only_the_worker_gives_up_dockers_own_walls_and_gets_what_a_jail_needs() -> None:
    needed = {"seccomp:unconfined", "apparmor:unconfined", "systempaths=unconfined"}
    assert needed <= {*OURS["worker"]["security_opt"]}
    assert not needed & {*OURS["web"]["security_opt"], *OURS["prepare"].get("security_opt", [])}
    for service in COMPOSE["services"].values():
        assert not service.get("privileged")
    assert all(service["cap_drop"] == ["ALL"] for service in OURS.values())


def test_web_nodes_and_workers_share_the_files_that_tasks_leave() -> None:
    assert {tuple(service["volumes"]) for service in OURS.values()} == {("data:/data",)}
    named = {volume.split(":")[0] for service in COMPOSE["services"].values() for volume in service.get("volumes", [])}
    assert named == {*COMPOSE["volumes"]}


def test_containers_get_time_to_drain() -> None:
    for name in ("web", "worker"):
        assert float(OURS[name]["stop_grace_period"].rstrip("s")) > Env.read({}).drain_seconds


def test_everything_the_image_copies_exists_and_nothing_it_needs_is_missing() -> None:
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    }
    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert {"manage.py", "config", "apps", "templates", "static", "CHANGELOG.md"} <= copied


def test_the_image_runs_as_nobody_special_and_each_instruction_is_one() -> None:
    known = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "CMD"}
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)).splitlines()
    words = [line.split()[0] for line in lines if line.strip()]
    assert {*words} <= known
    assert "USER service" in lines
    assert lines.index("USER service") < lines.index(next(line for line in lines if line.startswith("CMD")))


@pytest.mark.parametrize("name", SCRIPTS, ids=str)
def test_each_script_is_plain_shell(name: object) -> None:
    subprocess.run(["sh", "-n", str(name)], cwd=ROOT, check=True)


def test_ci_runs_what_developers_run() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    steps = workflow["jobs"]["checks"]["steps"]
    assert ".ci/run" in [step.get("run") for step in steps]
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
    assert workflow["permissions"] == {"contents": "read"}


def test_the_deployment_guide_names_what_exists() -> None:
    guide = (ROOT / "docs/deployment.md").read_text()
    assert {*re.findall(r"bin/manage (\w+)", guide)} <= {*get_commands()}
    assert str(OURS["worker"]["security_opt"]).replace("'", '"') in guide
    settings = set(re.findall(r"`([A-Z][A-Z_]{3,})(?:=[^`]*)?`", guide))
    assert settings <= SETTINGS
