"""Media ports: RTP sessions and the engine that has them.

Audio here and in speech: 16-bit little-endian mono PCM, 8 kHz, 20 ms = 160 samples = 320 bytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from ivr.events import MediaEvent
from ivr.media.clip import Clip, LegStats
from ivr.media.description import MediaDescription
from ivr.media.load import MediaLoad
from ivr.sealing import Confidential


class MediaLeg(Protocol):
    """One RTP session with the far end of one SIP leg."""

    @property
    def local(self) -> MediaDescription: ...  # put this into our SDP

    async def update(self, remote: MediaDescription) -> MediaDescription:
        """(Re)aim at ``remote``; our description to answer with (codec chosen by our preference, RFC 3264)."""

    async def reopen(self) -> MediaDescription:
        """After MediaLost: the same ports again where they are free, else others; our description. What was told
        (plays, listening, a bridge) goes on, plays from their beginning. Raises MediaUnavailable."""

    async def play(self, clips: Sequence[Clip], *, token: int, stop_on_key: bool = False) -> None:
        """Queue clips after what is playing; returns at once. PlayDone(token) follows, exactly once a token."""

    async def stop_playing(self, token: int | None = None) -> None:
        """Silence within one tick; PlayDone(completed=False) for every unfinished token. ``token``: only what was
        queued under it, and what is before and behind it plays on."""

    async def listen(self, on: bool) -> None:
        """Forward gated audio (with pre-roll) as Audio events, or stop doing so. Digits are always reported."""

    async def bridge(self, other: MediaLeg | None) -> None:
        """Two legs that ``hear`` each other and nobody else them; None: this one hears nobody, and nobody it. Legs that
        are joined meet in one process, see ``ivr.media.pool``."""

    async def hear(self, others: Sequence[MediaLeg]) -> None:
        """What this leg's far end hears from now on: the sum of what comes in on ``others`` (none: only what is
        played), and their keys. Who closes is heard no more. A leg that is heard alone, in one codec, is relayed packet
        by packet while nothing is played."""

    async def tap(self, on: bool) -> None:
        """Hand on everything that comes in on this leg as Tapped events, about once a second, for a recording. Taps
        begun together are in step. What nobody reads within a minute is dropped (``LegStats.tap_dropped_frames``)."""

    async def press(self, keys: str) -> None:
        """Send keys to the far end (RFC 4733, or tones where it takes no events)."""

    async def whisper(self, clips: Sequence[Clip], *, token: int) -> None:
        """Play to this leg only, even when bridged."""

    async def reoffer(self, offer: str) -> str:
        """A browser's leg gets a new transport under the same leg (its page was loaded again); our answer."""

    def kept(self) -> Confidential | None:
        """The keys of its encryption, for the process that goes on with the call should this one die; None: there are
        none that another could go on with."""

    def events(self) -> AsyncIterator[MediaEvent]: ...
    async def close(self) -> LegStats: ...


class MediaEngine(Protocol):
    """The media processes, seen from the line. Restarts a dead one; its legs get MediaLost and can be reopened."""

    async def open(
        self,
        leg: str,
        remote: MediaDescription | None,
        *,
        caller: bool = True,
        call: str = "",
        kept: Confidential | None = None,
    ) -> MediaLeg:
        """Bind an RTP/RTCP port pair and negotiate. Raises MediaUnavailable. None: we make the offer. ``kept``: what
        another process had of the same far end (``MediaLeg.kept``).

        ``caller``: it is a caller's. Half of ports and legs are kept for those whom callers are joined with. ``call``:
        what it is a part of, ``leg`` where that is the call; those of one call are placed together."""

    async def open_browser(self, leg: str, offer: str) -> tuple[MediaLeg, str]:
        """A leg to a browser, from its SDP offer: ICE-lite (RFC 8445), DTLS-SRTP (RFC 5764), rtcp-mux; the leg and our
        SDP answer. ``MediaLeg.reoffer`` takes the offer of a page that was loaded again. Raises MediaUnavailable,
        NoCommonCodec, and ValueError for what is no browser's offer."""

    async def preload(self, clips: Sequence[Clip]) -> None: ...
    def healthy(self) -> bool:
        """Whether a call can have media now."""

    def loads(self) -> Sequence[MediaLoad]:
        """Of each process."""
