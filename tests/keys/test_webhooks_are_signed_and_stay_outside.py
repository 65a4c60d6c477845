"""Webhooks: https to public addresses only, resolved once, no redirects, signed so that the receiver can tell."""

import asyncio
import base64
import hmac
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from apps.claude.outside import is_public
from apps.keys import webhooks
from apps.keys.webhooks import NotDelivered, Post, new_secret, send, signature
from tests.support.receiver import write_certificate

Answer = Callable[[web.Request], "web.Response | None"]


class Receiver:
    """A server on this machine, which `allowed` must be told of."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.status, self.headers, self.delay_seconds = 204, dict[str, str](), 0.0
        self.port = 0

    async def take(self, request: web.Request) -> web.Response:
        self.requests.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        await asyncio.sleep(self.delay_seconds)
        return web.Response(status=self.status, headers=self.headers)

    def post(self, **changes: str) -> Post:
        return Post(
            **{  # type: ignore[arg-type]
                "id": "alert_7",
                "url": f"https://localhost:{self.port}/hook?a=1",
                "secret": new_secret(),
                "body": b'{"type": "budget.threshold_crossed"}',
                **changes,
            }
        )


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for localhost that nobody else knows."""
    return write_certificate(tmp_path_factory.mktemp("certificate") / "localhost.pem")


@pytest.fixture
async def receiver(certificate: Path) -> AsyncIterator[Receiver]:
    taking = Receiver()
    app = web.Application()
    app.router.add_post("/hook", taking.take)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    taking.port = runner.addresses[0][1]
    yield taking
    await runner.cleanup()


@pytest.fixture
def trust(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


def anywhere(address: str) -> bool:
    return True


async def test_a_message_arrives_with_a_signature_that_the_receiver_can_check(
    receiver: Receiver, trust: ssl.SSLContext
) -> None:
    post = receiver.post()
    await send(post, timestamp=1_760_000_000, allowed=anywhere, trust=trust)
    ((headers, body),) = receiver.requests
    assert body == post.body
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("alert_7", "1760000000")
    key = base64.b64decode(post.secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, b"alert_7.1760000000." + body, "sha256")).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["content-type"] == "application/json"


def test_the_signature_is_that_of_the_standard() -> None:
    """The example of the specification's own libraries."""
    post = Post("msg_p5jXN8AQM9LWM0D4loKWxJek", "", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}')
    assert signature(post, timestamp=1614265330) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_any_text_may_be_a_secret() -> None:
    signatures = {signature(Post("a", "", secret, b""), timestamp=1) for secret in ("plain", "whsec_not base 64!", "")}
    assert len(signatures) == 3


async def test_our_own_network_is_not_reached(receiver: Receiver, trust: ssl.SSLContext) -> None:
    for host in ("localhost", "127.0.0.1"):
        with pytest.raises(NotDelivered, match="not a public address"):
            await send(receiver.post(url=f"https://{host}:{receiver.port}/hook"), timestamp=1, trust=trust)
    assert receiver.requests == []


async def test_a_name_is_resolved_once_and_only_what_was_checked_is_called(
    receiver: Receiver, trust: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that changes between check and use gets nowhere: nobody asks again."""
    checked = []

    def allowed(address: str) -> bool:
        checked.append(address)
        return True

    loop, asked = asyncio.get_running_loop(), []

    async def getaddrinfo(host: str, port: int, **more: object) -> list[tuple[object, ...]]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "10.0.0.1"
        return [(2, 1, 6, "", (address, port))]

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
    await send(receiver.post(), timestamp=1, allowed=allowed, trust=trust)
    assert (asked, checked, len(receiver.requests)) == (["localhost"], ["127.0.0.1"], 1)


async def test_one_private_address_among_public_ones_is_enough_to_refuse(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def getaddrinfo(host: str, port: int, **more: object) -> list[tuple[object, ...]]:
        return [(2, 1, 6, "", (address, port)) for address in ("93.184.215.14", "192.168.1.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    with pytest.raises(NotDelivered, match=r"192\.168\.1\.1, which is not a public"):
        await send(receiver.post(), timestamp=1)


@pytest.mark.parametrize("url", ["http://localhost/hook", "ftp://localhost/hook", "https:///hook", "localhost/hook"])
async def test_only_https_is_spoken(url: str) -> None:
    with pytest.raises(NotDelivered, match="not https"):
        await send(Post("a", url, "secret", b""), timestamp=1, allowed=anywhere)


async def test_a_certificate_that_nobody_vouches_for_is_refused(receiver: Receiver) -> None:
    with pytest.raises(NotDelivered, match=r"[Cc]ertificate"):
        await send(receiver.post(), timestamp=1, allowed=anywhere)
    assert receiver.requests == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_not_followed(receiver: Receiver, trust: ssl.SSLContext, status: int) -> None:
    receiver.status, receiver.headers = status, {"Location": f"https://localhost:{receiver.port}/hook"}
    with pytest.raises(NotDelivered, match=f"answered {status}"):
        await send(receiver.post(), timestamp=1, allowed=anywhere, trust=trust)
    assert len(receiver.requests) == 1


async def test_a_server_that_takes_too_long_has_not_taken_it(
    receiver: Receiver, trust: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "DEADLINE_SECONDS", 0.2)
    receiver.delay_seconds = 5
    with pytest.raises(NotDelivered, match="no answer within"):
        await send(receiver.post(), timestamp=1, allowed=anywhere, trust=trust)


async def test_a_proxy_of_the_environment_is_not_used(
    receiver: Receiver, trust: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    await send(receiver.post(), timestamp=1, allowed=anywhere, trust=trust)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "255.255.255.255", "224.0.0.1", "192.0.2.1", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
        "2002:a00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
)  # fmt: skip
def test_private_addresses_are_known_in_every_guise(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_public_addresses_are_let_through(address: str) -> None:
    assert is_public(address)
