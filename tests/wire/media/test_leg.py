"""One leg over loopback UDP, with the real media process."""

from __future__ import annotations

import asyncio
import itertools
import random
import struct

import numpy as np
import pytest

from ivr.errors import MediaUnavailable
from ivr.events import Audio, Digit, MediaTimeout, PlayDone
from ivr.media.clip import Clip
from ivr.media.description import G722, PCMA, PCMU, Codec, Direction, NoCommonCodec
from ivr.media.engine import ProcessMediaEngine
from ivr.media.process.codec import FRAME, RATE, Samples, clipped
from ivr.media.process.dtmf_tone import tones
from ivr.media.process.rtp import Packet, build
from ivr.media.wire import KEYS
from tests.wire.media.conftest import Connect, Line
from tests.wire.media.far_end import Arrival, FarEnd

pytestmark = pytest.mark.wire


def tone(frequency: float, seconds: float, amplitude: int = 8000) -> Samples:
    return clipped(amplitude * np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE))


def clip(frequency: float, seconds: float, key: str = "") -> Clip:
    return Clip(key or f"tone-{frequency}-{seconds}", tone(frequency, seconds).tobytes())


def loud(line: Line, arrivals: list[Arrival]) -> list[bool]:
    return [int(np.abs(frame).max()) > 1000 for frame in line.far.signal(arrivals)]


def pitch(signal: Samples) -> float:
    spectrum = np.abs(np.fft.rfft(signal * np.hanning(len(signal))))
    return float(np.argmax(spectrum)) * RATE / len(signal)


@pytest.mark.parametrize("codec", [PCMU, PCMA, G722])
async def test_a_clip_arrives_whole_in_a_steady_stream(connect: Connect, codec: Codec) -> None:
    line = await connect(codec)
    await line.far.received(5)  # silence keeps the stream up before anything plays
    await line.leg.play([clip(500, 0.3), clip(900, 0.2)], token=7, gap_ms=100)
    [done] = await line.log.first(PlayDone)
    assert (done.token, done.completed) == (7, True)
    assert done.played_s == pytest.approx(0.5)
    arrivals = list(line.far.arrivals)
    numbers = [a.packet.sequence for a in arrivals]
    stamps = [a.packet.timestamp for a in arrivals]
    assert all((b - a) & 0xFFFF == 1 for a, b in itertools.pairwise(numbers))
    assert all((b - a) & 0xFFFFFFFF == FRAME for a, b in itertools.pairwise(stamps))
    assert {a.packet.ssrc for a in arrivals} == {arrivals[0].packet.ssrc}
    assert [a.packet.marker for a in arrivals] == [True] + [False] * (len(arrivals) - 1)
    heard = loud(line, arrivals)
    first = heard.index(True)
    shape = heard[first : first + 31]
    if codec is not G722:  # whose filters ring a little
        assert shape == [True] * 15 + [False] * 5 + [True] * 10 + [False]
    audio = np.concatenate(line.far.signal(arrivals[first : first + 15]))
    assert pitch(audio) == pytest.approx(500, abs=5)
    await line.leg.play([], token=8)
    assert [d.token for d in await line.log.first(PlayDone, 2)] == [7, 8]


async def test_stop_is_silence_within_a_tick_and_ends_every_token_once(connect: Connect) -> None:
    line = await connect()
    await line.leg.play([clip(500, 5.0)], token=1)
    await line.leg.play([clip(600, 5.0)], token=2)
    await line.far.received(20)
    await line.leg.stop_playing()
    dones = await line.log.first(PlayDone, 2)
    at = len(line.far.arrivals)
    assert [(d.token, d.completed) for d in dones] == [(1, False), (2, False)]
    assert 0.2 < dones[0].played_s < 0.6
    await line.far.received(at + 10)
    assert not any(loud(line, line.far.arrivals[at + 2 :]))
    await line.leg.stop_playing()
    await line.leg.stats()
    assert len(line.log.of(PlayDone)) == 2


