"""Findings about NAT: what a STUN server (RFC 8489) sees of this machine, against what ``sip.advertise`` says."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import time

from ivr.cli.finding import Finding
from ivr.config import Address, SipConfig, parse_address
from ivr.media.description import ip_version
from ivr.media.process import ice
from ivr.sip.addresses import WILDCARDS, OwnAddresses
from ivr.sip.dns import Resolver

PATIENCE_S = 3.0
_AGAIN_S = 0.5  # RFC 8489 section 6.2.1, doubling
_HEAD = 20  # bytes of a message without attributes


class _Asking(asyncio.DatagramProtocol):
    """One binding request, until somebody answers it."""

    def __init__(self) -> None:
        self.transaction = secrets.token_bytes(12)
        self.mapped: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: tuple[object, ...]) -> None:
        message = ice.parse(data)
        if message is None or message.transaction != self.transaction or message.kind != ice.SUCCESS:
            return
        if (host := mapped_host(message)) and not self.mapped.done():
            self.mapped.set_result(host)

    def request(self) -> bytes:
        return ice.REQUEST.to_bytes(2, "big") + bytes(2) + ice.COOKIE.to_bytes(4, "big") + self.transaction


def mapped_host(message: ice.Message) -> str:
    """XOR-MAPPED-ADDRESS (section 14.2) as an IP literal; "" for none that can be read."""
    value = message.attributes.get(ice.MAPPED, b"")
    size = {1: 4, 2: 16}.get(value[1] if len(value) > 4 else 0, 0)
    if not size or len(value) != 4 + size:
        return ""
    mask = ice.COOKIE.to_bytes(4, "big") + message.transaction
    return str(ipaddress.ip_address(bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))))


async def nat_findings(sip: SipConfig) -> list[Finding]:
    """One for each IP version that is listened on; none without ``sip.stun_server``."""
    if not sip.stun_server:
        return []
    server = parse_address(sip.stun_server)
    resolver = Resolver(sip.dns_servers, [ip_version(address.host) for address in sip.listen], time.monotonic)
    try:
        hosts = await _hosts(server.host, resolver)
        each = {ip_version(host): host for host in reversed(hosts)}
        usable = [listener for listener in sip.listen if ip_version(listener.host) in each]
        if not usable:
            detail = f"the STUN server {server} has no address that can be reached from sip.listen"
            return [Finding("bad", "NAT", detail, "mend sip.stun_server or the DNS")]
        asked = [(one, Address(each[ip_version(one.host)], server.port)) for one in usable]
        return [await _finding(listener, goal, sip, resolver) for listener, goal in asked]
    finally:
        await resolver.close()


async def _hosts(host: str, resolver: Resolver) -> list[str]:
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    try:
        return list(await resolver.addresses(host))
    except OSError:
        return []


async def _finding(listener: Address, server: Address, sip: SipConfig, resolver: Resolver) -> Finding:
    version = ip_version(server.host)
    subject = f"NAT, IPv{version}"
    seen = await _seen(listener, server)
    if not seen:
        remedy = "is UDP let out? or try another sip.stun_server"
        return Finding("note", subject, f"no answer from the STUN server {server} in {PATIENCE_S:g} s", remedy)
    known = OwnAddresses([listener])
    try:
        real = known.local_host(server.host)
    finally:
        known.close()
    told = sip.advertised(version)
    if told and seen in await _hosts(told, resolver):
        return Finding("ok", subject, f"seen from outside as {seen}, which is what sip.advertise says")
    if told:
        detail = f"peers are told {told} by sip.advertise, and from outside this machine is {seen}"
        return Finding("bad", subject, detail, f'set sip.advertise = "{seen}"')
    if seen == real:
        return Finding("ok", subject, f"none: seen from outside as {seen}, which is its own address")
    detail = f"peers are told {real}, but from outside this machine is {seen}: it is behind NAT"
    remedy = f'set sip.advertise = "{seen}", and sip.local_nets to the networks on this side of it'
    return Finding("bad", subject, detail, remedy)


async def _seen(listener: Address, server: Address) -> str:
    """Where a request from the address that SIP is sent from is seen to come from; "" where nobody answers. From
    another port: the line may be running, and only the address is compared."""
    loop = asyncio.get_running_loop()
    own = listener.host if listener.host not in WILDCARDS else "::" if ":" in server.host else "0.0.0.0"  # noqa: S104
    try:
        transport, asking = await loop.create_datagram_endpoint(_Asking, local_addr=(own, 0))
    except OSError:
        return ""
    try:
        async with asyncio.timeout(PATIENCE_S):
            pause = _AGAIN_S
            while True:
                transport.sendto(asking.request(), (server.host, server.port))
                done, _ = await asyncio.wait({asking.mapped}, timeout=pause)
                if done:
                    return asking.mapped.result()
                pause *= 2
    except TimeoutError:
        return ""
    finally:
        transport.close()
