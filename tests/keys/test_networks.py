import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from apps.keys import services
from apps.keys.networks import contains, validate_networks
from apps.keys.terms import Terms
from tests.keys.cast import NOON, atlas

OFFICE = ["192.0.2.0/24", "2001:db8::/32"]


@pytest.mark.parametrize("ip", ["192.0.2.1", "192.0.2.255", "2001:db8:1::5", "::ffff:192.0.2.7"])
def test_addresses_in_a_network_are_in_it(ip: str) -> None:
    assert contains(OFFICE, ip)


@pytest.mark.parametrize("ip", ["192.0.3.1", "2001:db9::1", "::ffff:192.0.3.7", "", None, "unknown", "192.0.2.1:80"])
def test_every_other_address_is_not(ip: str | None) -> None:
    assert not contains(OFFICE, ip)


@given(st.one_of(st.none(), st.text(), st.ip_addresses().map(str)))
def test_without_networks_everybody_is_in(ip: str | None) -> None:
    assert contains([], ip)


@pytest.mark.parametrize("network", ["192.0.2.0/24", "192.0.2.1", "2001:db8::/32", "::1/128", "0.0.0.0/0"])
def test_networks_of_both_versions_are_taken(network: str) -> None:
    validate_networks([network])


@pytest.mark.parametrize("network", ["192.0.2.1/24", "192.0.2.0/33", "example.org", "", "192.0.2.0-9", 7, None])
def test_what_is_no_network_is_refused(network: object) -> None:
    with pytest.raises(ValidationError):
        validate_networks([network])


def test_every_bad_line_is_named_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        validate_networks(["192.0.2.1/24", "10.0.0.0/8", "nowhere"])
    assert len(caught.value.messages) == 2
    assert "Did you mean 192.0.2.0/24?" in caught.value.messages[0]


def test_a_list_is_a_list_and_ends_somewhere() -> None:
    with pytest.raises(ValidationError, match="list"):
        validate_networks("192.0.2.0/24")
    with pytest.raises(ValidationError, match="At most"):
        validate_networks([f"10.0.0.{number}" for number in range(101)])


@pytest.mark.django_db
def test_a_key_used_from_elsewhere_is_refused_like_an_unknown_one() -> None:
    terms = Terms(name="office", allowed_networks=tuple(OFFICE))
    key, secret = services.issue_on(project=atlas(), terms=terms, actor="user:alice", now=NOON)
    assert services.authenticate(secret=secret, ip="192.0.2.9", now=NOON) == key
    for elsewhere in ("198.51.100.1", None):
        with pytest.raises(services.InvalidKey) as caught:
            services.authenticate(secret=secret, ip=elsewhere, now=NOON)
        assert caught.value.args == ()