async def test_a_key_stops_the_prompt_inside_the_media_process(connect: Connect) -> None:
    line = await connect()
    await line.leg.play([clip(500, 5.0)], token=1, stop_on_key=True)
    await line.leg.play([clip(700, 0.1)], token=2)
    await line.far.received(10)
    line.far.press(KEYS.index("0"))
    await line.log.first(PlayDone, 2)
    seen = [e for e in line.log.all if isinstance(e, Digit | PlayDone)]
    assert [type(e) for e in seen] == [Digit, PlayDone, PlayDone]
    assert isinstance(seen[0], Digit)
    assert (seen[0].key, seen[0].source) == ("0", "rtp")
    assert [e.completed for e in seen if isinstance(e, PlayDone)] == [False, True]


async def test_keys_are_reported_once_each_in_order(connect: Connect) -> None:
    line = await connect(events=97)
    for key in "0#*5D":
        line.far.press(KEYS.index(key), payload_type=97, ends=5)
    digits = await line.log.first(Digit, 5)
    assert "".join(d.key for d in digits) == "0#*5D"
    await line.leg.stats()
    assert len(line.log.of(Digit)) == 5


async def test_tones_are_keys_until_a_real_event_came(connect: Connect) -> None:
    """Whatever was negotiated: many agree on events and send tones."""
    pause = np.zeros(800, dtype=np.int16)
    dialled = np.concatenate([x for key in "1#7" for x in (tones(key, 0.1), pause)])
    without, having, using = await connect(events=None), await connect(), await connect()
    using.far.press(KEYS.index("9"))
    await asyncio.gather(*(line.far.talk(dialled) for line in (without, having, using)))
    for line in (without, having):
        digits = await line.log.first(Digit, 3)
        assert [(d.key, d.source) for d in digits] == [("1", "tone"), ("#", "tone"), ("7", "tone")]
    await using.leg.stats()
    assert [(d.key, d.source) for d in using.log.of(Digit)] == [("9", "rtp")]


async def test_speech_comes_with_pre_roll_and_silence_does_not_come(connect: Connect) -> None:
    line = await connect()
    await line.leg.listen(True)
    await line.far.keep_silent(25)
    assert line.log.of(Audio) == []
    await line.far.talk(tone(440, 0.4))
    await line.far.keep_silent(5)
    frames = await line.log.first(Audio, 36)
    assert all(len(frame.pcm) == 320 for frame in frames)
    times = [frame.at for frame in frames]
    assert times == sorted(times)
    levels = [int(np.abs(np.frombuffer(frame.pcm, np.int16)).max()) for frame in frames]
    onset = next(i for i, level in enumerate(levels) if level > 1000)
    assert 10 <= onset <= 15  # 200 to 300 ms of what was before
    assert sum(level > 1000 for level in levels) in (19, 20, 21)
    await line.leg.listen(False)
    await line.leg.stats()
    count = len(line.log.of(Audio))
    await line.far.talk(tone(440, 0.2))
    await line.leg.stats()
    assert len(line.log.of(Audio)) == count


async def test_loss_is_concealed_and_counted(connect: Connect) -> None:
    line = await connect()
    await line.leg.listen(True)
    voice = tone(250, 1.0)
    for index in range(50):
        if index % 10 == 5:
            line.far.sequence += 1
            line.far.timestamp += FRAME
            await asyncio.sleep(0.02)
        else:
            await line.far.talk(voice[index * FRAME : (index + 1) * FRAME])
    await line.log.first(Audio, 45)
    stats = await line.leg.stats()
    assert stats.packets_lost == 5
    assert stats.packets_received == 45
    late_ms = 40 * stats.packets_late  # of a sender on a busy machine: concealed, too, and the buffer grows
    assert 80 <= stats.concealed_ms <= 220 + late_ms
    heard = [np.frombuffer(a.pcm, np.int16) for a in line.log.of(Audio)]
    speaking = [frame for frame in heard if np.abs(frame).max() > 1000][2:40]
    assert len(speaking) == 38  # no hole where packets were lost


async def test_the_stream_follows_the_callers_real_address(connect: Connect) -> None:
    line = await connect()
    behind_nat = await FarEnd.at_loopback()
    behind_nat.aim(line.leg.local)
    await line.far.received(3)
    await behind_nat.keep_silent(5)
    await behind_nat.received(5)
    count = len(line.far.arrivals)
    await behind_nat.keep_silent(5)
    assert len(line.far.arrivals) <= count + 1
    behind_nat.close()


