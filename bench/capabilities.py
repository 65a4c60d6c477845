"""How long it takes to find 1,000 agents and skills, and to notice that nothing has changed."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.report import Report, ms

FILES = 1_000
_ROOT = Path(__file__).resolve().parent.parent
_MEASURE = """
import os, time
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
import django
django.setup()
from django.core.management import call_command
from django.utils import timezone
from apps.capabilities import scanning, services
call_command("migrate", verbosity=0)
clock = time.perf_counter
began = clock()
first = services.scan(actor="bench", now=timezone.now())
then = clock()
again = services.scan(actor="bench", now=timezone.now())
last = clock()
assert services.scan_if_changed(now=timezone.now()) is None
print(first.present, len(first.faulty), then - began, again.read, last - then, clock() - last)
"""


def discovery(report: Report) -> None:
    """First scan, a scan of what is known, and the look that the sweep takes."""
    with tempfile.TemporaryDirectory(prefix="ccs-bench-") as name:
        home = Path(name, "claude")
        _fill(home)
        environ = {**os.environ, "DATA_DIR": str(Path(name, "data")), "CLAUDE_HOME": str(home), "CAPABILITY_DIRS": ""}
        command = [sys.executable, "-c", _MEASURE]
        done = subprocess.run(command, cwd=_ROOT, env=environ, check=True, stdout=subprocess.PIPE, text=True)
    present, faulty, first, read, again, look = done.stdout.split()[-6:]
    assert (int(present), int(faulty), int(read)) == (FILES, 0, 0)
    report.add(f"discovery of {FILES:,} files", ms(float(first)), "< 1 s", float(first) < 1)
    report.add("the same, cached", ms(float(again)))
    report.add("noticing that nothing has changed", ms(float(look)))


def _fill(home: Path) -> None:
    """Half agents, half skills with a script each, as large as people's are."""
    for number in range(FILES // 2):
        front = (
            f"---\nname: {{}}-{number}\ndescription: Use it when: a thing {number} is to be done.\ntools: Read, Grep\n"
        )
        body = "---\n\n" + "You are an expert. Look closely, and say what you found.\n" * 60
        agent = home / "agents" / f"agent-{number}.md"
        manifest = home / "skills" / f"skill-{number}" / "SKILL.md"
        for path in (agent, manifest):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(front.format(path.parent.name if path is manifest else "agent") + body, encoding="utf-8")
        (manifest.parent / "run.py").write_text("print('done')\n" * 50)
