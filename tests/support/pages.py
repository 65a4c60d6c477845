"""Web pages over https on addresses of this machine, and a note of who asked for which."""

import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Pages:
    """A server on several addresses, all at one port."""

    port: int
    certificate: Path
    """Believed where it is believed as an authority."""
    redirect: str = ""
    """Where `/away` leads."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Address and path of every request."""
    connected: list[str] = field(default_factory=list)
    """The address of every connection, whatever came of it."""

    def asked_at(self, address: str) -> list[str]:
        """The paths that were asked for there."""
        return [path for where, path in self.asked if where == address]


@contextmanager
def serving(directory: Path, *addresses: str, names: tuple[str, ...] = ()) -> Iterator[Pages]:
    """Pages on these addresses, under one certificate for them and these names."""
    certificate = _certificate(directory, addresses, names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    pages = Pages(0, certificate)
    servers = []
    for address in addresses:
        server = _Server((address, pages.port), _handler(pages, address))
        server.pages = pages
        server.context = context
        pages.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
    try:
        yield pages
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    pages: Pages
    context: ssl.SSLContext

    def finish_request(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        self.pages.connected.append(request.getsockname()[0])
        super().finish_request(self.context.wrap_socket(request, server_side=True), client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not speak TLS, or leaves, is none."""


def _handler(pages: Pages, address: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            pages.asked.append((address, self.path))
            body = f"<html><body><p>The page {self.path} at {address}.</p></body></html>".encode()
            self.send_response(302 if self.path == "/away" else 200)
            if self.path == "/away":
                self.send_header("location", pages.redirect)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(body)))
            self.send_header("connection", "close")
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        def log_message(self, *args: object) -> None:
            return None

    return Handler


def _certificate(directory: Path, addresses: tuple[str, ...], names: tuple[str, ...]) -> Path:
    """Key and certificate in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pages of the tests")])
    now = datetime.datetime.now(datetime.UTC)
    known = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([*known, *map(x509.DNSName, names)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "pages.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path
