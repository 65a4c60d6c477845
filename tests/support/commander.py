"""Runs commands beside a service, each in a fork of its own. Not imported: `python -m` with its settings.

Loading Django takes longer than most commands do, so it is loaded once. A line of JSON asks: the words of a command
line, `manage.py …` or `-c CODE …`. A line of JSON answers: its exit status and what it printed.
"""

import json
import os
import random
import runpy
import sys
import tempfile
import traceback
from pathlib import Path

import django


def main() -> None:
    """Until nobody can ask any more."""
    django.setup()
    for line in sys.stdin:
        with tempfile.TemporaryFile() as output:
            child = os.fork()
            if child == 0:
                os.dup2(output.fileno(), 1)
                with Path(os.devnull).open() as nothing:
                    os.dup2(nothing.fileno(), 0)
                os._exit(run(json.loads(line)))
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            output.seek(0)
            answer = json.dumps({"status": status, "output": output.read().decode()})
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


def run(words: list[str]) -> int:
    """The exit status of what a Python with these arguments would have run."""
    random.seed()
    sys.argv = words
    status = 1
    try:
        if words[0] == "-c":
            sys.argv = [words[0], *words[2:]]
            exec(words[1], {"__name__": "__main__"})
        else:
            runpy.run_path(words[0], run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    main()