async def test_strays_do_not_hijack_an_established_stream(connect: Connect) -> None:
    line = await connect()
    stray = await FarEnd.at_loopback()
    stray.aim(line.leg.local)
    stray.ssrc = 77
    await line.far.keep_silent(5)
    await asyncio.gather(line.far.keep_silent(20), stray.talk(tone(800, 0.4)))
    stray.press(KEYS.index("9"))
    stats = await line.leg.stats()
    assert stray.arrivals == []
    assert stats.packets_received == 25
    assert line.log.of(Digit) == []
    stray.close()


async def test_hold_stops_sending_pauses_the_prompt_and_no_timeout_comes(connect: Connect) -> None:
    line = await connect()
    await line.leg.play([clip(500, 0.4)], token=1)
    await line.far.received(5)
    answer = await line.leg.update(line.far.description(direction=Direction.SENDONLY))
    assert answer.direction is Direction.RECVONLY
    assert answer.port == line.leg.local.port
    count = len(line.far.arrivals)
    await asyncio.sleep(0.8)  # longer than the media timeout of 0.5 s; nothing is to happen
    assert len(line.far.arrivals) <= count + 2
    assert line.log.of(MediaTimeout) == []
    assert line.log.of(PlayDone) == []
    before = line.far.arrivals[-1].packet.timestamp
    line.far.forget()
    again = await line.leg.update(line.far.description())
    assert again.direction is Direction.SENDRECV
    [done] = await line.log.first(PlayDone)
    assert done.completed
    [resumed] = await line.far.received(1)
    assert resumed.packet.marker
    assert (resumed.packet.timestamp - before) & 0xFFFFFFFF > 20 * FRAME  # the clock went on


async def test_media_timeout_once_until_the_far_end_is_back(connect: Connect) -> None:
    line = await connect()
    [timeout] = await line.log.first(MediaTimeout)
    assert timeout.leg == "leg-0"
    assert timeout.silent_s > 0.5
    await line.far.keep_silent(2)
    assert len(await line.log.first(MediaTimeout, 2)) == 2


async def test_reanswers_are_stable_and_codecs_change_in_a_call(connect: Connect) -> None:
    line = await connect()
    assert await line.leg.update(line.far.description()) == line.leg.local
    both = line.far.description(codecs=(PCMA, G722))
    answer = await line.leg.update(both)
    assert answer.codecs == (PCMA,)
    line.far.forget()
    arrivals = await line.far.received(5)
    assert arrivals[-1].packet.payload_type == PCMA.payload_type
    with pytest.raises(NoCommonCodec):
        await line.leg.update(line.far.description(codecs=(Codec("opus", 111),)))
    assert (await line.leg.stats()).codec == "PCMA"


async def test_an_offer_of_ours_and_its_answer(engine: ProcessMediaEngine) -> None:
    leg = await engine.open("outbound", None)
    assert [codec.name for codec in leg.local.codecs] == ["PCMU", "PCMA", "G722"]
    assert leg.local.port % 2 == 0
    far = await FarEnd.at_loopback(PCMA)
    await leg.update(far.description())
    arrivals = await far.received(3)
    assert arrivals[0].packet.payload_type == PCMA.payload_type
    await leg.close()
    far.close()


async def test_keys_are_sent_as_events_or_as_tones(connect: Connect) -> None:
    taking, without = await connect(), await connect(events=None)
    await taking.leg.press("12")
    await without.leg.press("5")
    await taking.far.received(40)
    await without.far.received(25)
    events = [a.packet for a in taking.far.arrivals if a.packet.payload_type == 101]
    assert [e.payload[0] for e in events if e.marker] == [1, 2]
    assert sum(bool(e.payload[1] & 0x80) for e in events) == 6
    audio = np.concatenate(without.far.signal(without.far.arrivals))
    dialled = audio[np.abs(audio) > 0]
    assert pitch(dialled[: 5 * FRAME]) in (pytest.approx(770, abs=12), pytest.approx(1336, abs=12))


