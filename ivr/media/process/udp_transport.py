"""A telephone's transport: RTP and RTCP on a UDP port each (RFC 3550 section 11), in the clear or by SRTP, whose keys
come with the SDP (SDES, RFC 4568) or are agreed on here (DTLS-SRTP without ICE, RFC 5763)."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass

from ivr.media.description import Dtls, DtlsAgreement, Keying, Resumption, Sdes
from ivr.media.process.dtls_srtp import Association, Identities, Identity
from ivr.media.process.latch import Address, Latch, SourceLatch
from ivr.media.process.rtcp import plausible
from ivr.media.process.srtp import Protection, Srtp
from ivr.media.process.transport import Change, Reader, Sending, Taker, UdpPort, forgotten

_CONNECT_S = 15.0


@dataclass(slots=True)
class _Handshake:
    """One association, on its port; ``address``: where the far end's last datagram of it came from."""

    dtls: Association
    port: UdpPort
    address: Address | None = None


class UdpTransport:
    """For whoever the latch takes for the far end: by addresses in the clear, else by who has the keys."""

    __slots__ = (
        "_changed",
        "_control",
        "_given_up_at",
        "_handshakes",
        "_identities",
        "_identity",
        "_latch",
        "_mux",
        "_ours",
        "_refused",
        "_renewing",
        "_rtcp",
        "_rtp",
        "_stream",
        "_take_rtcp",
        "_take_rtp",
        "_theirs",
        "_told",
        "agreement",
        "latch",
        "port",
        "protection",
        "send",
    )

    def __init__(
        self, rtp: socket.socket, rtcp: socket.socket, identities: Identities, resumed: Resumption | None = None
    ) -> None:
        """``resumed``: what the far end has agreed on with another process. Raises ValueError where that is nothing."""
        self._latch = SourceLatch()
        self.latch: Latch = self._latch
        self._rtp, self._rtcp = UdpPort(rtp), UdpPort(rtcp)
        self.port = self._rtp.number
        self.send: Sending = self._rtp.send  # RTP; raises OSError
        self.protection: Protection | None = None
        self._control: Protection | None = None  # of what comes on RTCP's port
        self._identities = identities
        self._identity: Identity | None = None  # kept: our SDP has told its fingerprint
        agreed = resumed.dtls if resumed is not None else None
        self.agreement = agreed if isinstance(agreed, DtlsAgreement) else None
        if self.agreement is not None:
            self._identity = Identity.read(self.agreement.identity)
        self._stream = resumed.stream if resumed is not None else None
        self._theirs: Keying | None = None
        self._ours: Keying | None = None
        self._handshakes: list[_Handshake] = []  # RTP's first
        self._renewing = False  # by those: until they are over, what was agreed on before counts
        self._mux = False
        self._refused = 0  # by protections that are no more
        self._told = ""
        self._given_up_at = 0.0
        self._take_rtp: Taker | None = None
        self._take_rtcp: Taker | None = None
        self._changed: Change | None = None

    @property
    def established(self) -> bool:
        """In the clear, or there are keys."""
        return self.protection is None or self.protection.up

    @property
    def refused(self) -> int:
        """Packets that no key opened."""
        protections = {id(each): each for each in (self.protection, self._control) if each is not None}
        return self._refused + sum(each.refused for each in protections.values())

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """RTP's and RTCP's."""
        return self._rtp.socket, self._rtcp.socket

    def readers(self, rtp: Taker, rtcp: Taker, changed: Change) -> list[tuple[socket.socket, Reader]]:
        """One for each port."""
        self._take_rtp, self._take_rtcp, self._changed = rtp, rtcp, changed
        self._direct()
        return [(self._rtp.socket, self._rtp.read), (self._rtcp.socket, self._rtcp.read)]

    def _direct(self) -> None:
        """What comes and goes in the clear goes straight from and to the ports: it is most of it."""
        rtp, rtcp = self._take_rtp or forgotten, self._take_rtcp or forgotten
        self._rtp.take = rtp if self.protection is None else self.sealed
        self._rtcp.take = rtcp if self._control is None else self._sealed_rtcp
        self.send = self._rtp.send if self.protection is None else self._seal

    def _sealed_rtcp(self, data: bytes, address: Address, now: float) -> None:
        self.sealed(data, address, now, control=True)

    def sealed(self, data: bytes, address: Address, now: float, *, control: bool = False) -> None:
        """One datagram of anybody's, while there is a protection; ``control``: it came to RTCP's port. What it is, its
        first bytes tell (RFC 7983, RFC 5761)."""
        first = data[0] if data else 255
        if 20 <= first <= 63:
            if self._handshakes or self._renewed(data, address, now):
                self._shake(self._handshakes[-1 if control else 0], data, address, now)
        elif not 128 <= first <= 191:
            return  # a keep-alive, or noise
        elif control or (self._mux and plausible(data)):
            packet = self._control.open_rtcp(data) if self._control is not None else None
            if packet is not None and self._take_rtcp is not None:
                self._take_rtcp(packet, address, now)
        else:
            packet = self.protection.open(data) if self.protection is not None else None
            if packet is not None and self._take_rtp is not None:
                self._take_rtp(packet, address, now)

    def _seal(self, packet: bytes, target: Address, /) -> None:
        if self.protection is not None:
            self._rtp.send(self.protection.seal(packet), target)

    def send_rtcp(self, packet: bytes, target: Address, /) -> None:
        """RTCP; beside RTP where the far end takes it there. Raises OSError."""
        control = self._control
        data = packet if control is None else control.seal_rtcp(packet)
        beside = self._latch.source if self._mux else None
        if beside is not None:
            self._rtp.send(data, beside)
        else:
            self._rtcp.send(data, target)

    def aim(self, theirs: Keying | None, now: float) -> Keying | None:
        """The far end's keys, or its certificate. The same as before change nothing: packet counters and an association
        go on. Raises ValueError for keys that are none, and nothing has changed then."""
        if theirs == self._theirs:
            return self._ours
        match theirs:
            case Sdes():
                self._key(theirs)
                self._ours = theirs
            case Dtls():
                self._ours = self._associate(theirs, now)
            case _:
                self._protect(None, None)
                self._ours = self.agreement = None
        self._theirs = theirs
        self._latch.authentic = self.protection is not None
        self._latch.prepare(ready=self.established)
        return self._ours

    def watch(self, now: float) -> None:
        """Begin a handshake, or repeat what got lost of it; give up on a far end that never answers."""
        if not self._handshakes or not any(handshake.dtls.state == "new" for handshake in self._handshakes):
            return
        for handshake in self._handshakes:
            handshake.dtls.watch(now)
            if now >= self._given_up_at and handshake.dtls.state == "new":
                handshake.dtls.abandon("the far end did not finish the DTLS handshake")
        self._follow(now)

    @property
    def address(self) -> Address | None:
        """As the latch knows it."""
        return self._latch.latched

    def meet(self, address: Address) -> None:
        self._latch.meet(address)

    def close(self, *, elsewhere: bool = False) -> None:
        """Tell the far end of an association, and free both ports."""
        for handshake in self._handshakes if not elsewhere else ():
            handshake.dtls.close()
            self._flush(handshake)
        for sock in self.sockets:
            sock.close()
        # Whom it told hold it: what OpenSSL has of it must not wait for a collection of such circles.
        self._take_rtp = self._take_rtcp = self._changed = None
        self._protect(None, None)

    def _protect(self, protection: Protection | None, control: Protection | None, mux: bool = False) -> None:
        self._refused = self.refused
        self.protection, self._control = protection, control
        self._handshakes, self._renewing = [], False
        self._mux = mux
        self._direct()

    def _key(self, keys: Sdes) -> None:
        if isinstance(self.protection, Srtp):
            self.protection.rekey(keys)
        else:
            srtp = Srtp.of(keys, stream=self._stream)
            self._protect(srtp, srtp)
            self._stream = self.agreement = None

    # --- DTLS -------------------------------------------------------------------------------------------------

    def _associate(self, theirs: Dtls, now: float) -> Dtls:
        """Passive, unless the far end can only be that: who begins is found behind its NAT. An association that stands
        with the same certificate goes on (RFC 8842 section 5)."""
        active = theirs.setup == "passive"
        agreement = self.agreement
        if agreement is not None and not self._stands(agreement, theirs):
            agreement = self.agreement = None
        if agreement is not None and (not self._handshakes or self._renewing):
            assert self._identity is not None
            if self.protection is None:
                srtp = [Srtp.of(keys, "DTLS ", None if n else self._stream) for n, keys in enumerate(agreement.keys)]
                self._protect(srtp[0], srtp[-1], theirs.mux)
                self._stream = None
            return Dtls(self._identity.fingerprint, "active" if active else "passive", theirs.mux)
        former, before = self._handshakes[0].dtls if self._handshakes else None, self._theirs
        stands = former is not None and isinstance(before, Dtls) and _alike(before, theirs)
        if former is None or not stands or not (former.up or (former.state == "new" and former.active == active)):
            self._begin(theirs, active, now)
            self._protect_by_handshakes(theirs.mux)
        dtls = self._handshakes[0].dtls
        return Dtls(dtls.fingerprint, "active" if dtls.active else "passive", theirs.mux)

    @staticmethod
    def _stands(agreement: DtlsAgreement, theirs: Dtls) -> bool:
        """Whether it is one with whoever says so now."""
        same = (agreement.fingerprint, agreement.tls_id) == (theirs.fingerprint, theirs.tls_id)
        return same and len(agreement.keys) == (1 if theirs.mux else 2)

    def _begin(self, theirs: Dtls, active: bool, now: float) -> None:
        """A handshake for each port, in the place of those before."""
        identity = self._identity = self._identity or self._identities.current()
        for handshake in self._handshakes:
            handshake.dtls.close()
            self._flush(handshake)
        self._handshakes = [
            _Handshake(Association(identity, theirs.fingerprint, active=active, algorithm=theirs.algorithm), port)
            for port in ([self._rtp] if theirs.mux else [self._rtp, self._rtcp])
        ]
        self._told = ""
        self._given_up_at = now + _CONNECT_S

    def _protect_by_handshakes(self, mux: bool) -> None:
        made = self._handshakes
        self._protect(made[0].dtls, made[-1].dtls, mux)
        self._handshakes = made

    def _renewed(self, data: bytes, address: Address, now: float) -> bool:
        """The far end agreed on keys with another process, and begins anew with this one, which has its certificate:
        our SDP told of another address. What was agreed on before counts until that is done."""
        theirs = self._theirs
        hello = len(data) > 13 and (data[0], data[13]) == (22, 1)
        if self.agreement is None or not (hello and isinstance(theirs, Dtls) and self._latch.may_be(address[0])):
            return False
        self._begin(theirs, False, now)
        self._renewing = True
        return True

    def _shake(self, handshake: _Handshake, data: bytes, address: Address, now: float) -> None:
        """Part of a handshake, which proves nothing until it is over: of strangers' hosts it is forgotten."""
        if not handshake.dtls.up:
            if not self._latch.may_be(address[0]):
                return
            handshake.address = address
        handshake.dtls.receive(data, now)
        self._follow(now)

    def _follow(self, now: float) -> None:
        """What became of RTP's association by now."""
        for handshake in self._handshakes:
            self._flush(handshake)
        if self._renewing and not self._over():
            return
        dtls = self._handshakes[0].dtls
        self._latch.prepare(ready=dtls.up)
        self._note_agreement()
        if dtls.state != "new" and dtls.state != self._told:
            self._told = dtls.state
            if self._changed is not None:
                self._changed(dtls.state, dtls.why, now)

    def _over(self) -> bool:
        """Whether new keys are agreed on in the place of those before; a renewal that fails is forgotten."""
        if all(handshake.dtls.up for handshake in self._handshakes):
            self._protect_by_handshakes(self._mux)
            return True
        if any(handshake.dtls.state != "new" and not handshake.dtls.up for handshake in self._handshakes):
            self._handshakes, self._renewing = [], False
        return False

    def _note_agreement(self) -> None:
        keys = [handshake.dtls.keys for handshake in self._handshakes]
        told = tuple(each for each in keys if each is not None)
        known = self.agreement
        if len(told) == len(keys) and isinstance(self._theirs, Dtls) and (known is None or known.keys != told):
            assert self._identity is not None
            theirs = self._theirs
            self.agreement = DtlsAgreement(theirs.fingerprint, theirs.tls_id, told, self._identity.pem)

    def _flush(self, handshake: _Handshake) -> None:
        target = handshake.address or self._signalled(handshake.port)
        for datagram in handshake.dtls.out:
            if target is not None:
                with suppress(OSError, OverflowError):
                    handshake.port.send(datagram, target)
        handshake.dtls.out.clear()

    def _signalled(self, port: UdpPort) -> Address | None:
        signalled = self._latch.signalled
        if signalled is None or port is self._rtp:
            return signalled
        return signalled[0], signalled[1] + 1


def _alike(one: Dtls, other: Dtls) -> bool:
    """Whether it is the same association's, whoever begins."""
    return (one.fingerprint, one.mux, one.tls_id) == (other.fingerprint, other.mux, other.tls_id)
