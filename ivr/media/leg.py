"""One leg's RTP session as the line sees it: commands to the media process, events (DTMF, audio, play done) from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

from ivr.errors import MediaUnavailable
from ivr.events import MediaEvent, MediaLost, PlayDone
from ivr.media import wire
from ivr.media.audience import Audience
from ivr.media.browser_sdp import BrowserOffer, read_offer
from ivr.media.clip import Clip, LegStats
from ivr.media.commands import Commands
from ivr.media.description import NEW, MediaDescription, NoCommonCodec, Resumption, Secrets
from ivr.media.leg_events import LegEvents
from ivr.media.leg_keys import LegKeys
from ivr.media.leg_plays import LegPlays, Play
from ivr.media.resolution import resolved
from ivr.media.wire import KEYS, Kind
from ivr.sealing import Confidential

_MOVED = "moved"  # lost by one process, and not in the next one yet


class ProcessMediaLeg:
    """Implements ``ivr.ports.MediaLeg``.

    Order of events: as they happened in the media process; a key comes before the PlayDone it causes. Once the media
    process is lost, MediaLost comes, and the leg waits for ``reopen``: what it is told meanwhile (play, stop, listen,
    tap, hear) is kept and done then. After ``close`` commands that would need media raise MediaUnavailable.
    ``commands``: the process that has it, until it is moved; ``call``: what it is a part of; ``resumed``: what another
    line's process had agreed on with the far end."""

    def __init__(
        self,
        commands: Commands[ProcessMediaLeg],
        number: int,
        name: str,
        remote: MediaDescription | None,
        *,
        caller: bool = True,
        call: str = "",
        resumed: Resumption = NEW,
    ) -> None:
        self.commands = commands
        self.caller = caller
        self.call = call
        self.number = number
        self.name = name  # the SIP leg's id
        self.audience = Audience(self)
        self._local: MediaDescription | None = None
        self._events = LegEvents(name)
        self._plays = LegPlays(self._events.put)
        self._listening = False
        self._tapping = False
        self._lost = ""
        self.closed = False
        self._binding = asyncio.Lock()  # one reopens or moves it at a time
        self._answers = 0  # to browsers' offers
        self._stats = LegStats()
        self._before = LegStats()  # in the processes that it was moved from
        self._keys = LegKeys(remote, resumed)

    @property
    def local(self) -> MediaDescription:
        """What to put into our SDP."""
        if self._local is None:
            raise RuntimeError(f"{self.name} is not open")
        return self._local

    @property
    def browser(self) -> bool:
        return self._keys.remote is not None and isinstance(self._keys.remote.secure, Secrets)

    async def open(self) -> None:
        """Bind ports. Raises NoCommonCodec or MediaUnavailable."""
        self._local = await self.commands.bind(self, self._keys.remote, 0, self._keys.resumed)

    async def reopen(self) -> MediaDescription:
        """Bind ports in the process that followed the lost one, the same ones where they are free; our description.

        What was playing begins anew, listening, the tap and who hears whom go on. Nothing is done where nothing was
        lost. Raises MediaUnavailable while there is no process."""
        async with self._binding:
            self._check()
            if self._lost:
                await self._rebind()
            return self.local

    @property
    def movable(self) -> bool:
        """Whether another process can go on with it: not while keys are being agreed on."""
        return self._keys.settled

    async def settled(self) -> None:
        """Waits until other keys are agreed on."""
        await self._keys.changed.wait()

    async def move(self, to: Commands[ProcessMediaLeg]) -> None:
        """Go on in another process, at the same ports and with the same keys: the far end need not be told. All is as
        after ``reopen``. Where the ports are another's meanwhile it is lost (MediaLost); where it is lost already, it
        is reopened there. Raises MediaUnavailable for one that is gone."""
        async with self._binding:
            if self.closed or to is self.commands:
                return
            left: Resumption | None = None
            if not self._lost:
                try:
                    stats, kept = await self.commands.request(Kind.LEAVE, self.number)
                except MediaUnavailable:
                    if not self._lost:
                        raise
                else:
                    left = wire.parse_resumption(kept)
                    self._before = self._before.plus(LegStats(**stats))
                    self._keep({})
                    self._lost = _MOVED
            self.commands.forget_leg(self.number)
            self.commands = to
            if self._lost != _MOVED or self.closed:
                return
            self._plays.drop_stopped()
            try:
                await self._rebind(left)
            except MediaUnavailable as error:
                self._lost = str(error)
                if not self.closed:
                    self._events.put(MediaLost(self.name, self._lost))

    async def _rebind(self, left: Resumption | None = None) -> None:
        """Raises MediaUnavailable: it is lost still. One that was moved takes its port along, or is lost."""
        aimed, port, moved = self._keys.remote, self.local.port, self._lost == _MOVED
        local = await self.commands.bind(self, aimed, port, self._keys.handed_on(left))
        if self.closed or (moved and local.port != port):
            with suppress(MediaUnavailable):
                await self.commands.request(Kind.CLOSE, self.number)
            self.commands.forget_leg(self.number)
            raise MediaUnavailable(f"port {port} of {self.name} could not be taken along")
        self._local = local
        self._lost = ""
        if self._listening:
            self._tell(Kind.LISTEN, True)
        if self._tapping:
            self._tell(Kind.TAP, True)
        for token, play in self._plays.unfinished():
            self._send_play(token, play)
        self.audience.tell_all()
        if self._keys.remote is not None and self._keys.remote is not aimed:  # told to meet another meanwhile
            with suppress(MediaUnavailable):
                await self.update(self._keys.remote)

    async def update(self, remote: MediaDescription) -> MediaDescription:
        """(Re)aim at ``remote``. Raises NoCommonCodec (nothing has changed then) or MediaUnavailable; ValueError where
        one of the two is a browser and the other is not."""
        self._check()
        if self.browser != isinstance(remote.secure, Secrets):
            raise ValueError(f"{self.name} is {'a' if self.browser else 'no'} browser's leg")
        if self._lost:
            self._keys.remote = remote
            raise MediaUnavailable(f"the media of {self.name} is lost: {self._lost}", remedy="reopen it")
        self._keys.aimed(self._keys.remote, remote)
        try:
            order = wire.described(await resolved(remote, self.commands.versions))
            local = wire.description(await self.commands.request(Kind.UPDATE, self.number, order))
        except NoCommonCodec:
            raise
        except MediaUnavailable:
            self._keys.remote = remote
            raise
        assert local is not None
        self._keys.remote, self._local = remote, local
        return self._local

    async def reoffer(self, offer: str) -> str:
        """Meet the browser that made ``offer`` instead of the one before, also where the media process was lost since:
        what was playing, listening and whom the leg is joined with stay. Our answer.

        Raises ValueError for a leg that is no browser's and what is no browser's offer, NoCommonCodec (nothing has
        changed then), or MediaUnavailable."""
        self._check()
        if not self.browser:
            raise ValueError(f"{self.name} is no browser's leg")
        browser = read_offer(offer)
        if self._lost:
            self._keys.remote = browser.remote
            await self.reopen()
        else:
            await self.update(browser.remote)
        return self.answer(browser)

    def answer(self, browser: BrowserOffer) -> str:
        """The SDP for the browser that this leg was aimed at last."""
        self._answers += 1
        return browser.answer(self.local, self.commands.candidates(), self._answers)

    async def play(self, clips: Sequence[Clip], *, token: int, stop_on_key: bool = False, gap_ms: int = 0) -> None:
        """Queue ``clips``; ``token`` must be of no play still unfinished. Waits for ever while the far end holds."""
        self._check()
        if token in self._plays:
            raise ValueError(f"token {token} is still playing on {self.name}")
        play = Play(clips, stop_on_key, gap_ms)
        self._plays.add(token, play)
        if not self._lost:
            self._send_play(token, play)

    async def stop_playing(self, token: int | None = None) -> None:
        """Silence within one tick (20 ms); ``token``: of what was queued under it alone."""
        self._tell(Kind.STOP, token)
        self._plays.stop(token)
        if self._lost:
            self._plays.drop_stopped()

    async def whisper(self, clips: Sequence[Clip], *, token: int) -> None:
        """Play over the other party's voice (halved meanwhile); the other party hears nothing of it."""
        await self.play(clips, token=token)

    async def listen(self, on: bool) -> None:
        """Take what the far end says as Audio events, or leave it; keys always come."""
        if on:
            self._check()
        self._listening = on
        self._tell(Kind.LISTEN, on)

    async def tap(self, on: bool) -> None:
        """Hand on what comes in as Tapped events, G.711 (of a G.722 leg too), a second each but for the first and last.

        Silence or concealment stands where nothing came. A jump of ``at`` is one of time: the media process stood
        still, or died. Beyond a minute that nobody reads they are dropped and counted."""
        if on:
            self._check()
        self._tapping = on
        self._tell(Kind.TAP, on)

    async def press(self, keys: str) -> None:
        """Send keys to the far end: telephone-events, or tones where it takes none."""
        self._check()
        if any(key not in KEYS for key in keys):
            raise ValueError("keys are 0-9, *, # and A-D")
        self._tell(Kind.PRESS, keys)

    async def hear(self, others: Sequence[object]) -> None:
        """From now on the far end hears what comes in on ``others``, legs of the same engine, and what is played. All
        who are joined are in one process from then on.

        Whoever closes, or is closed already, is heard no more. What comes in on a leg that is heard alone, in the
        hearer's codec, is relayed as it comes. Raises MediaUnavailable where no process has room for all."""
        if others:
            self._check()
        heard = [_leg(other) for other in dict.fromkeys(others)]
        if self in heard:
            raise ValueError(f"{self.name} would hear itself")
        if heard := [leg for leg in heard if not leg.closed]:
            await self.commands.together(self.audience.joined(heard))
        self.audience.hear([leg for leg in heard if not (leg.closed or self.closed)])

    async def bridge(self, other: object | None) -> None:
        """Two legs that hear each other and nobody else; None: this one hears nobody, and nobody it."""
        if other is None:
            self.audience.part()
            return
        peer = _leg(other)
        for leg in (self, peer):
            leg._check()
        await self.commands.together((self, peer))
        for leg in (self, peer):
            leg._check()
            leg.audience.part()
        self.audience.hear([peer])
        peer.audience.hear([self])

    def tell_hears(self) -> None:
        """The process is told, as far as there is one."""
        self._tell(Kind.HEAR, [leg.number for leg in self.audience.hears])

    def kept(self) -> Confidential | None:
        """What ``ProcessMediaEngine.open`` goes on with in another process, by the keys that were agreed on; None:
        there are none, or not yet, or they are a browser's."""
        return self._keys.kept()

    async def events(self) -> AsyncIterator[MediaEvent]:
        """For one reader. Ends after ``close``."""
        async for event in self._events.read():
            yield event

    async def stats(self) -> LegStats:
        """Counts so far, since the last (re)opening; the last known ones while the leg is lost or closed."""
        if not self.closed and not self._lost:
            self._keep(await self.commands.request(Kind.STATS, self.number))
        return self._stats

    async def close(self) -> LegStats:
        """Free the ports; unfinished plays get PlayDone, then ``events`` ends. Idempotent, never raises."""
        if not self.closed:
            self.closed = True
            self.audience.part()
            try:
                if not self._lost:
                    self._keep(await self.commands.request(Kind.CLOSE, self.number))
            except MediaUnavailable:
                pass  # the process died meanwhile, or the leg is on its way to another: nothing is left to free
            finally:
                self._plays.stop(None)
                self._plays.drop_stopped()
                self._events.end()
                self.commands.forget_leg(self.number)
        return self._stats

    def received(self, kind: int, value: Any) -> None:
        """What is said of this leg: a key goes down or up, the end of a play, its first packet, no RTP for too long."""
        if kind == Kind.KEYED:
            self._keys.agree(wire.parse_resumption(value))
        elif kind == Kind.DONE:
            self._plays.ended(PlayDone(*value))
        else:
            self._events.received(kind, value)

    def on_audio(self, pcm: bytes, at: float) -> None:
        """20 ms of speech. Beyond ten unread seconds they are dropped and counted."""
        if self._listening:  # else it was under way when listening ended
            self._events.put_audio(pcm, at)

    def on_tapped(self, codec: str, payload: bytes, at: float) -> None:
        """About a second of what came in."""
        self._events.put_tapped(codec, payload, at)

    def on_lost(self, reason: str) -> None:
        """The media process, or this leg in it, is gone."""
        if self.closed or self._lost:
            return
        self._lost = reason or "lost"
        self._plays.drop_stopped()
        self._events.put(MediaLost(self.name, reason))

    def _send_play(self, token: int, play: Play) -> None:
        self.commands.send_play(self.number, token, play.clips, stop_on_key=play.stop_on_key, gap_ms=play.gap_ms)

    def _keep(self, values: Any) -> None:
        self._stats = self._events.counted_in(self._before.plus(LegStats(**values)))

    def _tell(self, kind: Kind, value: object = None) -> None:
        if not self.closed and not self._lost:
            self.commands.send(kind, self.number, value)

    def _check(self) -> None:
        if self.closed:
            raise MediaUnavailable(
                f"the media of {self.name} is closed", remedy="end the call; new calls get new media"
            )


def _leg(other: object) -> ProcessMediaLeg:
    if not isinstance(other, ProcessMediaLeg):
        raise TypeError("only legs of one media engine can hear each other")
    return other