async def test_ten_thousand_random_packets_disturb_nobody(connect: Connect) -> None:
    victim, quiet = await connect(), await connect()
    await victim.far.keep_silent(5)
    await quiet.far.keep_silent(5)
    await quiet.leg.play([clip(500, 3.0)], token=1)
    attacker = await FarEnd.at_loopback()
    attacker.aim(victim.leg.local)
    rng = random.Random(11)
    quiet.far.forget()
    for batch in range(100):
        for _ in range(100):
            size = rng.choice((0, 1, 11, 12, 13, 172, 500))
            data = bytearray(rng.randbytes(size))
            if size >= 12 and rng.random() < 0.7:
                struct.pack_into(
                    "!BB", data, 0, 0x80 | rng.choice((0, 0, 0x1F, 0x10, 0x20)), rng.choice((0, 101, 0x80))
                )
            source = attacker if batch % 2 else victim.far
            source.raw(bytes(data))
        await asyncio.sleep(0.01)
    await quiet.log.first(PlayDone)
    arrivals = list(quiet.far.arrivals)
    numbers = [a.packet.sequence for a in arrivals]
    assert all((b - a) & 0xFFFF == 1 for a, b in itertools.pairwise(numbers))
    assert sum(loud(quiet, arrivals)) >= 148
    assert attacker.arrivals == []
    await victim.leg.listen(True)  # and the victim itself still hears its far end
    victim.far.ssrc = 4321
    await victim.far.talk(tone(440, 0.4))
    assert len(await victim.log.first(Audio, 10)) == 10
    attacker.close()


async def test_empty_and_far_packets_of_the_stream_itself_cost_nothing(connect: Connect) -> None:
    line = await connect()
    await line.leg.listen(True)
    await line.far.keep_silent(10)
    for _ in range(200):
        line.far.send(b"", timestamp=0xFFFFFFF0)
        line.far.send(b"\x55", timestamp=random.getrandbits(32))
    await line.far.talk(tone(440, 0.6))
    frames = await line.log.first(Audio, 20)
    assert frames


async def test_rtcp_tells_the_round_trip(engine: ProcessMediaEngine, connect: Connect) -> None:
    from ivr.media.process import rtcp

    loop = asyncio.get_running_loop()
    reports: asyncio.Queue[rtcp.Report] = asyncio.Queue()

    class Peer(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            for report in rtcp.parse(data):
                reports.put_nowait(report)

    transport: asyncio.DatagramTransport | None = None
    while transport is None:
        line = await connect()
        try:
            transport, _ = await loop.create_datagram_endpoint(Peer, local_addr=("127.0.0.1", line.far.port + 1))
        except OSError:
            continue  # somebody else's port; the next far end has another
    await line.far.keep_silent(3)
    async with asyncio.timeout(30):
        report = await reports.get()
    assert report.ntp
    assert report.packets > 0
    assert report.blocks[0].ssrc == line.far.ssrc
    block = rtcp.ReportBlock(report.ssrc, 0, 0, 0, 0, rtcp.middle(report.ntp), 0)
    answer = rtcp.build(rtcp.Report(line.far.ssrc, 0, 0, 0, (block,)), 0, "far@test")
    transport.sendto(answer, (line.leg.local.host, line.leg.local.port + 1))
    async with asyncio.timeout(30):
        while (trip := (await line.leg.stats()).round_trip_ms) is None:
            pass  # every question goes to the process and back
    assert 0 <= trip < 1000
    transport.close()


async def test_ports_are_bound_and_run_out_honestly() -> None:
    probe = await FarEnd.at_loopback()
    low = probe.port & ~1  # a range that one of our own sockets already sits in
    small = ProcessMediaEngine("127.0.0.1", (low, low + 3))
    await small.start()
    free: list[int] = []
    with pytest.raises(MediaUnavailable, match="no free RTP port"):
        for index in range(3):
            free.append((await small.open(f"leg-{index}", None)).local.port)  # noqa: PERF401
    assert probe.port & ~1 not in free
    assert len(free) <= 1
    await small.stop()
    probe.close()


async def test_far_end_codec_by_dynamic_payload_type(engine: ProcessMediaEngine) -> None:
    dynamic = Codec("PCMA", 112)
    far = await FarEnd.at_loopback(dynamic)
    leg = await engine.open("dynamic", far.description(events=None))
    far.aim(leg.local)
    assert leg.local.codecs == (dynamic,)
    assert leg.local.dtmf_payload_type is None
    await far.keep_silent(3)
    arrivals = await far.received(3)
    assert arrivals[0].packet.payload_type == 112
    far.raw(build(Packet(0, False, 1, 1, 1, b"\xff" * 160)))  # PCMU was not agreed on
    stats = await leg.close()
    assert stats.packets_received == 3
    far.close()
