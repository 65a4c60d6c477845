import argparse
import os
import socket
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from config.listening import listen


class Command(BaseCommand):
    help = "Serves HTTP and WebSockets with Daphne until SIGTERM, then lets open requests end."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8006)
        parser.add_argument("--fd", type=int, help="an inherited listening socket, instead of --host and --port")
        parser.add_argument("--prepare", metavar="URL", help="run `prepare --url URL` first, in this same process")
        parser.add_argument("--prepared-fd", type=int, help="an inherited pipe that gets a byte when that is done")

    def handle(self, *args: Any, host: str, port: int, fd: int | None, **options: Any) -> None:
        if options["prepare"]:
            call_command("prepare", url=options["prepare"])
        if options["prepared_fd"] is not None:
            os.write(options["prepared_fd"], b".")
        # Not at the top: they choose Twisted's reactor and load every view, which other commands do not want.
        from config.asgi import application
        from config.web import Web

        web = Web(application, drain_seconds=settings.DRAIN_SECONDS, behind_proxy=settings.BEHIND_TLS_PROXY)
        web.run_on(socket.socket(fileno=fd) if fd is not None else listen(host, port))
