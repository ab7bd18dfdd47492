"""SIP dialog table: it finds the leg that a request inside a dialog belongs to (RFC 3261 section 12.2.2)."""

from __future__ import annotations

from functools import partial

from ivr.sip.leg import SipLeg
from ivr.sip.message import SipRequest


class Dialogs:
    """All legs by Call-ID and our tag. A leg leaves by itself when it is released."""

    def __init__(self) -> None:
        self._legs: dict[tuple[str, str], SipLeg] = {}

    def add(self, leg: SipLeg) -> None:
        key = (leg.dialog.call_id, leg.dialog.local_tag)
        self._legs[key] = leg
        leg.on_release = partial(self._legs.pop, key, None)

    @property
    def legs(self) -> list[SipLeg]:
        return list(self._legs.values())

    def leg_of(self, request: SipRequest) -> SipLeg | None:
        return self._legs.get((request.call_id, request.to.tag))

    def deliver_ack(self, ack: SipRequest) -> bool:
        """Hand the ACK of a 2xx to its leg; False when none waits for it.

        Some callers send another To tag than ours: then Call-ID and CSeq decide."""
        leg = self.leg_of(ack)
        if leg is not None:
            return leg.receive_ack(ack)
        return any(leg.receive_ack(ack) for leg in self.legs if leg.dialog.call_id == ack.call_id)
