"""The order in which the parts of a service start and stop."""

import asyncio
import os
import select
import sys
from collections.abc import Callable
from pathlib import Path

from apps.claude.credential import SETTINGS, Credential
from config import listening, valkey
from config.env import ROOT, Misconfigured
from config.preflight import Checked
from config.supervisor import Child, Program

START_SECONDS = 90


class Startup:
    """Starts everything that `checked` asks for, and stops whatever was started."""

    def __init__(self, checked: Checked, say: Callable[[str], None]) -> None:
        self._checked = checked
        self._environ = checked.environ
        self._say = say
        self._started: list[Child] = []  # in order; stopped last to first, web and workers together
        self._serving: list[Child] = []

    async def run(self) -> None:
        """Returns when the service answers. Raises Misconfigured saying which part did not start, and why."""
        checked = self._checked
        first = [self._scripted_model()] if checked.env.demo else []
        if checked.valkey_program is not None:
            first.append(self._valkey(checked.valkey_program))
        await asyncio.gather(*first)
        await self._web()
        workers = await self._serve("workers", ["run_workers"], stop_seconds=checked.env.drain_seconds + 12)
        workers.keep()
        await self._until_web_answers()
        self._announce()

    async def stop(self) -> None:
        """Web and workers first, at once: web lets open requests end while the workers finish their jobs."""
        if any(child.running for child in self._serving):
            self._say(
                f"stopping; running jobs have {self._checked.env.drain_seconds:.0f} s (again: stop without waiting)"
            )
        await asyncio.gather(*(child.stop() for child in self._serving))
        for child in reversed(self._started):
            await child.stop()

    def kill(self) -> None:
        """Ends everything now."""
        for child in (*self._serving, *self._started):
            child.kill()

    async def _serve(
        self, name: str, arguments: list[str], *, stop_seconds: float, pass_fds: tuple[int, ...] = ()
    ) -> Child:
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        program = Program(
            name=name, command=command, environ=self._environ, stop_seconds=stop_seconds, pass_fds=pass_fds
        )
        self._serving.append(Child(program, self._say))
        await self._serving[-1].start()
        return self._serving[-1]

    async def _web(self) -> None:
        """Starts web, which prepares the database first; returns when that is done and the workers may start.

        A process of its own for that would load Django once more, which is half of the time that a start takes.
        """
        # Both ends stay open: web is given the pipe again when it has to be started again.
        done, prepared = os.pipe()
        listener = self._checked.listener.fileno()
        arguments = ["--fd", str(listener), "--prepare", self._checked.url, "--prepared-fd", str(prepared)]
        web = await self._serve(
            "web",
            ["run_web", *arguments],
            stop_seconds=self._checked.env.drain_seconds + 14,
            pass_fds=(listener, prepared),
        )
        while web.running:
            if select.select([done], [], [], 0)[0]:
                web.keep()
                return
            await asyncio.sleep(0.02)
        raise Misconfigured("the database could not be prepared; the line above says why")

    async def _scripted_model(self) -> None:
        # A port of its own choosing would be another one after a restart.
        with listening.listen("127.0.0.1", 0) as free:
            port = free.getsockname()[1]
        log = self._checked.env.data_dir / "scripted-model.log"
        child = Child(
            Program(
                name="scripted model",
                command=[sys.executable, "-m", "apps.claude.scripted", "--port", str(port)],
                environ={**self._environ, "PYTHONPATH": str(ROOT)},
                stop_seconds=3,
                log=log,
            ),
            self._say,
        )
        self._started.append(child)
        await child.start()
        await _eventually(lambda: b"listening" in log.read_bytes(), child, log)
        child.keep()
        self._environ["ANTHROPIC_BASE_URL"] = f"http://127.0.0.1:{port}"

    async def _valkey(self, program: str) -> None:
        data_dir = self._checked.env.data_dir / "valkey"
        data_dir.mkdir(mode=0o700, exist_ok=True)
        log = self._checked.env.data_dir / "valkey.log"
        unix_socket = self._checked.runtime_dir / "valkey.sock"
        command = valkey.command(program, unix_socket=unix_socket, data_dir=data_dir)
        child = Child(
            Program(name="Valkey", command=command, environ=self._environ, stop_seconds=5, log=log), self._say
        )
        self._started.append(child)
        await child.start()
        await _eventually(lambda: valkey.answers(unix_socket), child, log)
        child.keep()

    async def _until_web_answers(self) -> None:
        port = self._checked.listener.getsockname()[1]
        for _ in range(START_SECONDS * 20):
            if await _healthy(self._checked.listener.getsockname()[0], port):
                return
            await asyncio.sleep(0.05)
        raise Misconfigured(f"web did not answer within {START_SECONDS} s; the lines above say why")

    def _announce(self) -> None:
        url, env = self._checked.url, self._checked.env
        credential = Credential.from_env(self._environ)
        if env.demo:
            self._say("DEMO: a scripted model answers. No real Claude, no account, no cost.")
        elif credential is None:
            self._say(f"no credential: chats are answered with 503 until one of {', '.join(SETTINGS)} is set")
        elif credential.warning:
            self._say(f"warning: {credential.warning}")
        self._say(f"serving  {url}/v1    dashboard {url}/    docs {url}/docs    admin {url}/admin/    (Ctrl-C stops)")


async def _eventually(condition: Callable[[], bool], child: Child, log: Path) -> None:
    for _ in range(START_SECONDS * 50):
        if condition():
            return
        if not child.running:
            break
        await asyncio.sleep(0.02)
    raise Misconfigured(f"{child.program.name} did not start: {_last_line(log)}")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "it said nothing"


async def _healthy(host: str, port: int) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
    try:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            status = await asyncio.wait_for(reader.readline(), 5)
        finally:
            writer.close()
    except (OSError, TimeoutError):
        return False
    return status.startswith(b"HTTP/1.1 200")
