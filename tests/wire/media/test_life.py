"""What counts as a sign of life: any packet of the far end, voice or not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from ivr.events import MediaTimeout
from ivr.media.process import rtcp
from ivr.media.process.codec import FRAME
from tests.wire.media.conftest import Connect
from tests.wire.media.far_end import FarEnd

pytestmark = pytest.mark.wire


def comfort_noise(far: FarEnd) -> None:
    far.send(b"\x46", payload_type=13)


def old_comfort_noise(far: FarEnd) -> None:
    far.send(b"\x46\x01\x02", payload_type=19)


def unknown_payload_type(far: FarEnd) -> None:
    far.send(b"", payload_type=126)


def nothing_at_all(far: FarEnd) -> None:
    far.empty()


def stun_indication(far: FarEnd) -> None:
    far.raw(b"\x00\x11\x00\x00\x21\x12\xa4\x42" + bytes(12))


def receiver_report(far: FarEnd) -> None:
    host, port = far.target
    far.target = (host, port + 1)
    far.raw(rtcp.build(rtcp.Report(far.ssrc, 0, 0, 0, ()), 0, "muted@test"))
    far.target = (host, port)


def rtcp_on_the_rtp_port(far: FarEnd) -> None:
    far.raw(rtcp.build(rtcp.Report(far.ssrc, 0, 0, 0, ()), 0, "muted@test"))


@pytest.mark.parametrize("spoken_before", [False, True])
@pytest.mark.parametrize(
    "sign",
    [
        comfort_noise,
        old_comfort_noise,
        unknown_payload_type,
        nothing_at_all,
        stun_indication,
        receiver_report,
        rtcp_on_the_rtp_port,
    ],
)
async def test_a_far_end_that_only_gives_a_sign_of_life_is_there(
    connect: Connect, sign: Callable[[FarEnd], None], spoken_before: bool
) -> None:
    line = await connect()
    if spoken_before:
        await line.far.keep_silent(5)
    for _ in range(6):
        sign(line.far)
        await asyncio.sleep(0.2)  # six times make 1.2 s, and the time-out is 0.5 s
    assert line.log.of(MediaTimeout) == []
    assert (await line.log.first(MediaTimeout))[0].silent_s > 0.5, "no life at all still ends it"


async def test_comfort_noise_between_words_is_no_loss(connect: Connect) -> None:
    line = await connect()
    for _ in range(3):
        await line.far.keep_silent(10)
        for _ in range(3):
            line.far.send(b"\x46", payload_type=13)
            line.far.timestamp += 4 * FRAME
            await asyncio.sleep(0.1)
    await line.far.keep_silent(10)
    stats = await line.leg.stats()
    assert (stats.packets_received, stats.packets_lost) == (49, 0)
