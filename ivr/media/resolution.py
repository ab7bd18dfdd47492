"""Resolution of the host names that a media description may carry instead of addresses (RFC 4566 section 5.7)."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import structlog

from ivr.media.description import MediaDescription, Secrets, address, literal

RESOLVE_TIMEOUT_S = 2.0

_log = structlog.get_logger(__name__)


async def resolved(remote: MediaDescription, timeout_s: float = RESOLVE_TIMEOUT_S) -> MediaDescription:
    """``remote`` with the address of its host, IPv4 first; a browser's, which ICE finds, as it is. A name that leads
    nowhere in time stays: nothing is sent then until packets come from where its SIP came from."""
    if literal(remote.host) or isinstance(remote.secure, Secrets):
        return remote
    why = "no usable address"
    try:
        async with asyncio.timeout(timeout_s):
            found = await asyncio.get_running_loop().getaddrinfo(remote.host, remote.port, type=socket.SOCK_DGRAM)
        for _, _, _, _, where in sorted(found, key=lambda entry: entry[0] != socket.AF_INET):
            if usable := address(str(where[0]), remote.port):
                return replace(remote, host=usable[0])
    except (OSError, TimeoutError, UnicodeError) as error:
        why = str(error) or "no answer in time"
    _log.warning("media.host_unresolved", host=remote.host, reason=why)
    return remote
