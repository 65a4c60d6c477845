"""`bin/serve`: checks, then starts everything, watches it, and stops it in order. It never loads Django itself."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from config import version
from config.env import ROOT, Misconfigured
from config.preflight import Checked, check
from config.startup import Startup


def say(line: str) -> None:
    print(line, flush=True)


def main(arguments: Sequence[str]) -> int:
    """Serves until Ctrl-C or SIGTERM; exit status 0 then. Raises Misconfigured before anything was started."""
    options = _parser().parse_args(arguments)
    checked = check(host=options.host, port=options.port, workers=options.workers, demo=options.demo)
    with checked.lock, checked.listener:
        return asyncio.run(_serve(checked))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bin/serve", description="Starts the whole service; Ctrl-C stops it.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=8006, help="port to listen on; 0 takes a free one")
    parser.add_argument("--workers", type=int, help="worker processes; default: by the number of cores")
    parser.add_argument("--demo", action="store_true", help="use the scripted model that ships with the project")
    return parser


async def _serve(checked: Checked) -> int:
    stopping = asyncio.Event()
    interrupts = 0

    def interrupted() -> None:
        nonlocal interrupts
        interrupts += 1
        stopping.set()
        if interrupts > 1:
            startup.kill()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup wants it
            loop.add_signal_handler(number, interrupted)
    startup = Startup(checked, say)
    say(f"Claude Code API Service {version.current()}, data in {_short(checked.env.data_dir)}")
    starting = asyncio.create_task(startup.run())
    told_to_stop = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({starting, told_to_stop}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await told_to_stop
        return 0
    except Misconfigured as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    finally:
        starting.cancel()
        told_to_stop.cancel()
        checked.listener.close()
        await asyncio.gather(starting, told_to_stop, return_exceptions=True)
        await startup.stop()
        say("stopped")


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
