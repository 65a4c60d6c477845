"""A hostile model and hostile code use a task's way to the web against this machine. The pages there tell who came."""

import ipaddress
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from apps.claude import outside
from apps.claude.engine import Engine
from apps.claude.network.connection import Connection
from apps.claude.network.door import PORT
from apps.claude.network.reach import Reach
from apps.claude.scripted.server import ScriptedModel
from apps.claude.spec import ToolResult
from tests.claude.conftest import running_engine
from tests.claude.tasks import Done, bash, call, do, task
from tests.support.pages import Pages, serving

PRIVATE, ALLOWED = "127.0.0.1", "127.0.0.2"
"""Two addresses at which pages are served; the operator allows one."""
NAMES = ("page.example", "inside.example", "both.example", "rebinding.example")


@dataclass
class Names:
    """A resolver that the attacker owns."""

    asked: list[str] = field(default_factory=list)

    async def look_up(self, host: str, port: int) -> list[outside.Found]:
        """A name's addresses; rebinding.example changes its mind after the first time."""
        self.asked.append(host)
        turned = self.asked.count(host) > 1
        match host:
            case "page.example":
                return _at(ALLOWED)
            case "inside.example":
                return _at(PRIVATE)
            case "both.example":
                return _at(ALLOWED, PRIVATE)
            case "rebinding.example":
                return _at(PRIVATE if turned else ALLOWED)
        return await outside.look_up(host, port)


def _at(*addresses: str) -> list[outside.Found]:
    return [outside.Found(socket.AF_INET, socket.IPPROTO_TCP, address) for address in addresses]


@pytest.fixture(scope="module")
def names() -> Names:
    return Names()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with serving(tmp_path_factory.mktemp("pages"), PRIVATE, ALLOWED, names=NAMES) as served:
        served.redirect = f"https://inside.example:{served.port}/redirected"
        yield served


@pytest.fixture(scope="module")
def reaching(model: ScriptedModel, pages: Pages, names: Names) -> Iterator[Engine]:
    """An engine whose operator lets tasks reach one private address, at one port."""
    reach = Reach(
        networks=(ipaddress.ip_network(f"{ALLOWED}/32"),),
        ports=frozenset({pages.port, 80}),
        ca_file=pages.certificate,
        resolver=names.look_up,
    )
    with running_engine(model, reach=reach) as engine:
        yield engine


def connections(done: Done) -> list[Connection]:
    """What the task was told to have connected to, or tried."""
    return [event for event in done.events if isinstance(event, Connection)]


# -- by WebFetch

FETCHES = {
    "loopback": "127.0.0.1",
    "the metadata service": "169.254.169.254",
    "loopback as one number": "2130706433",
    "loopback in octal": "0177.0.0.1",
    "loopback in hexadecimal": "0x7f.0.0.1",
    "loopback, shortened": "127.1",
    "this host": "0.0.0.0",
    "a private network": "10.0.0.1",
    "a carrier's network": "100.64.0.1",
    "a name of a private address": "inside.example",
    "a name of a public and a private address": "both.example",
}
UNSPOKEN = {"IPv6 loopback": "[::1]", "loopback mapped into IPv6": "[::ffff:127.0.0.1]"}
"""The CLI itself does not take these for URLs; code tries them by hand below."""


@pytest.fixture(scope="module")
def fetched(reaching: Engine, pages: Pages) -> Done:
    """A task whose model fetches all of them, and one page that it may."""
    hosts = ["page.example", *FETCHES.values(), *UNSPOKEN.values()]
    calls = [call("WebFetch", url=f"https://{host}:{pages.port}/fetch", prompt="read") for host in hosts]
    done = do(reaching, task(*calls, tools=("WebFetch",)))
    assert done.outcome.status == "completed", done.outcome
    assert [used.name for used in done.calls] == ["WebFetch"] * len(hosts)
    return done


