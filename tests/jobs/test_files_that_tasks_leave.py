import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from apps.jobs import artifacts
from apps.jobs.artifacts import ArtifactGone, ArtifactNotFound
from apps.jobs.ids import new_job_id
from apps.jobs.models import Job
from apps.keys.models import ApiKey


@pytest.fixture(autouse=True)
def data(tmp_path: Path, settings: Settings) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def ended(key: ApiKey, *names: str, at: datetime) -> Job:
    """A task that left these files, each of 100 bytes."""
    job = Job.objects.create(
        id=new_job_id(at),
        kind="task",
        status="completed",
        project=key.project,
        api_key=key,
        request={},
        details={"artifacts": [{"name": name, "size": 100, "media_type": "", "sha256": ""} for name in names]},
        cap_microusd=1,
        created_at=at,
        finished_at=at,
        expires_at=at,
    )
    for name in names:
        path = artifacts.directory(job.pk) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 100)
    return job


def test_a_listed_file_is_opened(atlas: ApiKey) -> None:
    job = ended(atlas, "out/report.txt", at=timezone.now())

    found = artifacts.open_artifact(job=job, name="out/report.txt")

    with found.file:
        assert (found.file.read(), found.size) == (b"x" * 100, 100)


@pytest.mark.parametrize("name", ["other", "../secret", "/etc/passwd", "out/../out/report.txt", "out//report.txt", ""])
def test_only_what_the_job_lists_is_opened(atlas: ApiKey, data: Path, name: str) -> None:
    job = ended(atlas, "out/report.txt", at=timezone.now())
    (artifacts.directory(job.pk) / "other").write_text("not listed")

    with pytest.raises(ArtifactNotFound):
        artifacts.open_artifact(job=job, name=name)


def test_no_link_fifo_or_folder_is_opened_even_if_it_is_listed(atlas: ApiKey, data: Path) -> None:
    names = ("link", "through/file", "fifo", "folder", "../up", "a\0b")
    job = ended(atlas, "real", at=timezone.now())
    job.details = {"artifacts": [{"name": name, "size": 0, "media_type": "", "sha256": ""} for name in names]}
    root = artifacts.directory(job.pk)
    (data / "secret").mkdir()
    (data / "secret" / "file").write_text("secret")
    (root.parent / "up").write_text("secret")
    (root / "link").symlink_to(data / "secret" / "file")
    (root / "through").symlink_to(data / "secret")
    os.mkfifo(root / "fifo")
    (root / "folder").mkdir()

    for name in names:
        with pytest.raises(ArtifactGone):
            artifacts.open_artifact(job=job, name=name)


def test_files_go_when_they_are_old(atlas: ApiKey, settings: Settings) -> None:
    settings.ARTIFACT_DAYS, now = 7, timezone.now()
    old, young = (ended(atlas, "f", at=now - timedelta(days=days)) for days in (8, 6))

    assert artifacts.prune(now=now) == 1

    with pytest.raises(ArtifactGone):
        artifacts.open_artifact(job=old, name="f")
    artifacts.open_artifact(job=young, name="f").file.close()


def test_the_oldest_files_go_when_all_take_too_much(
    atlas: ApiKey, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ARTIFACT_MAX_GB, now = 250 / 1_000_000_000, timezone.now()
    jobs = [ended(atlas, "f", at=now - timedelta(hours=hours)) for hours in (4, 3, 2, 1)]

    assert artifacts.prune(now=now) == 2

    assert [artifacts.directory(job.pk).exists() for job in jobs] == [False, False, True, True]


def test_what_a_running_task_leaves_stays(atlas: ApiKey, settings: Settings) -> None:
    settings.ARTIFACT_DAYS, now = 7, timezone.now()
    job = ended(atlas, "f", at=now - timedelta(days=8))
    Job.objects.filter(pk=job.pk).update(status="queued", finished_at=None)

    assert artifacts.prune(now=now) == 0
