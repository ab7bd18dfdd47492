"""Restored SIP leg: the dialog of a process that died, gone on with here by a re-INVITE (RFC 3261 section 14)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ivr.errors import CallEnded, ModificationRefused
from ivr.media.description import MediaDescription
from ivr.ports import Party
from ivr.sip.dialog import CallDialog
from ivr.sip.leg import SipLeg
from ivr.sip.message import Peer
from ivr.sip.session_timer import SessionTerms
from ivr.sip.signalling import Signalling

AHEAD = 100  # of the CSeq on file: requests that the dead process sent since, and whatever it had been challenged for
FURTHER = (1_000, 100_000)  # where the far end says that even that is behind (500, section 12.2.2)


class RestoredLeg(SipLeg):
    """It was answered in another process, and is not heard here before ``reinvite``. ``on_end`` is called once."""

    def __init__(self, core: Signalling, kept: Mapping[str, Any], on_end: Callable[[RestoredLeg], None]) -> None:
        """Raises BadMessage, KeyError, TypeError and ValueError for what no process of ours kept."""
        self.far = str(kept["far"])
        arrival, sdp = Peer(*kept["arrival"]), kept["sdp"]
        audio = core.offer_answer(arrival, sdp["host"], srtp=sdp["srtp"])
        audio.go_on(sdp)
        super().__init__(
            core,
            CallDialog(**kept["dialog"]),
            audio,
            trunk=kept["trunk"],
            caller=Party(**kept["caller"]),
            called=Party(**kept["called"]),
            headers=kept["headers"],
            arrival=arrival,
        )
        if self.far == "caller" and arrival.transport == "tls":
            core.policy.see(arrival.host, self.trunk)  # it never connected to this process
        self.dialog.local_cseq += AHEAD
        self._on_end = on_end
        self.confirmed = True
        self.updates = bool(kept["updates"])
        self.offering = True  # the far end's own offers wait until ours has told it where we are (491)
        if interval_s := int(kept["interval_s"]):
            self.session.start(SessionTerms(interval_s, "uas"), "uac")  # until the re-INVITE agrees on new terms

    async def reinvite(self, local: MediaDescription) -> MediaDescription:
        for further in (*FURTHER, 0):
            try:
                return await super().reinvite(local)
            except ModificationRefused as error:
                if error.status == 408:  # nobody is there any more (section 12.2.1.2)
                    self._abort("network", "no answer to the re-INVITE", 408)
                    self.check()
                if error.status != 500 or not further:
                    raise
                self.dialog.local_cseq += further
                self.log.info("sip.cseq_raised", to=self.dialog.local_cseq)
        raise CallEnded("network", "the re-INVITE was refused")

    def end(self, by: str, reason: str, status: int = 0, *, forget: bool = True) -> None:
        if self.ended is None:
            super().end(by, reason, status, forget=forget)
            self._on_end(self)