def test_a_page_that_may_be_read_is_read(fetched: Done, pages: Pages, model: ScriptedModel) -> None:
    assert not fetched.result_of(0).is_error, fetched.result_of(0)
    assert pages.asked_at(ALLOWED)[0] == "/fetch"
    first = connections(fetched)[0]
    assert (first.host, first.port, first.address, first.allowed) == ("page.example", pages.port, ALLOWED, True)
    assert min(first.sent_bytes, first.received_bytes) > 100
    summing_up = next(model.journal.entries(f"The page /fetch at {ALLOWED}"))
    assert summing_up["status"] == 200, "the page was given to the model, through the egress"


@pytest.mark.parametrize("attack", FETCHES)
def test_webfetch_does_not_reach(fetched: Done, pages: Pages, attack: str) -> None:
    number = 1 + list(FETCHES).index(attack)
    result = fetched.result_of(number)
    assert result.is_error, result
    # A URL's host is written out before it is asked for: 2130706433 is 127.0.0.1 by then.
    asked_for = [each for each in connections(fetched) if each.port == pages.port and not each.allowed]
    assert number <= len(asked_for), "the attack did not come to the proxy"
    refused = asked_for[number - 1]
    assert "not a public address" in str(refused.reason)
    assert refused.id in {denied.id for denied in fetched.outcome.denials}


@pytest.mark.parametrize("attack", UNSPOKEN)
def test_webfetch_does_not_take(fetched: Done, attack: str) -> None:
    assert fetched.result_of(1 + len(FETCHES) + list(UNSPOKEN).index(attack)).is_error


def test_nothing_private_was_connected_to(fetched: Done, pages: Pages) -> None:
    assert PRIVATE not in pages.connected


def test_a_redirect_to_a_private_address_is_refused(reaching: Engine, pages: Pages) -> None:
    urls = (f"https://page.example:{pages.port}/away", pages.redirect)
    done = do(reaching, task(*(call("WebFetch", url=url, prompt="read") for url in urls), tools=("WebFetch",)))
    assert "/away" in pages.asked_at(ALLOWED)
    assert "redirect" in done.result_of(0).content.lower()
    assert done.result_of(1).is_error
    last = connections(done)[-1]
    assert (last.host, last.address, last.allowed) == ("inside.example", PRIVATE, False)
    assert PRIVATE not in pages.connected


def test_a_name_that_changes_its_mind_is_held_to_the_address_that_was_checked(
    reaching: Engine, pages: Pages, names: Names
) -> None:
    urls = (f"https://rebinding.example:{pages.port}/{number}" for number in (1, 2))
    done = do(reaching, task(*(call("WebFetch", url=url, prompt="read") for url in urls), tools=("WebFetch",)))
    first, second = connections(done)
    assert (first.address, first.allowed) == (ALLOWED, True)
    assert (second.address, second.allowed) == (PRIVATE, False)
    assert names.asked.count("rebinding.example") == 2, "a name is looked up once for each connection"
    assert "/1" in pages.asked_at(ALLOWED)
    assert PRIVATE not in pages.connected


# -- by hand

SAY = r"""
use IO::Socket::INET;
my ($text) = @ARGV;
$text =~ s/\\r/\r/g; $text =~ s/\\n/\n/g;
my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => PORT, Timeout => 5) or die "no door: $!\n";
print $socket $text;
local $/; my $answer = <$socket>;
print defined $answer && length $answer ? $answer : "closed without a word";
""".replace("PORT", str(PORT))


@dataclass(frozen=True)
class Said:
    """What is written to the proxy, and what has to come back."""

    name: str
    text: str
    answer: str = "HTTP/1.1 403"

    def __str__(self) -> str:
        return self.name


def connect(host: str, port: str = "{port}") -> str:
    return rf"CONNECT {host}:{port} HTTP/1.1\r\nHost: x\r\n\r\n"


