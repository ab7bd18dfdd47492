"""Where browsers may reach this machine."""

from __future__ import annotations

from ipaddress import ip_address

from ivr.media.candidates import candidates, listening, own_addresses

OWN = ("192.0.2.10", "2001:db8::10", "127.0.0.1", "::1")


def test_a_line_that_listens_at_one_address_is_found_there() -> None:
    assert candidates("192.0.2.10") == ["192.0.2.10"]
    assert candidates("127.0.0.1") == ["127.0.0.1"]


def test_one_that_listens_everywhere_is_found_at_each_of_its_familys_addresses() -> None:
    assert candidates("0.0.0.0", own=OWN) == ["192.0.2.10", "127.0.0.1"]
    assert candidates("::", own=OWN) == ["192.0.2.10", "2001:db8::10", "127.0.0.1", "::1"]


def test_behind_nat_the_address_outside_comes_first() -> None:
    assert candidates("192.0.2.10", ["203.0.113.5"]) == ["203.0.113.5", "192.0.2.10"]
    assert candidates("::", ["2001:db8::99"], own=OWN)[0] == "2001:db8::99"
    assert candidates("192.0.2.10", ["line.example.com"]) == ["192.0.2.10"], "a name is no candidate"


def test_chosen_ones_are_all() -> None:
    assert candidates("192.0.2.10", ["203.0.113.5"], ["198.51.100.1", "198.51.100.1"]) == ["198.51.100.1"]
    assert listening("192.0.2.10", ()) == "192.0.2.10"
    assert listening("192.0.2.10", ["198.51.100.1"]) == "0.0.0.0"
    assert listening("192.0.2.10", ["2001:db8::1"]) == "::"


def test_this_machine_has_addresses() -> None:
    found = own_addresses()
    assert any(ip_address(each).is_loopback for each in found)
    assert not any(ip_address(each).is_link_local for each in found)
