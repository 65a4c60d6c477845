"""`python -m apps.claude.scripted`: serve the scripted model until told to stop; prints `listening URL` when ready."""

import argparse
import asyncio
import signal
import sys

from apps.claude.scripted.journal import DEFAULT_LIMIT
from apps.claude.scripted.server import ScriptedModel


def main() -> int:
    """Exit status 0 after SIGTERM or Ctrl-C, 1 when the port cannot be had."""
    parser = argparse.ArgumentParser(
        prog="python -m apps.claude.scripted", description="A scripted Messages API, no account needed."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--log-limit", type=int, default=DEFAULT_LIMIT, help="how many requests GET /log remembers")
    parser.add_argument(
        "--rate", type=float, default=0.0, help="tokens a second of answers that ask for no pace; 0: at once"
    )
    parser.add_argument("--require-key", default="", help="refuse every other credential with 401")
    options = parser.parse_args()
    model = ScriptedModel(
        host=options.host,
        port=options.port,
        log_limit=options.log_limit,
        rate=options.rate,
        require_key=options.require_key,
    )
    return asyncio.run(_serve(model))


async def _serve(model: ScriptedModel) -> int:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        await model.start()
    except OSError as error:
        print(f"scripted model: cannot listen on {model.host}:{model.port}: {error.strerror}", file=sys.stderr)
        return 1
    print(f"listening {model.url}", flush=True)
    await stopped.wait()
    await model.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
