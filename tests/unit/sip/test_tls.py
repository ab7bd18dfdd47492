"""One connection's TLS without a socket: versions, what is shown, what a renewal keeps, and that nothing lingers."""

from __future__ import annotations

import contextlib
import gc
import ssl
import weakref
from pathlib import Path
from typing import Any

import pytest

from ivr.config import TlsConfig
from ivr.errors import ConfigError
from ivr.sip.certificates import Expected
from ivr.sip.tls import MOST_HANDSHAKE, TlsContexts, TlsFailed, TlsSession
from tests.certificates import Authority, Credentials, self_signed


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def contexts(authority: Authority, own: Credentials, **keys: Any) -> TlsContexts:
    found = {"certificate": own.pem, "key": own.key_pem, "ca": authority.pem, "client_ca": authority.pem, **keys}
    return TlsContexts(TlsConfig.model_validate(found))


def joined(one: TlsSession, other: TlsSession) -> None:
    """Both ends' handshake. Raises TlsFailed."""
    while not (one.up and other.up):
        for here, there in ((one, other), (other, one)):
            if flight := here.outgoing():
                there.receive(flight)


def test_both_ends_know_each_other_and_talk(authority: Authority) -> None:
    line = contexts(authority, authority.signs("line", "line.example.com"))
    pbx = contexts(authority, authority.signs("pbx", "sip:pbx.example.com"))
    here, there = line.leaving("pbx.example.com", Expected(frozenset({"pbx.example.com"}))), pbx.arriving()
    joined(here, there)
    assert here.shown.names == {"pbx.example.com"} and there.shown.names == {"line.example.com"}
    here.send(b"INVITE" * 20_000)
    assert there.receive(here.outgoing()) == b"INVITE" * 20_000
    there.close()
    with pytest.raises(TlsFailed, match="closed"):
        here.receive(there.outgoing())


def test_a_pin_outweighs_who_signed_it_and_not_its_end(authority: Authority, tmp_path: Path) -> None:
    line = contexts(authority, authority.signs("line", "line.example.com"))
    for days, up in ((30.0, True), (-1.0, False)):
        selfmade = self_signed(tmp_path, f"self{days}", "pbx.internal", days=days)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(selfmade.pem, selfmade.key_pem)
        here = line.leaving("192.0.2.1", Expected(pins=frozenset({selfmade.pin})))
        assert shaken(here, context) is up


def shaken(here: TlsSession, context: ssl.SSLContext) -> bool:
    """Whether ``here``, a client, comes up against a server of the standard library's."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    there = context.wrap_bio(incoming, outgoing, server_side=True)
    try:
        while not here.up:
            incoming.write(here.outgoing())
            with contextlib.suppress(ssl.SSLWantReadError):
                there.do_handshake()
            here.receive(outgoing.read())
    except (TlsFailed, ssl.SSLError):
        return False
    return True


@pytest.mark.parametrize(("version", "up"), [("TLSv1_1", False), ("TLSv1_2", True), ("TLSv1_3", True)])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_nothing_older_than_tls_1_2(authority: Authority, version: str, up: bool) -> None:
    own = authority.signs("line", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.pem, own.key_pem)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    here = contexts(authority, own).leaving("127.0.0.1", Expected(frozenset({"127.0.0.1"})))
    assert shaken(here, context) is up


def test_a_handshake_without_end_is_ended(authority: Authority) -> None:
    here = contexts(authority, authority.signs("line", "127.0.0.1")).arriving()
    record = b"\x16\x03\x01\x40\x00\x01\x00\xff\xff" + bytes(16384 - 4)  # a ClientHello of 64 kB, and more of it
    with pytest.raises(TlsFailed):
        for _ in range(1 + MOST_HANDSHAKE // len(record)):
            here.receive(record)


def test_a_renewal_counts_for_the_next_session_and_a_bad_one_for_none(authority: Authority) -> None:
    own = authority.signs("line", "line.example.com")
    line = contexts(authority, own)
    pbx = contexts(authority, authority.signs("pbx", "pbx.example.com"))
    before, peer = line.arriving(), pbx.leaving("line.example.com", Expected(frozenset({"line.example.com"})))
    new = authority.signs("new", "line.example.com")
    own.pem.write_bytes(new.pem.read_bytes())
    with pytest.raises(ConfigError, match="is not the key of"):
        line.renew()
    assert line.own.pin == own.pin
    own.key_pem.write_bytes(new.key_pem.read_bytes())
    assert line.renew().pin == new.pin
    joined(before, peer)
    assert peer.shown.pin == own.pin, "it began before"
    after, again = line.arriving(), pbx.leaving("line.example.com", Expected(frozenset({"line.example.com"})))
    joined(after, again)
    assert again.shown.pin == new.pin
    peer.send(b"still here")
    assert before.receive(peer.outgoing()) == b"still here"


def test_sessions_go_without_the_collector(authority: Authority) -> None:
    """A line collects rarely; connections come and go."""
    line = contexts(authority, authority.signs("line", "127.0.0.1"))
    gc.collect()
    gc.disable()
    try:
        up, half = line.arriving(), line.arriving()
        peer = line.leaving("127.0.0.1", Expected(frozenset({"127.0.0.1"})))
        joined(up, peer)
        gone = [weakref.ref(each) for each in (up, half, peer)]
        del up, half, peer
        assert [each() for each in gone] == [None, None, None]
    finally:
        gc.enable()
