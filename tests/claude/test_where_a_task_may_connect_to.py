"""The operator's rules of a task's network, and what an address is, without any connection."""

import ipaddress

import pytest

from apps.claude import outside
from apps.claude.network.bridge import judge
from apps.claude.network.reach import Reach, named

NETWORKS, NAMES = named(("10.1.0.0/16", "fd00:1::/32", "192.168.7.7", "Wiki.Corp.Example."))
REACH = Reach(networks=NETWORKS, names=NAMES)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "10.1.2.3", "fd00:1::7", "192.168.7.7"])
def test_public_and_named_addresses_are_allowed(address: str) -> None:
    assert REACH.rule("any.example")(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.2.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"),
        *("192.168.7.8", "198.18.0.1", "240.0.0.1", "::1", "::", "fe80::1%eth0", "fec0::1", "fd00:2::1", "ff02::1"),
        *("::ffff:10.2.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::101:101", "2002:7f00:1::", "2001:db8::1"),
    ],
)
def test_everything_else_is_refused(address: str) -> None:
    assert not REACH.rule("any.example")(address)
    assert not outside.is_public(address)


def test_a_named_host_is_allowed_wherever_it_is() -> None:
    assert REACH.rule("wiki.corp.example")("10.9.9.9")
    assert REACH.rule("WIKI.corp.example.")("10.9.9.9")
    assert not REACH.rule("evil-wiki.corp.example")("10.9.9.9")
    assert not REACH.rule("wiki.corp.example.evil.example")("10.9.9.9")


@pytest.mark.parametrize("host", ["", "a b", "a/b", "user@a", "a\0b", "a%00b", "ä.example", "x" * 254, "[::1]"])
def test_what_is_no_name_of_a_host_is_not_looked_up(host: str) -> None:
    assert REACH.fault(host, 443)


def test_only_the_named_ports_are_open() -> None:
    assert [port for port in (0, 22, 80, 443, 8443) if REACH.fault("a.example", port) is None] == [80, 443]
    assert ipaddress.ip_network("10.1.0.0/16") in NETWORKS


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[[[",
        b"[1]",
        b'"tools/call"',
        b'{"method": "tools/call"}',
        b'{"method": "tools/call", "params": {"name": ["search"]}}',
        b'[{"method": ["tools/call"], "params": {"name": "erase"}}]',
        b'{"method": "tools/call", "params": {"name": "search"}, "params": {"name": "erase"}}',
        b'[{"method": "tools/call", "params": {"name": "search"}}, {"method": "resources/read"}]',
    ],
)
def test_a_message_that_is_not_understood_is_not_passed_on(body: bytes) -> None:
    assert isinstance(judge(body, frozenset({"search"})), str)


def test_a_message_goes_on_as_it_was_understood() -> None:
    twice = b'{"method": "tools/call", "params": {"name": "erase"}, "params": {"name": "search"}}'
    assert judge(twice, frozenset({"search"})) == b'{"method": "tools/call", "params": {"name": "search"}}'
