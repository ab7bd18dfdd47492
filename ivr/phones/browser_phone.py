"""An agent's browser as a phone: one warm leg of media, connected while they are available; calls come and go over
it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Literal

import structlog

from ivr.errors import DialFailed, MediaUnavailable, ModificationRefused, TransferFailed
from ivr.events import Connected, LegEnded, MediaEvent, MediaLost, MediaTimeout
from ivr.media.description import MediaDescription
from ivr.phones.participant import BROWSER
from ivr.ports import Clip, Console, Leg, LegEvent, LegStats, MediaEngine, MediaLeg, Party, Ring

log = structlog.get_logger(__name__)

AWAY_S = 2.2  # a page that is loaded again is back by then; one that was closed is not
CONNECTING_S = 3.0  # handshakes take a tenth of it
RESTARTED_S = 6.0  # the same after the media process died
DECLINED, UNAVAILABLE, BUSY = 603, 480, 486

State = Literal["unconnected", "connecting", "up", "away"]


class BrowserPhone:
    """Implements ``ivr.ports.AgentPhone``, and what a console needs of it: ``connect`` with the page's offer, ``lost``
    once the page is gone for good.

    A call ends with LegEnded "network" when the leg fails or is silent (browsers send all the time), or when the page
    closed it and none comes back within AWAY_S. ``console`` is where it rings."""

    def __init__(self, agent: str, console: Console, media: MediaEngine) -> None:
        self.agent = agent
        self.console = console
        self._media = media
        self._leg: MediaLeg | None = None
        self._state: State = "unconnected"
        self._reading: asyncio.Task[None] | None = None
        self._call: BrowserLeg | None = None
        self._connected = asyncio.Event()
        self._away: asyncio.TimerHandle | None = None

    @property
    def state(self) -> State:
        """unconnected: no page, or its leg has failed; away: it was closed just now, and may be loaded again."""
        return self._state

    def reachable(self) -> bool:
        """Its leg is up, or comes up just now."""
        return self._state in ("up", "connecting")

    async def connect(self, offer: str) -> str:
        """Our SDP answer to the page's offer. Of a page that was loaded again the leg stays, with whoever is on it.

        Raises MediaUnavailable, NoCommonCodec, and ValueError for what is no browser's offer."""
        leg = self._leg
        if leg is not None:
            answer = await leg.reoffer(offer)
        else:
            leg, answer = await self._media.open_browser(f"browser-{self.agent}-{secrets.token_hex(3)}", offer)
            self._leg = leg
            self._reading = asyncio.create_task(self._read(leg), name=f"browser {self.agent}")
        if self._state != "up":
            self._state = "connecting"
            self._connected.clear()
        self._back()
        return answer

    async def lost(self, why: str = "the page is gone") -> None:
        """The page is, and will not come back: who is on it is lost to the agent at once, the leg is closed."""
        self._drop(why)
        leg, self._leg = self._leg, None
        reading, self._reading = self._reading, None
        if reading is not None and reading is not asyncio.current_task():
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        if leg is not None:
            with contextlib.suppress(MediaUnavailable):
                await leg.close()

    async def ring(
        self, ring: Ring, on_ringing: Callable[[], None] | None = None, *, wanted: bool = False
    ) -> tuple[Leg, MediaLeg]:
        await self._stands()
        self._free()
        if on_ringing is not None:
            on_ringing()
        if not wanted:
            try:
                async with asyncio.timeout(ring.ring_timeout_s):
                    accepted = await self.console.offer(ring)
            except TimeoutError as error:
                raise DialFailed(UNAVAILABLE, "no answer in time") from error
            if not accepted:
                raise DialFailed(DECLINED, "declined")
        leg = self._free()
        ring.on_answer()
        self._call = BrowserLeg(self.agent, ring, self._parted)
        return self._call, WarmMedia(leg, self._call)

    async def _stands(self) -> None:
        """A page asks for its first call a moment before its leg is up."""
        if self._state == "connecting":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CONNECTING_S):
                    await self._connected.wait()

    def _free(self) -> MediaLeg:
        """Raises DialFailed where it can take no call."""
        if self._leg is None or self._state != "up":
            raise DialFailed(UNAVAILABLE, "the browser is not connected")
        if self._call is not None:
            raise DialFailed(BUSY, "they talk with somebody")
        return self._leg

    def _parted(self, call: BrowserLeg) -> None:
        if self._call is call:
            self._call = None

    async def _read(self, leg: MediaLeg) -> None:
        async for event in leg.events():
            match event:
                case Connected(state="up"):
                    self._back()
                    self._state = "up"
                    self._connected.set()
                case Connected(state="closed"):
                    self._gone("the page was closed", AWAY_S)
                case Connected(why=why):
                    await self.lost(why or "the connection failed")
                case MediaTimeout(silent_s=silent_s):
                    await self.lost(f"no audio for {silent_s:.0f} s")
                case MediaLost(reason=reason):
                    self._gone(f"media lost: {reason}", RESTARTED_S)
                case _ if self._call is not None:
                    self._call.media.put_nowait(event)

    def _gone(self, why: str, for_s: float) -> None:
        """For the moment: ``connect`` brings it back."""
        self._back()
        self._state = "away"
        self._away = asyncio.get_running_loop().call_later(for_s, self._drop, why)

    def _back(self) -> None:
        if self._away is not None:
            self._away.cancel()
            self._away = None

    def _drop(self, why: str) -> None:
        self._back()
        self._state = "unconnected"
        call, self._call = self._call, None
        log.info("browser.lost", agent=self.agent, why=why, talking=call is not None)
        if call is not None:
            call.end("network", why)


