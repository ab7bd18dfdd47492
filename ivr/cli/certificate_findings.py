"""Findings about SIP over TLS: our certificate, how long it lasts, and what the handshake with each trunk says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from ivr.cli.finding import Finding
from ivr.config import SipConfig, TlsConfig, Trunk
from ivr.errors import ConfigError
from ivr.sip.certificates import Pair
from ivr.sip.headers import Uri
from ivr.sip.message import Peer
from ivr.sip.policy import TrunkPolicy
from ivr.sip.tls import TlsContexts, TlsFailed

SOON, AT_ONCE = timedelta(days=30), timedelta(days=7)
SUBJECT = "SIP certificate"
_PATIENCE_S = 5.0


async def certificate_findings(sip: SipConfig, now: datetime | None = None) -> list[Finding]:
    """Nothing where SIP goes without TLS. No SIP is sent: a handshake tells."""
    if sip.tls is None:
        return []
    now = now or datetime.now(UTC)
    try:
        pair = Pair.read(sip.tls, now)
        contexts = TlsContexts(sip.tls)
    except ConfigError as error:
        return [Finding("bad", SUBJECT, fault, "the line does not start") for fault in str(error.args[0]).splitlines()]
    return [*_own(sip, sip.tls, pair, now), *await _trunks(sip, contexts)]


def _own(sip: SipConfig, tls: TlsConfig, pair: Pair, now: datetime) -> Iterator[Finding]:
    own, left = pair.own, pair.own.ends - now
    lasts = f"{', '.join(own.names)}; until {own.ends:%Y-%m-%d}, {left.days} days"
    renew = "renew it: the line takes the new files within a minute, or on SIGHUP, and loses no call"
    if left > SOON:
        yield Finding("ok", SUBJECT, lasts)
    else:
        yield Finding("bad" if left <= AT_ONCE else "note", SUBJECT, f"ends soon: {lasts}", renew)
    if lacking := [host for host in sip.advertise if host.lower() not in own.names]:
        detail = f"it does not name {' or '.join(lacking)} (sip.advertise): who connects there and checks it hangs up"
        yield Finding("note", SUBJECT, detail, "have it name that, too")
    if any(trunk.transport == "tls" for trunk in sip.trunks) and not _for_clients(pair.chain[0]):
        detail = "it is for servers only (extended key usage): a trunk that demands one of us may refuse it"
        yield Finding("note", SUBJECT, detail, "have it signed for clients, too")
    if tls.key.stat().st_mode & 0o004:
        yield Finding("bad", SUBJECT, f"everybody on this machine can read {tls.key}", f"chmod o-r {tls.key}")
    inside = all(address.loopback for address in sip.listen)
    if inside and (outside := [address for address in sip.tls_listen if not address.loopback]):
        detail = f"audio stays on this machine: it goes where sip.listen ({sip.address}) is, not {outside[0]}"
        yield Finding("bad", "SIP over TLS", detail, "listen on the same address, or on 0.0.0.0")
    for name, believed in (("ca", pair.ca), ("client_ca", pair.client_ca)):
        if ended := [each.subject.rfc4514_string() for each in believed if each.not_valid_after_utc <= now]:
            yield Finding("bad", f"sip.tls.{name}", f"expired: {'; '.join(ended)}", "put in who signs today")
    yield from _revocations(tls, pair, now)


def _revocations(tls: TlsConfig, pair: Pair, now: datetime) -> Iterator[Finding]:
    lists, ends = pair.revocations, pair.revocations.ends
    if tls.crl is None:
        return
    told = f"{lists.count} revoked by {tls.crl}" + (f", until {ends:%Y-%m-%d %H:%M} UTC" if ends is not None else "")
    if ends is not None and ends <= now:
        remedy = "fetch a new one from the authority: until then it counts as it is, and who was revoked since gets in"
        yield Finding("bad", "sip.tls.crl", f"expired: {told}", remedy)
    else:
        yield Finding("ok", "sip.tls.crl", told)


def _for_clients(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE).value
    except x509.ExtensionNotFound:
        return True
    assert isinstance(usage, x509.ExtendedKeyUsage)
    return ExtendedKeyUsageOID.CLIENT_AUTH in usage


async def _trunks(sip: SipConfig, contexts: TlsContexts) -> list[Finding]:
    policy = TrunkPolicy(sip.trunks, asyncio.get_running_loop().time)
    asked = [(trunk, uri) for trunk in sip.trunks if trunk.transport == "tls" for uri in _servers(trunk)]
    return list(await asyncio.gather(*(_asked(trunk, uri, policy, contexts) for trunk, uri in asked)))


def _servers(trunk: Trunk) -> Iterator[Uri]:
    for text in dict.fromkeys((trunk.register_with, trunk.gateway)):
        if text:
            yield Uri.parse(text)


async def _asked(trunk: Trunk, uri: Uri, policy: TrunkPolicy, contexts: TlsContexts) -> Finding:
    subject, port = f"trunk {trunk.name}", uri.port or 5061
    try:
        async with asyncio.timeout(_PATIENCE_S):
            reader, writer = await asyncio.open_connection(uri.host, port)
            try:
                host = str(writer.get_extra_info("peername")[0])
                peer = Peer("tls", host, port, uri.host.lower())
                session = contexts.leaving(peer.name, policy.expected(peer))
                while not session.up:
                    writer.write(session.outgoing())
                    data = await reader.read(65536)
                    if not data:
                        raise TlsFailed("it closed the connection in the midst of the handshake")
                    session.receive(data)
                session.close()
                writer.write(session.outgoing())
            finally:
                writer.close()
    except TimeoutError:
        return Finding("bad", subject, f"{uri.host}:{port}: no TLS in {_PATIENCE_S:g} s", "is it running, and reached?")
    except OSError as error:
        why = error.strerror or str(error)
        return Finding("bad", subject, f"{uri.host}:{port}: {why}", "is it running, and reached?")
    except TlsFailed as error:
        detail, remedy = f"{uri.host}:{port}: {error}", "nothing is sent there: mend sip.tls.ca, tls_names or tls_pin"
        return Finding("bad", subject, detail, remedy)
    shown = ", ".join(sorted(session.shown.names)) or "nobody"
    return Finding("ok", subject, f"{uri.host}:{port} speaks TLS; its certificate names {shown}")
