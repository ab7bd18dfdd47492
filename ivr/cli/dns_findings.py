"""Findings about SIP server location: where each agent's, trunk's and overflow's URI leads by DNS, and whether there is
a route to it."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Iterator

from ivr.cli.finding import Finding
from ivr.config import Config, SipConfig
from ivr.media.description import ip_version
from ivr.sip.dns import Resolver
from ivr.sip.headers import Uri
from ivr.sip.locate import Reach, Server, locate
from ivr.sip.signalling import RESOLVE_TIMEOUT_S

_SHOWN = 3


async def dns_findings(config: Config) -> list[Finding]:
    """One for each URI that this line sends to."""
    resolver = Resolver(config.sip.dns_servers, (4, 6), time.monotonic)
    try:
        asked = [_finding(subject, uri, way, config.sip, resolver) for subject, uri, way in _destinations(config)]
        return list(await asyncio.gather(*asked))
    finally:
        await resolver.close()


def _destinations(config: Config) -> Iterator[tuple[str, str, str]]:
    """(whose, URI, transport that is configured for it)."""
    for agent in config.desk.agents:
        yield f"agent {agent.name}", agent.target, ""
    for trunk in config.sip.trunks:
        for uri in dict.fromkeys(filter(None, (trunk.register_with, trunk.gateway))):
            yield f"trunk {trunk.name}", uri, trunk.transport
    if config.desk.line.overflow:
        yield "overflow", config.desk.line.overflow, ""


async def _finding(subject: str, target: str, transport: str, sip: SipConfig, resolver: Resolver) -> Finding:
    uri, listen = Uri.parse(target), ", ".join(address.host for address in sip.listen)
    versions = [ip_version(address.host) for address in sip.listen]
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT_S):
            found = await locate(uri, transport, Reach(sip.transports), resolver, random.Random())
    except (OSError, TimeoutError) as error:
        return _bad(subject, target, f"{uri.host} is not known ({error or 'no answer from DNS'})")
    if not found:
        return _bad(subject, target, f"{uri.host} is not known, or has nothing for {', '.join(sip.transports)}")
    usable = [server for server in found if ip_version(server.host) in versions]
    if not usable:
        return _bad(subject, target, f"{found[0].host} is of another IP version than {listen}")
    troubles = [_unroutable(server, sip) for server in usable]
    if all(troubles):
        return _bad(subject, target, troubles[0])
    shown = ", ".join(f"{server.transport} {server.host} port {server.port}" for server in usable[:_SHOWN])
    more = f" and {len(usable) - _SHOWN} more" if len(usable) > _SHOWN else ""
    return Finding("ok", subject, f"{target} is at {shown}{more}")


def _bad(subject: str, target: str, why: str) -> Finding:
    remedy = "mend its target, sip.listen or the DNS"
    return Finding("bad", subject, f"{target} cannot be dialled: {why}", remedy)


def _unroutable(server: Server, sip: SipConfig) -> str:
    """Why nothing can be sent to ``server`` from where we listen; "" where it can."""
    version = ip_version(server.host)
    own = next(address.host for address in sip.listen if ip_version(address.host) == version)
    if server.transport != "udp":  # over UDP we send from the one socket that listens
        own = "::" if version == 6 else ""
    with socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((own, 0))
            probe.connect((server.host, server.port))  # UDP: asks the routing table, sends nothing
        except OSError as error:
            return f"no route from {own or 'here'} ({error.strerror or error})"
    return ""
