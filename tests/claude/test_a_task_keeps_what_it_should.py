import hashlib
from pathlib import Path

from apps.claude.engine import Engine
from apps.claude.scripted.server import ScriptedModel
from apps.claude.taskspec import File
from tests.claude.conftest import requests, running_engine
from tests.claude.tasks import bash, do, task


def test_files_that_a_task_leaves_are_kept_and_nothing_behind_links(engine: Engine, tmp_path: Path) -> None:
    script = (
        "mkdir -p out/deep; echo report > out/deep/report.txt; echo same > kept.txt; echo new > changed.txt; "
        "ln -s /etc/hostname link.txt; ln -s /etc out/etc; mkfifo pipe; "
        "echo 1 > $'bad\\nname'; ln out/deep/report.txt hard"
    )
    files = (File(name="kept.txt", content=b"same\n"), File(name="changed.txt", content=b"old\n"))
    done = do(engine, task(bash(script), files=files, artifacts_dir=tmp_path / "artifacts"))
    assert not done.result_of(0).is_error, done.result_of(0)
    kept = {artifact.name: artifact for artifact in done.outcome.artifacts}
    assert sorted(kept) == ["changed.txt", "hard", "out/deep/report.txt"]
    report = kept["out/deep/report.txt"]
    copy = tmp_path / "artifacts" / "out/deep/report.txt"
    assert copy.read_bytes() == b"report\n"
    assert (report.size, report.media_type) == (7, "text/plain")
    assert report.sha256 == hashlib.sha256(b"report\n").hexdigest()
    assert not [path for path in (tmp_path / "artifacts").rglob("*") if path.is_symlink()]
    skipped = {each.name: (each.reason, each.size) for each in done.outcome.artifacts_skipped}
    assert skipped == {
        "link.txt": ("link", None),
        "out/etc": ("link", None),
        "pipe": ("not_a_file", None),
        "bad\\nname": ("name", 2),
    }
    assert done.outcome.artifacts_skipped_count == 4


def test_a_session_is_continued_by_another_engine_as_the_cli_itself_would(
    engine: Engine, model: ScriptedModel, marker: str, tmp_path: Path
) -> None:
    session = tmp_path / "session"
    first = do(engine, task(bash("echo remembered"), f"[[say: first answer]] {marker}", session_dir=session))
    assert first.outcome.status == "completed"
    with running_engine(model) as another:
        second = do(another, task("[[say: second answer]] go on", session_dir=session))
        third = do(another, task("[[say: third answer]] and on", session_dir=session))
    assert [done.outcome.text for done in (second, third)] == ["second answer", "third answer"]
    told = requests(model, marker)
    turns = [str(body["messages"]) for body in told]
    assert "remembered" in turns[-1]
    assert "first answer" in turns[-1]
    assert "second answer" in turns[-1]
    assert len(told) == 4


def test_the_next_task_finds_nothing_of_the_last(engine: Engine) -> None:
    do(engine, task(bash("echo planted > /workspace/x; echo planted > ~/x; echo planted > /tmp/x")))
    done = do(engine, task(bash("ls -A /workspace; ls ~; ls -A /tmp; cat ~/x /tmp/x /workspace/x")))
    assert "planted" not in done.result_of(0).content
