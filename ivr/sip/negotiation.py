"""SDP offer and answer over one dialog's life (RFC 3264, RFC 6337): what both ends last agreed to."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import replace

from ivr.media.description import Direction, MediaDescription
from ivr.sip import sdp


class OfferAnswer:
    """``known`` are our codecs in order of preference; ``reachable`` gives the address to put for a wildcard."""

    def __init__(self, known: tuple[str, ...], reachable: Callable[[], str], translate: bool) -> None:
        self._known = known
        self._reachable = reachable
        self._translate = translate
        self._session = sdp.LocalSession()
        self._offer: sdp.RemoteSession | None = None
        self._latest: MediaDescription | None = None  # the far end's last description, whole
        self.local: MediaDescription | None = None
        self.remote: MediaDescription | None = None
        self.text = ""  # what we sent last, to repeat unchanged in a refresh

    def take_offer(self, text: str) -> MediaDescription:
        """Take the first offer. Raises BadBody."""
        self._offer = sdp.parse(text, self._known)
        self._latest = self.remote = self._offer.audio
        return self._offer.audio

    def answer(self, local: MediaDescription) -> str:
        """Answer the first offer with what media made of it."""
        if self._offer is None:
            raise RuntimeError("there is no offer to answer")
        if self._offer.audio.direction is not Direction.SENDRECV:
            local = replace(local, direction=self._offer.audio.direction.answer)
        self.local = self._placed(local)
        self.text = self._session.answer(self.local, self._offer)
        return self.text

    def offer(self, local: MediaDescription) -> str:
        self.local = self._placed(local)
        self.text = self._session.offer(self.local)
        return self.text

    def offer_again(self) -> str:
        """Offer what we have, not on hold, in answer to an offer-less re-INVITE."""
        if self.local is None:
            raise RuntimeError("nothing was agreed yet")
        self.local = replace(self.local, direction=Direction.SENDRECV)
        if self._offer is None:
            self.text = self._session.offer(self.local)
        else:
            self.text = self._session.answer(self.local, self._offer)
        return self.text

    def take_answer(self, text: str) -> MediaDescription:
        """Take the far end's answer to our offer. Raises BadBody."""
        answered = sdp.parse(text, self._known)
        self._latest = self.remote = answered.audio
        return answered.audio

    def reanswer(self, text: str) -> tuple[str, MediaDescription | None]:
        """Answer a later offer by ourselves; return our SDP, and the far end's description if it changed.

        Raises BadBody, leaving everything as it was (RFC 3261 section 14.2)."""
        if self.local is None:
            raise RuntimeError("nothing was agreed yet")
        offer = sdp.parse(text, self._known)
        local = sdp.follow(self.local, offer.audio, self._known)
        changed = offer.audio != self._latest
        self._offer, self._latest, self.local = offer, offer.audio, local
        self.text = self._session.answer(local, offer)
        # Media must choose the codec that was answered, so it is shown no other.
        self.remote = replace(offer.audio, codecs=local.codecs, dtmf_payload_type=local.dtmf_payload_type)
        return self.text, self.remote if changed else None

    def take_later_answer(self, text: str) -> MediaDescription | None:
        """Take an answer to an offer made in mid-call; return what changed for media, if anything. Raises BadBody."""
        before = self.remote
        after = self.take_answer(text)
        if before is None:
            return None  # the first answer, which nobody heard of yet
        same_codec = after.codecs[0] in before.codecs
        return None if same_codec and replace(after, codecs=before.codecs) == before else after

    def _placed(self, local: MediaDescription) -> MediaDescription:
        try:
            wildcard = ipaddress.ip_address(local.host).is_unspecified
        except ValueError:
            wildcard = True
        return replace(local, host=self._reachable()) if wildcard or self._translate else local
