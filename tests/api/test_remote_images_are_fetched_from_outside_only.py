"""Images by URL: an https server on this machine stands for the internet; private addresses stay out of reach."""

import asyncio
import base64
import datetime
import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from apps.api.openai.content import MAX_IMAGE_BYTES, Media
from apps.api.openai.remote import MAX_REMOTE_IMAGES, fetched
from apps.api.openai.requests import read
from apps.api.problems import ApiError, Problem
from apps.claude import outside
from apps.jobs.requests import ChatRequest
from tests.support.service import Person

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=")
Connect = Callable[[str, int], Any]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for localhost that nobody else knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    day = datetime.timedelta(days=1)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    signed = made.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(key, hashes.SHA256())
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path_factory.mktemp("certificate") / "localhost.pem"
    path.write_bytes(secret + signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture(scope="module")
def internet(certificate: Path) -> Iterator[str]:
    """The base URL of a server that has images, and some other things."""
    app, loop = web.Application(), asyncio.new_event_loop()

    async def serve(request: web.Request) -> web.Response:
        match request.path:
            case "/dot.png":
                return web.Response(body=PNG, content_type="text/html")
            case "/inside":
                return web.Response(status=302, headers={"location": "https://localhost/dot.png"})
            case "/page":
                return web.Response(text="<html>", content_type="image/png")
            case "/huge":
                return web.Response(body=PNG + b"x" * MAX_IMAGE_BYTES)
        return web.Response(status=404)

    app.router.add_get("/{path:.*}", serve)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    runner = web.AppRunner(app)

    async def start() -> int:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        return int(runner.addresses[0][1])

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    port = asyncio.run_coroutine_threadsafe(start(), loop).result(60)
    yield f"https://localhost:{port}"
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def anywhere(certificate: Path) -> Connect:
    """Connects as in production, but takes this machine for the internet."""
    trust = ssl.create_default_context(cafile=str(certificate))

    async def connect(host: str, port: int) -> aiohttp.TCPConnector:
        return await outside.connector(host, port, allowed=lambda address: True, trust=trust)

    return connect


def request(*urls: str, allowed: bool = True) -> ChatRequest:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "Look."}, *parts]}]}
    return read(body, default_model="sonnet", media=Media(remote_images=allowed)).chat


def refused(chat: ChatRequest, **more: Any) -> Problem:
    with pytest.raises(ApiError) as caught:
        fetched(chat, **more)
    return caught.value.problem


def test_an_image_is_put_in_place_of_its_url(internet: str, anywhere: Connect) -> None:
    url = f"{internet}/dot.png"
    _, first, second = fetched(request(url, url), connect=anywhere).turns[0].content
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()}
    assert first == second == {"type": "image", "source": source}


def test_a_request_without_any_is_left_as_it_is() -> None:
    chat = request()
    assert fetched(chat) is chat


@pytest.mark.parametrize(
    ("path", "why"),
    [("/missing", "answered 404"), ("/inside", "answered 302"), ("/page", "no PNG"), ("/huge", "more than 5 MB")],
)
def test_what_is_no_image_is_not_taken(internet: str, anywhere: Connect, path: str, why: str) -> None:
    problem = refused(request(f"{internet}{path}"), connect=anywhere)
    assert (problem.status, problem.code, problem.param) == (400, "invalid_image_url", "messages")
    assert why in problem.message


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]"]
)
def test_private_addresses_are_not_reached(internet: str, host: str) -> None:
    port = internet.rpartition(":")[2]
    assert "not at a public address" in refused(request(f"https://{host}:{port}/dot.png")).message


def test_a_request_names_a_few_images_at_most() -> None:
    urls = [f"https://example.org/{n}.png" for n in range(MAX_REMOTE_IMAGES + 1)]
    assert "at most" in refused(request(*urls)).message


@pytest.mark.parametrize("url", ["http://example.org/a.png", "ftp://example.org/a.png", "file:///etc/passwd"])
def test_only_https_is_spoken(url: str) -> None:
    with pytest.raises(ApiError) as caught:
        request(url)
    assert caught.value.problem.param == "messages[0].content[1].image_url.url"


def test_unless_the_operator_allows_it_nothing_is_fetched(alice: Person) -> None:
    content = [{"type": "image_url", "image_url": {"url": "https://localhost/dot.png"}}]
    answer = alice.http.post("/v1/chat/completions", {"messages": [{"role": "user", "content": content}]})
    assert answer.status == 400
    assert "fetches nothing" in answer.json()["error"]["message"]
