"""What peers are shown of us: by their IP version, and by which side of the NAT they are on."""

from __future__ import annotations

import pytest

from ivr.config import Address, SipConfig
from ivr.media.description import socket_address
from ivr.sip.addresses import NatView, OwnAddresses, scoped, unscoped


def view(**settings: object) -> NatView:
    return NatView(SipConfig.model_validate(settings))


def test_peers_outside_are_shown_what_is_advertised_for_their_version() -> None:
    nat = view(advertise=["203.0.113.5", "2001:db8::5"], local_nets=["10.0.0.0/8", "fd00::/8"])
    assert (nat.shown_to("198.51.100.7"), nat.shown_to("2001:db8:7::1")) == ("203.0.113.5", "2001:db8::5")
    assert (nat.shown_to("10.1.2.3"), nat.shown_to("fd00::3")) == ("", "")
    assert view(advertise="203.0.113.5").shown_to("2001:db8:7::1") == "", "there is no NAT for IPv6, mostly"
    assert view(advertise="line.example.com").shown_to("2001:db8:7::1") == "line.example.com"
    assert view(advertise="[2001:db8::5]").shown_to("2001:db8:7::1") == "2001:db8::5"
    assert view().shown_to("198.51.100.7") == ""


def test_addresses_and_ports_are_those_of_the_peers_version() -> None:
    own = OwnAddresses([Address("192.0.2.1", 5060), Address("fe80::1%lo", 5062)])
    assert (own.local_host("198.51.100.7"), own.port_toward("198.51.100.7")) == ("192.0.2.1", 5060)
    assert (own.local_host("2001:db8::7"), own.port_toward("2001:db8::7")) == ("fe80::1", 5062)
    assert own.versions == (4, 6)
    everywhere = OwnAddresses([Address("0.0.0.0", 5060), Address("::", 5060)])
    try:
        assert (everywhere.local_host("127.0.0.1"), everywhere.local_host("::1")) == ("127.0.0.1", "::1")
    finally:
        everywhere.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_wildcard_of_one_version_has_no_address_of_the_other(host: str) -> None:
    own = OwnAddresses([Address(host, 5060)])
    try:
        assert own.versions == ((6,) if ":" in host else (4,))
    finally:
        own.close()


def test_a_link_local_address_is_found_by_its_zone_which_nobody_is_shown() -> None:
    assert scoped(("fe80::1", 5060, 0, 4)) == "fe80::1%4" and scoped(("2001:db8::1", 5060, 0, 0)) == "2001:db8::1"
    assert socket_address("fe80::1%4", 5060) == ("fe80::1", 5060, 0, 4)
    assert socket_address("fe80::1%lo", 5060) == ("fe80::1", 5060, 0, 1)
    assert socket_address("192.0.2.1", 5060) == ("192.0.2.1", 5060)
    assert unscoped("fe80::1%4") == "fe80::1"