class BrowserLeg:
    """Implements ``ivr.ports.Leg``: one call over a browser's leg. Who hangs it up parts from it, and it stays warm."""

    def __init__(self, agent: str, ring: Ring, on_parted: Callable[[BrowserLeg], None]) -> None:
        self.id = f"leg-{secrets.token_hex(4)}"
        self.sip_call_id = ""
        self.caller = ring.context.caller
        self.called = Party(agent)
        self.headers: Mapping[str, str] = ring.headers
        self.trunk = BROWSER
        self.transport = "websocket"
        self.remote: MediaDescription | None = None
        self.media: asyncio.Queue[MediaEvent] = asyncio.Queue()  # what comes in while they talk
        self._on_parted = on_parted
        self._events: asyncio.Queue[LegEvent] = asyncio.Queue()
        self._ended = False

    def end(self, by: str, reason: str) -> None:
        if not self._ended:
            self._ended = True
            self._events.put_nowait(LegEnded(self.id, by, reason))

    async def hangup(self, reason: str = "", *, lost: bool = False) -> None:
        self.end("service", reason)
        self._on_parted(self)

    async def events(self) -> AsyncIterator[LegEvent]:
        while not (self._ended and self._events.empty()):
            yield await self._events.get()

    async def answers(self) -> bool:
        return not self._ended

    def kept(self) -> None:
        """The page is this process's."""

    def leave(self) -> None:
        self.end("service", "another process has the call")

    def allow_transfers(self, allowed: Callable[[str], bool]) -> None:
        """A browser sends no REFER: its console says what it wants."""

    async def notify(self, status: int, reason: str = "") -> None:
        """Its console shows it."""

    async def ring(self) -> None:
        """It has rung."""

    async def answer(self, local: MediaDescription) -> MediaDescription:
        raise RuntimeError("a browser's call is answered already")

    async def reject(self, status: int, reason: str, *, retry_after_s: int | None = None) -> None:
        raise RuntimeError("a browser's call is answered already: hang up instead")

    async def reinvite(self, local: MediaDescription) -> MediaDescription:
        raise ModificationRefused(501, "a browser makes the offers")

    async def refer(self, target: str, headers: Mapping[str, str]) -> None:
        raise TransferFailed(501, "a browser takes no REFER")


class WarmMedia:
    """Implements ``ivr.ports.MediaLeg`` for one call over ``warm``, which outlives it."""

    def __init__(self, warm: MediaLeg, call: BrowserLeg) -> None:
        self.warm = warm
        self._call = call

    @property
    def local(self) -> MediaDescription:
        return self.warm.local

    async def update(self, remote: MediaDescription) -> MediaDescription:
        return self.warm.local

    async def reopen(self) -> MediaDescription:
        raise MediaUnavailable("a browser's media come back with its next offer")

    async def play(self, clips: Sequence[Clip], *, token: int, stop_on_key: bool = False) -> None:
        await self.warm.play(clips, token=token, stop_on_key=stop_on_key)

    async def stop_playing(self, token: int | None = None) -> None:
        await self.warm.stop_playing(token)

    async def listen(self, on: bool) -> None:
        await self.warm.listen(on)

    async def bridge(self, other: MediaLeg | None) -> None:
        await self.warm.bridge(None if other is None else joinable(other))

    async def hear(self, others: Sequence[MediaLeg]) -> None:
        await self.warm.hear(others)

    async def tap(self, on: bool) -> None:
        await self.warm.tap(on)

    async def press(self, keys: str) -> None:
        await self.warm.press(keys)

    async def whisper(self, clips: Sequence[Clip], *, token: int) -> None:
        await self.warm.whisper(clips, token=token)

    async def reoffer(self, offer: str) -> str:
        return await self.warm.reoffer(offer)

    def kept(self) -> None:
        """Nothing: its page connects anew."""
        return

    async def events(self) -> AsyncIterator[MediaEvent]:
        while True:
            yield await self._call.media.get()

    async def close(self) -> LegStats:
        """The leg is silent, and stays; its counts are told when it is closed."""
        with contextlib.suppress(MediaUnavailable):
            await self.warm.hear([])
            await self.warm.stop_playing()
            await self.warm.listen(False)
            await self.warm.tap(False)
        return LegStats()


def joinable(media: MediaLeg) -> MediaLeg:
    """As the media process knows it: what others hear."""
    return media.warm if isinstance(media, WarmMedia) else media
