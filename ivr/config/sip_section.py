"""The section [sip] of config.toml: where the line listens, and the trunks that it knows."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Literal

from pydantic import Field, model_validator

from ivr.config.fields import KEPT_AS, Address, Network, Registrar, Secret, SecretField
from ivr.config.section import Section
from ivr.config.sip_fields import Advertised, Listeners, NameServers, StunServer, advertised
from ivr.config.tls_section import TlsConfig, TlsName, TlsPins, tls_faults
from ivr.media.description import SrtpPolicy

TIE_LINE = "tie line"
"""The trunk of calls between the processes of one line."""


class Trunk(Section):
    """A SIP peer. ``allow`` admits its addresses; ``inbound_auth`` demands digest credentials (RFC 8760) instead.
    ``vouches``: the calling numbers it sends are checked ones, so that a number on file makes a caller likely.
    ``gateway``: where calls to telephone numbers are sent, "" for the registrar. ``contact``: where the registrar sends
    calls to, "" for this line: the proxy before it. ``srtp``: whether its media are
    encrypted. ``tls_names``: who its certificate must name, ``tls_pin``: which certificates are its own, whoever signed
    them; it is known by these, and by ``allow`` only in addition."""

    name: str
    allow: tuple[Network, ...] = ()
    register_with: Registrar = Field("", alias="register")
    username: str = ""
    password: SecretField = Secret("")
    realm: str = ""
    expires_s: int = Field(300, ge=30)
    contact: Registrar = ""
    transport: Literal["", "udp", "tcp", "tls"] = ""
    tls_names: tuple[TlsName, ...] = ()
    tls_pin: TlsPins = ()
    inbound_auth: bool = False
    vouches: bool = True
    gateway: Registrar = ""
    srtp: SrtpPolicy = "off"

    @property
    def distant(self) -> bool:
        """Whether others than this machine may be at it."""
        return self.inbound_auth or not all(ip_network(net, strict=False).is_loopback for net in self.allow)

    @model_validator(mode="after")
    def _complete(self) -> Trunk:
        if self.name == TIE_LINE:
            raise ValueError(f'calls between lines are told as "{TIE_LINE}": choose another name')
        if not (self.allow or self.inbound_auth or self.register_with or self.certified):
            raise ValueError("a trunk needs allow, inbound_auth, register or tls_names; otherwise nobody can use it")
        if self.certified and self.transport != "tls":
            raise ValueError('tls_names and tls_pin need transport = "tls": nothing else shows a certificate')
        if (self.register_with or self.inbound_auth) and not (self.username and self.password.source):
            raise ValueError(f"register and inbound_auth need username and password ({KEPT_AS})")
        if self.contact and not self.register_with:
            raise ValueError("contact is what a registrar is told: it needs register")
        if self.srtp == "require" and self.transport != "tls":
            raise ValueError(
                'srtp = "require" needs transport = "tls": by udp and tcp whoever sees the SIP reads the keys; '
                '"prefer" encrypts nevertheless'
            )
        return self

    @property
    def certified(self) -> bool:
        """Whether only a certificate makes it out."""
        return bool(self.tls_names or self.tls_pin)


class SipConfig(Section):
    """``listen``: an address of each IP version at most. ``advertise``: what peers are shown in its place, but for
    those in ``local_nets``."""

    listen: Listeners = (Address("127.0.0.1", 5060),)
    transports: tuple[Literal["udp", "tcp", "tls"], ...] = ("udp", "tcp")
    tls: TlsConfig | None = None
    advertise: Advertised = ()
    local_nets: tuple[Network, ...] = ()
    dns_servers: NameServers = ()
    stun_server: StunServer = ""
    max_calls: int = Field(100, ge=1)
    busy_status: Literal[486, 503] = 486
    retry_after_s: int = Field(30, ge=1)
    session_expires_s: int = Field(1800, ge=90)
    trunks: tuple[Trunk, ...] = ()

    @model_validator(mode="after")
    def _tls_is_whole(self) -> SipConfig:
        if faults := [*tls_faults(self.transports, self.tls, self.trunks)]:
            raise ValueError("; ".join(faults))
        return self

    @property
    def address(self) -> Address:
        """The first that is listened on."""
        return self.listen[0]

    @property
    def tls_listen(self) -> tuple[Address, ...]:
        """Where TLS is listened for: an address of each IP version at most."""
        chosen = self.tls.listen if self.tls is not None else None
        return chosen or tuple(Address(address.host, 5061) for address in self.listen)

    def advertised(self, version: int) -> str:
        """What peers of that IP version are shown where they are not local: an address, a name, or ""."""
        return advertised(self.advertise, version)

    @property
    def open_trunk(self) -> bool:
        """Whether calls come from other machines by a trunk that needs no registration."""
        return any(not trunk.register_with and trunk.distant for trunk in self.trunks)

    @property
    def vouching(self) -> frozenset[str]:
        """The trunks whose calling numbers are checked ones."""
        return frozenset(trunk.name for trunk in self.trunks if trunk.vouches)
