"""Where SIP listens and what NAT shows, as config.toml writes it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from ivr.config import Address, SipConfig


def config(**settings: object) -> SipConfig:
    return SipConfig.model_validate(settings)


@pytest.mark.parametrize(
    ("listen", "addresses"),
    [
        ("127.0.0.1:5070", ["127.0.0.1:5070"]),
        (["192.0.2.1:5060", "[2001:db8::1]:5062"], ["192.0.2.1:5060", "[2001:db8::1]:5062"]),
        ("[::]:5060", ["0.0.0.0:5060", "[::]:5060"]),
        (["[::]:5060"], ["0.0.0.0:5060", "[::]:5060"]),
        (["[::]:5060", "192.0.2.1:5060"], ["[::]:5060", "192.0.2.1:5060"]),
        ("[::1]:5060", ["[::1]:5060"]),
    ],
)
def test_where_it_listens(listen: object, addresses: list[str]) -> None:
    assert [str(each) for each in config(listen=listen).listen] == addresses


def test_the_default_is_loopback() -> None:
    assert config().listen == (config().address,) == (Address("127.0.0.1", 5060),)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"listen": []}, "name an address"),
        ({"listen": ["192.0.2.1:5060", "192.0.2.2:5060"]}, "one IPv4 address at most; 0.0.0.0:5060 listens on all"),
        ({"listen": ["[::1]:5060", "[2001:db8::1]:5060"]}, "one IPv6 address at most; [::]:5060 listens on all"),
        ({"listen": "5060"}, "is not HOST:PORT"),
        ({"advertise": "203.0.113.5:5060"}, "neither an IP address nor a host name"),
        ({"advertise": "0.0.0.0"}, "nobody can send to"),
        ({"advertise": ["203.0.113.5", "203.0.113.6"]}, "one address of each IP version"),
        ({"dns_servers": ["dns.example.com"]}, "does not begin with an IP address"),
        ({"dns_servers": ["192.0.2.53:0"]}, "0 is no port"),
        ({"stun_server": "stun.example.com:x"}, "is not HOST:PORT"),
        ({"local_nets": ["10.0.0.0/99"]}, "local_nets"),
    ],
)
def test_what_cannot_work_is_told(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        config(**settings)
    assert says in str(caught.value)


def test_servers_have_their_usual_ports() -> None:
    asked = config(dns_servers=["192.0.2.53", "[2001:db8::53]:5353", "2001:db8::53"], stun_server="stun.example.com")
    assert asked.dns_servers == ("192.0.2.53:53", "[2001:db8::53]:5353", "[2001:db8::53]:53")
    assert asked.stun_server == "stun.example.com:3478"
    assert config(stun_server="192.0.2.9:19302").stun_server == "192.0.2.9:19302"
