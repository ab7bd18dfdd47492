"""Own addresses of a user agent: those that it listens on, and what peers of each IP version may be shown of them."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Sequence

from ivr.config import Address, SipConfig
from ivr.media.description import ip_version, socket_address

WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_LOOPBACK = {4: "127.0.0.1", 6: "::1"}


class OwnAddresses:
    """``bound``: with their real ports, one of each IP version at most. Holds a socket for each wildcard until
    ``close``, because later there may be no descriptor left."""

    def __init__(self, bound: Sequence[Address] = ()) -> None:
        self.bound = tuple(bound)
        self._probes: dict[int, socket.socket] = {}
        for address in self.bound:
            if address.host in WILDCARDS:
                version = ip_version(address.host)
                with contextlib.suppress(OSError):
                    self._probes[version] = socket.socket(FAMILIES[version], socket.SOCK_DGRAM)

    @property
    def first(self) -> Address:
        return self.bound[0] if self.bound else Address("", 0)

    @property
    def versions(self) -> tuple[int, ...]:
        """Of IP, that we can send with, in the order in which they were configured."""
        return tuple(ip_version(address.host) for address in self.bound) or (4,)

    def port_toward(self, host: str) -> int:
        return self._listener(ip_version(host)).port

    def local_host(self, toward: str) -> str:
        """Return our address as ``toward`` sees it: the listening one, or the interface that routes there."""
        version = ip_version(toward)
        listener = self._listener(version)
        if listener.host not in WILDCARDS:
            return unscoped(listener.host)
        try:
            probe = self._probes.get(version)
            if probe is None:
                raise OSError("no such addresses on this machine")
            probe.connect(socket_address(toward, 9))  # UDP: asks the routing table, sends nothing
            return unscoped(str(probe.getsockname()[0]))
        except OSError:
            return _LOOPBACK[version]

    def close(self) -> None:
        for probe in self._probes.values():
            probe.close()
        self._probes.clear()

    def _listener(self, version: int) -> Address:
        return next((each for each in self.bound if ip_version(each.host) == version), self.first)


def scoped(address: Sequence[object]) -> str:
    """The host of a socket address, with the zone of a link-local one: nobody is found without (RFC 4007)."""
    zone = address[3] if len(address) > 3 else 0
    return f"{address[0]}%{zone}" if zone else str(address[0])


def unscoped(host: str) -> str:
    """``host`` without the zone of a link-local address, which means nothing to anybody else (RFC 4007)."""
    return host.partition("%")[0]


class NatView:
    """Whether a peer is on our side of the NAT, by ``sip.local_nets``, and what the others are shown."""

    def __init__(self, config: SipConfig) -> None:
        self._config = config
        self._nets = [ipaddress.ip_network(net, strict=False) for net in config.local_nets]

    def shown_to(self, host: str) -> str:
        """``advertise`` for ``host``'s IP version, an address or a name; "" where it is shown our real address."""
        return "" if self.local(host) else self._config.advertised(ip_version(host))

    def local(self, host: str) -> bool:
        address = ipaddress.ip_address(host)
        return any(address in net for net in self._nets)
