"""Signalling and RTP together: what telephones write into their SDP, and where their packets come from then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
import pytest

from ivr.events import Audio, Digit
from ivr.media.description import PCMU, Codec, MediaDescription
from ivr.media.engine import ProcessMediaEngine
from ivr.media.leg import ProcessMediaLeg
from ivr.media.process.codec import RATE, clipped
from ivr.media.wire import KEYS
from ivr.ports import Leg, MediaChanged
from ivr.sip.message import SipResponse
from ivr.sip.sdp import parse
from tests.unit.sip.messages import OFFER, request, unique
from tests.wire.media.conftest import Log
from tests.wire.media.far_end import FarEnd
from tests.wire.sip.bare import BarePeer, bare_peer
from tests.wire.sip.conftest import Start

pytestmark = pytest.mark.wire

KNOWN = ("PCMU", "PCMA", "G722")
VOICE = clipped(8000 * np.sin(2 * np.pi * 440 * np.arange(RATE // 2) / RATE))


def offer(far: FarEnd, *changes: tuple[str, str]) -> str:
    """The offer of a telephone that takes PCMU at ``far``, changed."""
    text = OFFER.replace("192.0.2.9", "127.0.0.1").replace("40000", str(far.port)).replace(" 8 0 101", " 0 101")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


@dataclass(slots=True)
class Call:
    """One call of a bare peer, and the media that the line opened for it."""

    peer: BarePeer
    call_id: str
    answer: SipResponse
    media: ProcessMediaLeg
    log: Log

    @property
    def local(self) -> MediaDescription:
        return parse(self.answer.text, KNOWN).audio

    async def again(self, text: str) -> SipResponse:
        """A re-INVITE, acknowledged; its answer."""
        shared = {"call_id": self.call_id, "to_tag": self.answer.to.tag, "host": self.peer.host}
        self.peer.send(request("INVITE", number=2, body=text, **shared))
        answer = await self.peer.final()
        self.peer.send(request("ACK", number=2, **shared))
        return answer


class Exchange:
    """A user agent with the real media process behind it, answering every call."""

    def __init__(self, line: Start, engine: ProcessMediaEngine) -> None:
        self._line = line
        self._engine = engine
        self._answered: asyncio.Queue[ProcessMediaLeg] = asyncio.Queue()

    async def _answering(self, leg: Leg) -> None:
        media = await self._engine.open(leg.id, leg.remote)
        await media.update(await leg.answer(media.local))
        await media.listen(True)
        self._answered.put_nowait(media)

    @asynccontextmanager
    async def call(self, text: str, extra: str = "") -> AsyncIterator[Call]:
        up = await self._line(self._answering)
        call_id = unique("media")
        async with bare_peer(up.agent.address) as peer:
            peer.send(request("INVITE", call_id=call_id, body=text, host=peer.host, extra=extra))
            answer = await peer.final()
            peer.send(request("ACK", call_id=call_id, to_tag=answer.to.tag, host=peer.host))
            assert answer.status_code == 200, answer.headers.first("warning")
            async with asyncio.timeout(30):
                media = await self._answered.get()
            leg = up.legs[0]
            following = asyncio.create_task(self._follow(up.events.setdefault(leg.id, []), media, up.changed))
            log = Log(media)
            try:
                yield Call(peer, call_id, answer, media, log)
            finally:
                following.cancel()
                await leg.hangup()
                await media.close()
                await log.ended()

    async def _follow(self, events: Sequence[object], media: ProcessMediaLeg, changed: asyncio.Condition) -> None:
        """Aim the media anew whenever the far end says so, as a participant of a call does."""
        seen: list[object] = []
        while True:
            async with changed:
                await changed.wait_for(lambda: len(events) > len(seen))
            for event in events[len(seen) :]:
                seen.append(event)
                if isinstance(event, MediaChanged):
                    await media.update(event.remote)


@pytest.fixture
async def exchange(line: Start) -> AsyncIterator[Exchange]:
    engine = ProcessMediaEngine("127.0.0.1", (30000, 39999), timeout_s=5)
    await engine.start()
    yield Exchange(line, engine)
    await engine.stop()


@pytest.fixture
async def far() -> AsyncIterator[FarEnd]:
    end = await FarEnd.at_loopback()
    yield end
    end.close()


async def talks(call: Call, far: FarEnd) -> None:
    """Heard, understood and answered."""
    far.aim(call.local)
    far.forget()
    before = len(call.log.of(Digit))
    await far.talk(VOICE)
    far.press(KEYS.index("5"))
    await far.keep_silent(5)
    assert [digit.key for digit in await call.log.first(Digit, before + 1)][-1] == "5"
    frames = [np.frombuffer(audio.pcm, np.int16) for audio in await call.log.first(Audio, 15)]
    assert sum(int(np.abs(frame).max()) > 4000 for frame in frames) > 5
    await far.received(10)


@pytest.mark.parametrize(
    "changes",
    [
        [("RTP/AVP", "RTP/AVPF")],
        [("RTP/AVP", "RTP/AVPF"), ("a=sendrecv", "a=rtcp-fb:* nack\na=rtcp-mux\na=sendrecv")],
        [(" RTP/AVP", "/1 RTP/AVP")],
        [(" RTP/AVP", "/2 RTP/AVP")],
        [("IP4 127.0.0.1", "IP4 localhost")],
        [("m=audio", "m=audio 0 RTP/AVP 0\nm=video 9 RTP/AVP 96\nm=audio")],
        [("t=0 0", "b=X-YZ:12.5\nt=0 0\na=what:ever"), ("a=sendrecv", "a=silenceSupp:off - - - -\na=sendrecv")],
        [("a=rtpmap:101 telephone-event/8000\n", "")],
        [("a=sendrecv", "a=ptime:30\na=maxptime:150")],
    ],
)
async def test_offers_of_real_telephones_are_answered_and_work(
    exchange: Exchange, far: FarEnd, changes: list[tuple[str, str]]
) -> None:
    async with exchange.call(offer(far, *changes)) as call:
        proto = "RTP/AVPF" if any("AVPF" in new for _, new in changes) else "RTP/AVP"
        assert f"m=audio {call.local.port} {proto} 0" in call.answer.text
        await talks(call, far)


@pytest.mark.parametrize(
    ("codec", "step", "frames"),
    [(PCMU, 320, 1), (PCMU, 640, 2), (Codec("G722", 9), 320, 1), (PCMU, 0, 1), (PCMU, 160, 1), (PCMU, 480, 3)],
)
async def test_voices_with_other_clocks_and_packets_are_heard_whole(
    exchange: Exchange, codec: Codec, step: int, frames: int
) -> None:
    """``frames`` of 20 ms a packet, with timestamps ``step`` apart: what a recogniser gets has no hole. A busy machine
    may hold up who speaks: one try of a few is whole."""
    for _ in range(5):
        loud, crossings = await heard(exchange, codec, step, frames)
        if sum(loud) >= len(loud) - 2 and crossings == pytest.approx(16, abs=1):
            return
    raise AssertionError(f"heard in {sum(loud)} of {len(loud)} frames, with {crossings} crossings of zero in each")


async def heard(exchange: Exchange, codec: Codec, step: int, frames: int) -> tuple[list[bool], float]:
    """Of a tone of 400 Hz: whether each frame is loud, once that has settled; crossings of zero in a frame."""
    far = await FarEnd.at_loopback(codec)
    wave = clipped(8000 * np.sin(2 * np.pi * 400 * np.arange(2 * RATE) / RATE))
    async with exchange.call(offer(far, (" 0 101", f" {codec.payload_type} 101"))) as call:
        far.aim(call.local)
        far.step = step
        size, loop = frames * 160, asyncio.get_running_loop()
        start = loop.time()
        for index in range(len(wave) // size):
            far.send(far.coder.encode(wave[index * size : (index + 1) * size]))
            await asyncio.sleep(max(0.0, start + (index + 1) * size / RATE - loop.time()))
        heard = [np.frombuffer(a.pcm, np.int16) for a in await call.log.first(Audio, 80)]
        loud = [int(np.abs(frame).max()) > 4000 for frame in heard]
        settled = loud[loud.index(True) + 12 : 75]
        crossings = [int(np.sum(np.diff(np.signbit(frame).astype(np.int8)) != 0)) for frame in heard[30:75]]
    far.close()
    return settled, float(np.median(crossings))


async def test_behind_nat_the_voice_comes_from_where_the_sip_came_from(exchange: Exchange, far: FarEnd) -> None:
    stranger = await FarEnd.at_loopback(host="127.0.0.2")
    async with exchange.call(offer(far, ("IP4 127.0.0.1", "IP4 10.255.255.1"))) as call:
        stranger.aim(call.local)
        await stranger.talk(VOICE)
        stranger.press(KEYS.index("0"))
        await stranger.keep_silent(3)
        assert (await call.media.stats()).packets_received == 0
        await talks(call, far)
        assert stranger.arrivals == []
    stranger.close()


async def test_behind_nat_and_a_proxy_the_voice_comes_from_the_host_that_the_proxy_saw(exchange: Exchange) -> None:
    far, stranger = await FarEnd.at_loopback(host="127.0.0.3"), await FarEnd.at_loopback(host="127.0.0.2")
    hidden = "Via: SIP/2.0/UDP 10.255.255.1:5060;branch=z9hG4bKfirst;rport=5062;received=127.0.0.3\n"
    text = offer(far, ("IP4 127.0.0.1", "IP4 10.255.255.1"))
    async with exchange.call(text, hidden) as call:
        stranger.aim(call.local)
        await stranger.talk(VOICE)
        assert (await call.media.stats()).packets_received == 0
        await talks(call, far)
        assert stranger.arrivals == []
    for each in (far, stranger):
        each.close()


async def test_a_host_name_that_leads_nowhere_waits_for_the_voice(exchange: Exchange, far: FarEnd) -> None:
    async with exchange.call(offer(far, ("IP4 127.0.0.1", "IP4 nowhere.invalid"))) as call:
        await talks(call, far)


@pytest.mark.parametrize("host", ["127.0.0.2", "localhost"])
async def test_a_reinvite_moves_the_call_to_another_telephone(exchange: Exchange, far: FarEnd, host: str) -> None:
    other = await FarEnd.at_loopback(host="127.0.0.2" if host == "127.0.0.2" else "127.0.0.1")
    async with exchange.call(offer(far)) as call:
        await talks(call, far)
        answer = await call.again(offer(other, ("IP4 127.0.0.1", f"IP4 {host}")))
        assert answer.status_code == 200
        await other.received(5)
        count = len(far.arrivals)
        await asyncio.gather(talks(call, other), far.keep_silent(10))
        assert len(far.arrivals) <= count + 2
    other.close()


async def test_a_call_that_cannot_be_told_where_to_send_is_refused(line: Start, far: FarEnd) -> None:
    up = await line()
    async with bare_peer(up.agent.address) as peer:
        for old, new in (("IP4 127.0.0.1", "IP4 300.0.0.1"), ("IP4 127.0.0.1", "IP4 _"), ("RTP/AVP", "RTP/SAVPF")):
            peer.send(request("INVITE", body=offer(far, (old, new)), host=peer.host))
            refused = await peer.final()
            assert refused.status_code == 488
            assert refused.headers.first("warning").startswith("399 ivr ")
    assert up.legs == []
