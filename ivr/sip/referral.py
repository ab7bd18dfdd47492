"""Referral: a REFER that the far end sends in a call (RFC 3515), and its implicit subscription, told by NOTIFY."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote

from ivr.plain_text import plain
from ivr.sip.dialog import CallDialog
from ivr.sip.headers import Address
from ivr.sip.message import BadBody, Peer, SipRequest
from ivr.sip.signalling import Signalling, Unresolvable

EXPIRES_S = 180  # a phone may ring for long


@dataclass(frozen=True, slots=True)
class Referral:
    """``target``: a URI without embedded headers; ``replaces``: what its Replaces header said (RFC 3891 section 3), ""
    for a blind transfer; ``silent``: the sender wants no NOTIFY (RFC 4488)."""

    target: str
    replaces: str = ""
    silent: bool = False

    @classmethod
    def of(cls, refer: SipRequest) -> Referral:
        """Read one. Raises BadMessage: 400 for other than one Refer-To of an INVITE."""
        named = refer.headers.get("refer-to")
        if len(named) != 1:
            raise BadBody(400, "not one Refer-To")
        uri = Address.parse(named[0]).uri
        if uri.scheme not in ("sip", "sips", "tel"):
            raise BadBody(416, "Refer-To is neither sip: nor tel:")
        if uri.params.get("method", "INVITE").upper() != "INVITE":
            raise BadBody(400, "Refer-To asks for another method than INVITE")
        embedded = (pair.partition("=") for pair in uri.headers.split("&"))
        replaces = next((plain(unquote(value)) for name, _, value in embedded if name.lower() == "replaces"), "")
        target, _, _ = str(uri.bare).partition(";method=")
        return cls(target, replaces, refer.headers.first("refer-sub").strip().lower() == "false")


class Referred(Protocol):
    """The leg, as a subscription needs it."""

    core: Signalling
    dialog: CallDialog
    arrival: Peer
    trunk: str


class Subscription:
    """Of the far end to how one referral comes on. ``first``: nothing else was referred in this dialog, so that its
    NOTIFYs need no id (RFC 3515 section 2.4.6)."""

    def __init__(self, leg: Referred, refer: SipRequest, *, first: bool) -> None:
        self._leg = leg
        self._event = "refer" if first else f"refer;id={refer.cseq.number}"
        self.over = False

    async def notify(self, status: int, reason: str) -> None:
        """Tell it; returns once it is answered, or no more can be. After a final status nothing more is told."""
        if self.over:
            return
        self.over = status >= 200
        leg, state = self._leg, "terminated;reason=noresource" if self.over else f"active;expires={EXPIRES_S}"
        try:
            peer = await leg.core.peer_of(leg.dialog, leg.arrival)
        except Unresolvable:
            self.over = True
            return
        if self.over and status < 200:
            return  # the last one overtook it
        request = leg.dialog.request("NOTIFY", leg.core.via(peer), leg.core.contact(peer))
        request.headers.set("Event", self._event)
        request.headers.set("Subscription-State", state)
        request.headers.set("Content-Type", "message/sipfrag;version=2.0")
        request.body = f"SIP/2.0 {status} {reason}\r\n".encode()
        response = await leg.core.request(request, peer, leg.trunk, leg.dialog)
        self.over = self.over or response.status_code == 481
