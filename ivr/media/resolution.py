"""Resolution of the host names that a media description may carry instead of addresses (RFC 4566 section 5.7)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import replace

import structlog

from ivr.media.description import MediaDescription, Secrets, address, ip_version, literal

RESOLVE_TIMEOUT_S = 2.0

_log = structlog.get_logger(__name__)


async def resolved(
    remote: MediaDescription, versions: Sequence[int] = (4, 6), timeout_s: float = RESOLVE_TIMEOUT_S
) -> MediaDescription:
    """``remote`` with the address of its host, of the first of the IP ``versions`` that it has; a browser's, which ICE
    finds, as it is. A name that leads nowhere in time stays: nothing is sent then until packets come from where its SIP
    came from."""
    if literal(remote.host) or isinstance(remote.secure, Secrets):
        return remote
    why = "no usable address"
    try:
        async with asyncio.timeout(timeout_s):
            found = await asyncio.get_running_loop().getaddrinfo(remote.host, remote.port, type=socket.SOCK_DGRAM)
        usable = [place[0] for *_, where in found if (place := address(str(where[0]), remote.port))]
        for version in versions:
            if host := next((each for each in usable if ip_version(each) == version), ""):
                return replace(remote, host=host)
    except (OSError, TimeoutError, UnicodeError) as error:
        why = str(error) or "no answer in time"
    _log.warning("media.host_unresolved", host=remote.host, reason=why)
    return remote
