"""One leg's RTP session as the line sees it: commands to the media process, events (DTMF, audio, play done) from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ivr.errors import MediaUnavailable
from ivr.events import (
    Audio,
    Connected,
    Digit,
    KeyReleased,
    MediaEvent,
    MediaHeard,
    MediaLost,
    MediaTimeout,
    PlayDone,
    Tapped,
)
from ivr.media import wire
from ivr.media.browser_sdp import BrowserOffer, read_offer
from ivr.media.clip import Clip, LegStats
from ivr.media.description import Dtls, MediaDescription, NoCommonCodec, Resumption, Sdes, Secrets
from ivr.media.resolution import resolved
from ivr.media.wire import KEYS, Kind
from ivr.sealing import Confidential

_MOST_AUDIO = 500  # frames (10 s) that may wait to be read
_MOST_TAPPED = 60 * 8000  # bytes (60 s) likewise: a recording's disk may stand still for a while
_FRAME = 160  # bytes of G.711
NEW = Resumption()


class Commands(Protocol):
    """The engine, as its legs use it. ``versions``: of IP, that it has."""

    @property
    def versions(self) -> Sequence[int]: ...

    def send(self, kind: Kind, leg: int, value: object = None) -> None: ...
    async def request(self, kind: Kind, leg: int, value: object = None) -> Any: ...
    async def bind(
        self, leg: ProcessMediaLeg, remote: MediaDescription | None, port: int, resumed: Resumption
    ) -> MediaDescription: ...
    def send_play(self, leg: int, token: int, clips: Sequence[Clip], *, stop_on_key: bool, gap_ms: int) -> None: ...
    def forget_leg(self, leg: int) -> None: ...
    def candidates(self) -> list[str]: ...


@dataclass(slots=True)
class _Play:
    """What was ordered to be played, until it has ended."""

    clips: Sequence[Clip]
    stop_on_key: bool
    gap_ms: int
    stopped: bool = False


class ProcessMediaLeg:
    """Implements ``ivr.ports.MediaLeg``.

    Order of events: as they happened in the media process; a key comes before the PlayDone it causes. Once the media
    process is lost, MediaLost comes, and the leg waits for ``reopen``: what it is told meanwhile (play, stop, listen,
    tap, hear) is kept and done then. After ``close`` commands that would need media raise MediaUnavailable."""

    def __init__(
        self,
        commands: Commands,
        number: int,
        name: str,
        remote: MediaDescription | None,
        *,
        caller: bool = True,
        resumed: Resumption = NEW,
    ) -> None:
        """``resumed``: what another media process had agreed on with the far end."""
        self._commands = commands
        self.caller = caller
        self.number = number
        self.name = name  # the SIP leg's id
        self._remote = remote
        self._local: MediaDescription | None = None
        self._events: asyncio.Queue[MediaEvent | None] = asyncio.Queue()
        self._plays: dict[int, _Play] = {}  # by token, in order
        self._hears: tuple[ProcessMediaLeg, ...] = ()
        self._hearers: list[ProcessMediaLeg] = []
        self._audio_waiting = 0
        self._dropped = 0
        self._listening = False
        self._tapping = False
        self._tapped_waiting = 0  # bytes
        self._tapped_dropped = 0  # frames
        self._lost = ""
        self._closed = False
        self._answers = 0  # to browsers' offers
        self._stats = LegStats()
        self._resumed = resumed  # what the next media process goes on with, but for the keys of the SDP

    @property
    def local(self) -> MediaDescription:
        """What to put into our SDP."""
        if self._local is None:
            raise RuntimeError(f"{self.name} is not open")
        return self._local

    async def open(self) -> None:
        """Bind ports. Raises NoCommonCodec or MediaUnavailable."""
        self._local = await self._commands.bind(self, self._remote, 0, self._resumed)

    async def reopen(self) -> MediaDescription:
        """Bind ports in the process that followed the lost one, the same ones where they are free; our description.

        What was playing begins anew, listening, the tap and who hears whom go on. Nothing is done where nothing was
        lost. Raises MediaUnavailable while there is no process."""
        self._check()
        if not self._lost:
            return self.local
        self._resumed = replace(self._resumed, processes=self._resumed.processes + 1)
        self._local = await self._commands.bind(self, self._remote, self.local.port, self._resumed)
        self._lost = ""
        if self._listening:
            self._tell(Kind.LISTEN, True)
        if self._tapping:
            self._tell(Kind.TAP, True)
        for token, play in self._plays.items():
            self._send_play(token, play)
        for leg in (self, *self._hearers):
            leg._tell_hears()
        return self._local

    async def update(self, remote: MediaDescription) -> MediaDescription:
        """(Re)aim at ``remote``. Raises NoCommonCodec (nothing has changed then) or MediaUnavailable; ValueError where
        one of the two is a browser and the other is not."""
        self._check()
        if self._browser != isinstance(remote.secure, Secrets):
            raise ValueError(f"{self.name} is {'a' if self._browser else 'no'} browser's leg")
        if self._lost:
            self._remote = remote
            raise MediaUnavailable(f"the media of {self.name} is lost: {self._lost}", remedy="reopen it")
        try:
            order = wire.described(await resolved(remote, self._commands.versions))
            local = wire.description(await self._commands.request(Kind.UPDATE, self.number, order))
        except NoCommonCodec:
            raise
        except MediaUnavailable:
            self._remote = remote
            raise
        assert local is not None
        self._remote, self._local = remote, local
        return self._local

    async def reoffer(self, offer: str) -> str:
        """Meet the browser that made ``offer`` instead of the one before, also where the media process was lost since:
        what was playing, listening and whom the leg is joined with stay. Our answer.

        Raises ValueError for a leg that is no browser's and what is no browser's offer, NoCommonCodec (nothing has
        changed then), or MediaUnavailable."""
        self._check()
        if not self._browser:
            raise ValueError(f"{self.name} is no browser's leg")
        browser = read_offer(offer)
        if self._lost:
            self._remote = browser.remote
            await self.reopen()
        else:
            await self.update(browser.remote)
        return self.answer(browser)

    def answer(self, browser: BrowserOffer) -> str:
        """The SDP for the browser that this leg was aimed at last."""
        self._answers += 1
        return browser.answer(self.local, self._commands.candidates(), self._answers)

    async def play(self, clips: Sequence[Clip], *, token: int, stop_on_key: bool = False, gap_ms: int = 0) -> None:
        """Queue ``clips``; ``token`` must be of no play still unfinished. Waits for ever while the far end holds."""
        self._check()
        if token in self._plays:
            raise ValueError(f"token {token} is still playing on {self.name}")
        play = self._plays[token] = _Play(clips, stop_on_key, gap_ms)
        if not self._lost:
            self._send_play(token, play)

    async def stop_playing(self, token: int | None = None) -> None:
        """Silence within one tick (20 ms); ``token``: of what was queued under it alone."""
        self._tell(Kind.STOP, token)
        for number, play in self._plays.items():
            play.stopped = play.stopped or token is None or token == number
        if self._lost:
            self._drop_stopped()

    async def listen(self, on: bool) -> None:
        """Take what the far end says as Audio events, or leave it; keys always come."""
        if on:
            self._check()
        self._listening = on
        self._tell(Kind.LISTEN, on)

    async def hear(self, others: Sequence[object]) -> None:
        """From now on the far end hears what comes in on ``others``, legs of the same engine, and what is played.

        Whoever closes, or is closed already, is heard no more. What comes in on a leg that is heard alone, in the
        hearer's codec, is relayed as it comes."""
        if others:
            self._check()
        heard = [self._sibling(other) for other in dict.fromkeys(others)]
        if self in heard:
            raise ValueError(f"{self.name} would hear itself")
        self._hear([leg for leg in heard if not leg._closed])

    async def bridge(self, other: object | None) -> None:
        """Two legs that hear each other and nobody else; None: this one hears nobody, and nobody it."""
        if other is None:
            self._part()
            return
        self._check()
        peer = self._sibling(other)
        peer._check()
        self._part()
        peer._part()
        self._hear([peer])
        peer._hear([self])

    async def tap(self, on: bool) -> None:
        """Hand on what comes in as Tapped events, G.711 (of a G.722 leg too), a second each but for the first and last.

        Silence or concealment stands where nothing came. A jump of ``at`` is one of time: the media process stood
        still, or died. Beyond a minute that nobody reads they are dropped and counted."""
        if on:
            self._check()
        self._tapping = on
        self._tell(Kind.TAP, on)

    async def whisper(self, clips: Sequence[Clip], *, token: int) -> None:
        """Play over the other party's voice (halved meanwhile); the other party hears nothing of it."""
        await self.play(clips, token=token)

    async def press(self, keys: str) -> None:
        """Send keys to the far end: telephone-events, or tones where it takes none."""
        self._check()
        if any(key not in KEYS for key in keys):
            raise ValueError("keys are 0-9, *, # and A-D")
        self._tell(Kind.PRESS, keys)

    def kept(self) -> Confidential | None:
        """What ``ProcessMediaEngine.open`` goes on with in another process, by the keys that were agreed on; None:
        there are none, or not yet, or they are a browser's."""
        secure = None if self._remote is None else self._remote.secure
        if isinstance(secure, Sdes) or (isinstance(secure, Dtls) and self._resumed.dtls is not None):
            return Confidential(wire.kept(secure, self._resumed))
        return None

    async def events(self) -> AsyncIterator[MediaEvent]:
        """For one reader. Ends after ``close``."""
        while True:
            event = await self._events.get()
            if event is None:
                self._events.put_nowait(None)  # so that a second reader ends too
                return
            if isinstance(event, Audio):
                self._audio_waiting -= 1
            elif isinstance(event, Tapped):
                self._tapped_waiting -= len(event.payload)
            yield event

    async def stats(self) -> LegStats:
        """Counts so far, since the last (re)opening; the last known ones while the leg is lost or closed."""
        if not self._closed and not self._lost:
            self._keep(await self._commands.request(Kind.STATS, self.number))
        return self._stats

    async def close(self) -> LegStats:
        """Free the ports; unfinished plays get PlayDone, then ``events`` ends. Idempotent, never raises."""
        if not self._closed:
            self._closed = True
            self._part()
            try:
                if not self._lost:
                    self._keep(await self._commands.request(Kind.CLOSE, self.number))
            except MediaUnavailable:
                pass  # the process died meanwhile: nothing is left to free
            finally:
                for play in self._plays.values():
                    play.stopped = True
                self._drop_stopped()
                self._events.put_nowait(None)
                self._commands.forget_leg(self.number)
        return self._stats

    # --- what the engine tells us ----------------------------------------------------------------------------

    def received(self, kind: int, value: Any) -> None:
        """What is said of this leg: a key goes down or up, the end of a play, its first packet, no RTP for too long."""
        if kind == Kind.DIGIT:
            self._events.put_nowait(Digit(*value))
        elif kind == Kind.RELEASED:
            self._events.put_nowait(KeyReleased(*value))
        elif kind == Kind.HEARD:
            self._events.put_nowait(MediaHeard(self.name))
        elif kind == Kind.CONNECTED:
            self._events.put_nowait(Connected(self.name, *value))
        elif kind == Kind.KEYED:
            self._resumed = replace(wire.parse_resumption(value), processes=self._resumed.processes)
        elif kind == Kind.TIMEOUT:
            self._events.put_nowait(MediaTimeout(self.name, value))
        elif kind == Kind.DONE:
            done = PlayDone(*value)
            if self._plays.pop(done.token, None) is not None:  # else it is known no more: nothing is told
                self._events.put_nowait(done)

    def on_audio(self, pcm: bytes, at: float) -> None:
        """20 ms of speech. Beyond ten unread seconds they are dropped and counted."""
        if not self._listening:
            return  # was under way when listening ended
        if self._audio_waiting >= _MOST_AUDIO:
            self._dropped += 1
            return
        self._audio_waiting += 1
        self._events.put_nowait(Audio(pcm, at))

    def on_tapped(self, codec: str, payload: bytes, at: float) -> None:
        """About a second of what came in."""
        if self._tapped_waiting >= _MOST_TAPPED:
            self._tapped_dropped += len(payload) // _FRAME
            return
        self._tapped_waiting += len(payload)
        self._events.put_nowait(Tapped(codec, payload, at))

    def on_lost(self, reason: str) -> None:
        """The media process, or this leg in it, is gone."""
        if self._closed or self._lost:
            return
        self._lost = reason or "lost"
        self._drop_stopped()
        self._events.put_nowait(MediaLost(self.name, reason))

    # ---------------------------------------------------------------------------------------------------------

    def _send_play(self, token: int, play: _Play) -> None:
        self._commands.send_play(self.number, token, play.clips, stop_on_key=play.stop_on_key, gap_ms=play.gap_ms)

    @property
    def _browser(self) -> bool:
        return self._remote is not None and isinstance(self._remote.secure, Secrets)

    def _drop_stopped(self) -> None:
        """Whoever was to fall silent is silent now."""
        for token in [token for token, play in self._plays.items() if play.stopped]:
            del self._plays[token]
            self._events.put_nowait(PlayDone(token, completed=False))

    def _sibling(self, other: object) -> ProcessMediaLeg:
        if not isinstance(other, ProcessMediaLeg) or other._commands is not self._commands:
            raise TypeError("only legs of one media engine can hear each other")
        return other

    def _hear(self, others: Sequence[ProcessMediaLeg]) -> None:
        for leg in self._hears:
            leg._hearers.remove(self)
        self._hears = tuple(others)
        for leg in self._hears:
            leg._hearers.append(self)
        self._tell_hears()

    def _tell_hears(self) -> None:
        self._tell(Kind.HEAR, [leg.number for leg in self._hears])

    def _part(self) -> None:
        """Hear nobody, and be heard by nobody."""
        for hearer in tuple(self._hearers):
            hearer._hear([leg for leg in hearer._hears if leg is not self])
        self._hear([])

    def _keep(self, values: Any) -> None:
        stats = LegStats(**values)
        self._stats = replace(
            stats,
            audio_dropped_frames=stats.audio_dropped_frames + self._dropped,
            tap_dropped_frames=stats.tap_dropped_frames + self._tapped_dropped,
        )

    def _tell(self, kind: Kind, value: object = None) -> None:
        if not self._closed and not self._lost:
            self._commands.send(kind, self.number, value)

    def _check(self) -> None:
        if self._closed:
            raise MediaUnavailable(
                f"the media of {self.name} is closed", remedy="end the call; new calls get new media"
            )