HAND = [
    *(Said(name, connect(host)) for name, host in (*FETCHES.items(), *UNSPOKEN.items())),
    Said("loopback, compatible with IPv6", connect("[::127.0.0.1]")),
    Said("loopback behind NAT64", connect("[64:ff9b::7f00:1]")),
    Said("loopback behind a local NAT64", connect("[64:ff9b:1::7f00:1]")),
    Said("loopback by 6to4", connect("[2002:7f00:1::1]")),
    Said("a link's own address", connect("[fe80::1]")),
    Said("a unique local address", connect("[fd00::1]")),
    Said("a site's own address", connect("[fec0::1]")),
    Said("everybody", connect("224.0.0.1")),
    Said("a port that is not allowed", connect(ALLOWED, "22")),
    Said("another port that is not allowed", connect(PRIVATE, "6379")),
    Said("no port", rf"CONNECT {ALLOWED} HTTP/1.1\r\n\r\n"),
    Said("a port that is none", connect(ALLOWED, "{port}x")),
    Said("a port beyond all ports", connect(ALLOWED, "99999999999999999999")),
    Said("a negative port", connect(ALLOWED, "-1")),
    Said("a host with a slash", connect("127.0.0.1/x")),
    Said("a host with a NUL", connect(r"127.0.0.2%00.example")),
    Said("a host with a user", connect(f"user@{PRIVATE}")),
    Said("a host that is a path", connect("/run/egress/api.sock")),
    Said("no host", connect("")),
    Said("a small connect", connect(PRIVATE).replace("CONNECT", "connect")),
    Said("a plain request", rf"GET http://{ALLOWED}:{{port}}/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    Said("a plain request inside", rf"GET http://{PRIVATE}:{{port}}/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    Said("a request to the proxy itself", r"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    Said("the upstream's credential", r"POST http://egress.invalid/v1/messages HTTP/1.1\r\nHost: x\r\n\r\n"),
    Said("a server that the task was not granted", r"POST http://tickets.mcp.invalid/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    Said("SOCKS", r"xxxxxxxxxxxxxxxx\r\n", "HTTP/1.1 403"),
    Said("a head without an end", r"CONNECT " + "x" * 17_000, "closed without a word"),
]


@pytest.fixture(scope="module")
def answered(reaching: Engine, pages: Pages) -> tuple[Done, dict[str, ToolResult]]:
    """What each was answered, in a task with Bash and WebFetch."""
    say = f"cat > say.pl <<'E'\n{SAY}\nE"
    attacks = [f"perl say.pl '{attack.text.replace('{port}', str(pages.port))}' | head -c 300" for attack in HAND]
    commands = [say, *attacks]
    done = do(reaching, task(*map(bash, commands), tools=("Bash", "WebFetch"), cap_microusd=5_000_000))
    assert done.outcome.status == "completed", done.outcome
    return done, {attack.name: done.result_of(number) for number, attack in enumerate(HAND, 1)}


@pytest.mark.parametrize("attack", HAND, ids=str)
def test_code_that_speaks_to_the_proxy_is_refused(
    answered: tuple[Done, dict[str, ToolResult]], attack: Said, pages: Pages
) -> None:
    told = answered[1][attack.name].content
    assert told.startswith(attack.answer), told
    assert PRIVATE not in pages.connected


def test_every_refusal_is_told_as_a_denial(answered: tuple[Done, dict[str, ToolResult]]) -> None:
    refused = [each for each in connections(answered[0]) if not each.allowed]
    assert len(refused) == len([attack for attack in HAND if "403" in attack.answer])
    assert {each.id for each in refused} == {each.id for each in answered[0].outcome.denials}


def test_code_moves_nothing_but_what_is_counted(reaching: Engine, pages: Pages) -> None:
    """The way that is open to WebFetch is open to code, counted like WebFetch's, and closed with its task."""
    ask = rf"CONNECT page.example:{pages.port} HTTP/1.1\r\n\r\nnot TLS at all"
    done = do(reaching, task(bash(f"cat > say.pl <<'E'\n{SAY}\nE\nperl say.pl '{ask}'"), tools=("Bash", "WebFetch")))
    assert done.result_of(0).content.startswith("HTTP/1.1 200"), done.result_of(0)
    (through,) = connections(done)
    assert (through.allowed, through.sent_bytes) == (True, len("not TLS at all"))


# -- without a way


LOOK = "ls /run/egress; env | grep -i -c _PROXY= ; timeout 2 bash -c '</dev/tcp/127.0.0.1/PORT' && echo an open door"


def test_a_key_without_webfetch_has_no_door(reaching: Engine) -> None:
    done = do(reaching, task(bash(LOOK.replace("PORT", str(PORT))), tools=("Bash", "WebSearch")))
    told = done.result_of(0).content
    assert "api.sock" in told
    assert "door" not in told
    assert "\n0\n" in told, "no proxy is named"


def test_the_way_in_which_the_door_was_made_is_gone(reaching: Engine) -> None:
    done = do(reaching, task(bash(LOOK.replace("PORT", str(PORT))), tools=("Bash", "WebFetch")))
    told = done.result_of(0).content
    assert "an open door" in told, "this look finds one where there is one"
    assert "door.sock" not in told


# -- limits


def test_bytes_connections_and_time_are_bounded(model: ScriptedModel, pages: Pages, tmp_path: Path) -> None:
    reach = Reach(
        networks=(ipaddress.ip_network(f"{ALLOWED}/32"),),
        ports=frozenset({pages.port}),
        job_bytes=2_000,
        job_connections=4,
        at_once=2,
        connection_seconds=0.5,
    )
    ask = rf"CONNECT {ALLOWED}:{pages.port} HTTP/1.1\r\n\r\n"
    hold = f"bash -c 'exec 3<>/dev/tcp/127.0.0.1/{PORT}; printf \"{ask}\" >&3; read -t 5 <&3; cat <&3 >/dev/null'"
    commands = [
        f"cat > say.pl <<'E'\n{SAY}\nE\n{hold}; echo silent for too long",
        f"perl say.pl '{ask}{'x' * 3_000}'",
        f"exec 4<>/dev/tcp/127.0.0.1/{PORT} 5<>/dev/tcp/127.0.0.1/{PORT}; perl say.pl '{ask}'",
        *(f"perl say.pl '{connect('127.0.0.1', str(pages.port))}'" for _ in range(4)),
    ]
    with running_engine(model, reach=reach, task_spares=0) as engine:
        done = do(engine, task(*map(bash, commands), tools=("Bash", "WebFetch")))
    told = [done.result_of(number).content for number in range(len(commands))]
    silent, heavy, *refused = connections(done)
    assert "silent for too long" in told[0]
    assert silent.reason == "cut off after 0 s"
    assert "cut off: the task has moved" in str(heavy.reason)
    assert heavy.sent_bytes == 0
    assert "closed without a word" in told[2], "no more than so many at once"
    assert [each.allowed for each in refused] == [False, False]
    assert [text[:12] for text in told[3:]] == ["HTTP/1.1 403"] * 2 + ["closed witho"] * 2


def test_a_network_that_cannot_be_proven_is_refused(model: ScriptedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wall that has a hole: the proxy believes everything."""
    monkeypatch.setattr(outside, "is_public", lambda address: True)
    with running_engine(model, task_spares=0) as engine:
        refused = do(engine, task("[[say: x]]", tools=("WebFetch",))).outcome
        done = do(engine, task("[[say: x]]", tools=("Bash",))).outcome
        fault = engine.status()["network_fault"]
    assert (refused.status, refused.error_code) == ("failed", "jail_unavailable")
    assert "a task can connect to 127.0.0.1" in str(fault)
    assert json.dumps(fault)[1:-1] in str(refused.error_message)
    assert done.status == "completed", "tasks without the network go on"
