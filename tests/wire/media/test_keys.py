"""One press is one digit on the wire, by whatever means it comes."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from ivr.events import Digit, KeyReleased
from ivr.media.process.codec import FRAME, RATE
from ivr.media.process.dtmf_tone import tones
from ivr.media.process.rtp import Packet, build
from ivr.media.wire import KEYS
from tests.wire.media.conftest import Connect, Line

pytestmark = pytest.mark.wire


async def keys_of(line: Line) -> str:
    await line.far.keep_silent(20)  # what was under way has come
    await line.leg.stats()
    return "".join(digit.key for digit in line.log.of(Digit))


@pytest.mark.parametrize("events", [101, None])
@pytest.mark.parametrize("payload_type", [96, 97, 100, 101, 106, 127])
async def test_events_of_a_payload_type_that_nobody_offered(
    connect: Connect, payload_type: int, events: int | None
) -> None:
    line = await connect(events=events)
    for key in "88#":
        line.far.press(KEYS.index(key), payload_type=payload_type)
    assert await keys_of(line) == "88#"


async def test_what_only_looks_like_an_event_is_none(connect: Connect) -> None:
    line = await connect()
    for payload_type, payload in (
        (96, b"\x05\x8a\x03\x20\x00"),
        (96, b"\x05\x8a\x03"),
        (96, b"\x10\x8a\x03\x20"),
        (96, b"\xff\x8a\x03\x20"),
        (72, b"\x05\x8a\x03\x20"),
        (13, b"\x05\x8a\x03\x20"),
        (0, b"\x05\x8a\x03\x20"),
    ):
        line.far.send(payload, payload_type=payload_type)
    assert await keys_of(line) == ""


async def test_events_in_a_stream_of_their_own(connect: Connect) -> None:
    """Gateways give them an SSRC and numbers of their own; the voice goes on meanwhile, and stays what is heard."""
    line = await connect()
    own = 40_000
    for key in "88":
        for index in range(8):
            body = bytes([KEYS.index(key), 0x8A if index > 4 else 0x0A]) + (160 * min(index, 5)).to_bytes(2, "big")
            own += 1
            line.far.raw(build(Packet(101, False, own, line.far.timestamp - FRAME * index, 0xBEEF, body)))
            await line.far.keep_silent(1)
        await line.far.keep_silent(5)
    assert await keys_of(line) == "88"
    assert (await line.leg.stats()).packets_lost == 0


@pytest.mark.parametrize("leak_s", [0.02, 0.06, 0.12, 0.3])
async def test_a_tone_and_the_event_of_one_press_count_once(connect: Connect, leak_s: float) -> None:
    """The tone is heard until the gateway has recognised it, and cuts it out."""
    line = await connect()
    await line.far.keep_silent(5)
    await line.far.talk(tones("8", leak_s))
    line.far.press(KEYS.index("8"))
    await line.far.keep_silent(5)
    line.far.press(KEYS.index("8"))
    assert await keys_of(line) == "88"


async def test_a_tone_with_its_event_beside_it_counts_once(connect: Connect) -> None:
    line = await connect()
    for key in "88":
        start, tone = line.far.timestamp, tones(key, 0.12)
        for index in range(6):
            body = bytes([KEYS.index(key), 0x8A if index == 5 else 0x0A]) + (160 * (index + 1)).to_bytes(2, "big")
            line.far.send(body, payload_type=101, timestamp=start)
            await line.far.talk(tone[index * FRAME : (index + 1) * FRAME])
        await line.far.keep_silent(5)
    assert await keys_of(line) == "88"


async def test_the_same_key_twice_by_tones_with_short_pauses(connect: Connect) -> None:
    line = await connect()
    pause = np.zeros(round(0.045 * RATE), dtype=np.int16)
    dialled = np.concatenate([x for key in "8800" for x in (tones(key, 0.07), pause)])
    await line.far.talk(np.concatenate([dialled, np.zeros(FRAME, dtype=np.int16)]))
    assert await keys_of(line) == "8800"


async def test_a_long_press_is_held_until_it_is_released(connect: Connect) -> None:
    line = await connect()
    start = line.far.timestamp
    for index in range(30):
        line.far.send(bytes([5, 10]) + (160 * (index + 1)).to_bytes(2, "big"), payload_type=101, timestamp=start)
        await asyncio.sleep(0.02)
    assert [d.held for d in await line.log.first(Digit)] == [True]
    assert line.log.of(KeyReleased) == []
    line.far.send(bytes([5, 0x8A]) + (4800).to_bytes(2, "big"), payload_type=101, timestamp=start)
    assert [up.key for up in await line.log.first(KeyReleased)] == ["5"]
    assert len(line.log.of(Digit)) == 1
