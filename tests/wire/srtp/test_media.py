"""SRTP in the media process: strangers and floods, another key and another address, its death, what makes no sense."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace

import pytest

from ivr.errors import MediaUnavailable
from ivr.events import Digit, MediaLost
from ivr.media import wire
from ivr.media.clip import Clip
from ivr.media.description import SUITES, Crypto, Dtls, Keying, Resumption, Sdes
from ivr.media.engine import ProcessMediaEngine
from ivr.media.leg import ProcessMediaLeg
from ivr.media.process.rtp import Packet, build
from ivr.media.process.srtp import Srtp
from ivr.media.wire import Kind
from tests.wire.media.conftest import Log
from tests.wire.media.far_end import FarEnd
from tests.wire.srtp.conftest import tone
from tests.wire.srtp.far_end import SealedFarEnd

pytestmark = pytest.mark.wire

ZEROS = Crypto(1, "AEAD_AES_256_GCM", "A" * 59 + "=")
OTHERS = Sdes(ZEROS, ZEROS)


@pytest.mark.parametrize("suite", SUITES)
async def test_a_key_and_audio_by_every_suite(engine: ProcessMediaEngine, suite: str) -> None:
    far = await SealedFarEnd.sealed(suite)
    leg = await engine.open("leg", far.offered())
    log = Log(leg)
    far.aim(leg.local)
    assert leg.local.secure == far.keys
    await leg.play([Clip("", tone(700, 1.0))], token=1)
    far.press(5)
    assert [digit.key for digit in await log.first(Digit)] == ["5"]
    await far.received(20)
    stats = await leg.close()
    assert (stats.srtp, stats.packets_refused) == (suite, 0)
    far.close()


async def test_a_flood_of_forged_packets_is_counted_and_hurts_nobody(engine: ProcessMediaEngine) -> None:
    far, stranger = await SealedFarEnd.sealed(), await FarEnd.at_loopback(host="127.0.0.2")
    leg = await engine.open("leg", far.offered())
    log = Log(leg)
    far.aim(leg.local)
    stranger.aim(leg.local)

    async def flood() -> None:
        for number in range(60):
            for _ in range(20):  # no more than a socket holds while a busy machine looks elsewhere
                stranger.raw(build(Packet(0, False, number, number * 160, far.ssrc, os.urandom(170))))
                far.forge(build(Packet(101, True, far.sequence + 1, 7, far.ssrc, bytes([9, 10, 0, 160]) + bytes(10))))
            await asyncio.sleep(0.02)

    await asyncio.gather(flood(), far.keep_silent(60))
    far.press(3)
    assert [digit.key for digit in await log.first(Digit)] == ["3"]
    await leg.play([Clip("", tone(700, 0.4))], token=1)
    far.forget()
    await far.received(10)
    stranger_heard = len(stranger.arrivals)
    stats = await leg.close()
    assert [digit.key for digit in log.of(Digit)] == ["3"]
    assert stats.packets_refused > 1000
    assert stats.packets_lost == 0
    assert stats.packets_received == 66
    assert stranger_heard == 0
    far.close()
    stranger.close()


async def test_who_has_the_key_is_followed_at_once(engine: ProcessMediaEngine) -> None:
    """From another address, as behind a NAT that forgot; the stranger there before was not."""
    far = await SealedFarEnd.sealed()
    leg = await engine.open("leg", far.offered())
    far.aim(leg.local)
    await far.keep_silent(5)
    moved = await SealedFarEnd.sealed(host="127.0.0.3")
    moved.srtp, moved.ssrc, moved.sequence, moved.timestamp = far.srtp, far.ssrc, far.sequence, far.timestamp
    moved.aim(leg.local)
    await moved.keep_silent(1)
    await moved.received(3)
    assert (await leg.close()).packets_received == 6
    far.close()
    moved.close()


async def test_another_key_counts_at_once(engine: ProcessMediaEngine) -> None:
    far, later = await SealedFarEnd.sealed(), await SealedFarEnd.sealed("AEAD_AES_256_GCM")
    leg = await engine.open("leg", far.offered())
    log = Log(leg)
    far.aim(leg.local)
    later.aim(leg.local)
    await far.keep_silent(3)
    await leg.update(later.offered())
    later.press(7)
    assert [digit.key for digit in await log.first(Digit)] == ["7"]
    stats = await leg.close()
    assert (stats.srtp, stats.packets_refused) == ("AEAD_AES_256_GCM", 0)
    far.close()
    later.close()


async def test_what_was_encrypted_in_part_is_told_so(engine: ProcessMediaEngine) -> None:
    far = await SealedFarEnd.sealed()
    far.sealing = False
    leg = await engine.open("leg", replace(far.offered(), secure=None))
    log = Log(leg)
    far.aim(leg.local)
    far.press(1)
    await log.first(Digit)
    await leg.update(far.offered())
    far.sealing = True
    far.press(2)
    await log.first(Digit, 2)
    assert (await leg.close()).srtp == "in part"
    far.close()


async def test_early_packets_are_not_heard_and_the_call_goes_on(engine: ProcessMediaEngine) -> None:
    """We offered: until the answer names their key, nobody knows what comes."""
    far = await SealedFarEnd.sealed()
    leg = await engine.open("leg", None)
    log = Log(leg)
    far.aim(leg.local)
    far.press(1)
    await far.keep_silent(3)
    await leg.update(far.offered())
    far.press(2)
    assert [digit.key for digit in await log.first(Digit)] == ["2"]
    await leg.close()
    assert len(log.of(Digit)) == 1
    far.close()


@pytest.mark.parametrize("hours", [0, 1, 30])
async def test_a_call_outlives_the_media_process(engine: ProcessMediaEngine, hours: int) -> None:
    """Its numbers may have begun anew many times by then, which the next process finds out."""
    far = await SealedFarEnd.sealed("AEAD_AES_256_GCM")
    leg = await engine.open("leg", far.offered())
    log = Log(leg)
    far.aim(leg.local)
    await far.keep_silent(3)
    far.run_ahead(hours * 3600 * 50)
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    await log.first(MediaLost)
    far.aim(await leg.reopen())
    assert leg.local.secure == far.keys
    far.press(6)
    assert [digit.key for digit in await log.first(Digit)] == ["6"]
    await leg.play([Clip("", tone(700, 0.2))], token=1)
    far.forget()
    await far.received(3)
    await leg.close()
    far.close()


@pytest.mark.parametrize("noted", [3, 2])
async def test_another_line_goes_on_over_the_turn_of_the_numbers(engine: ProcessMediaEngine, noted: int) -> None:
    """It is told where the stream was, and sends as somebody else by the same key: no number is ever sealed twice."""
    far = await SealedFarEnd.sealed("AEAD_AES_256_GCM")
    far.sequence = 0
    far.run_ahead(260_000)  # three turns and 63,392
    far.sequence = 65_530
    before = ProcessMediaLeg(engine, 1, "before", far.offered(), resumed=Resumption(stream=(far.ssrc, noted)))
    kept = before.kept()
    assert kept is not None and far.keys.ours.key not in repr(kept)
    leg = await engine.open("leg", replace(far.offered(), secure=OTHERS), kept=kept)
    assert leg.local.secure == far.keys, "not what its SDP says, where zeros stand for keys"
    log = Log(leg)
    far.aim(leg.local)
    stranger = Srtp("AEAD_AES_256_GCM", bytes(44), bytes(44))
    for number in range(20):
        far.forge(stranger.seal(build(Packet(0, False, number, 0, far.ssrc, b"x" * 160))))
    await far.keep_silent(12)
    far.press(6)
    assert [digit.key for digit in await log.first(Digit)] == ["6"]
    await leg.play([Clip("", tone(700, 0.2))], token=1)
    far.forget()
    (packet, *_) = await far.received(3)
    assert packet.packet.ssrc & 0xFF == 1, "the second process by that key"
    assert (await leg.close()).packets_received >= 12
    far.close()


async def test_what_another_line_would_need_is_kept_from_the_first_report_on(engine: ProcessMediaEngine) -> None:
    far = await SealedFarEnd.sealed()
    leg = await engine.open("leg", far.offered())
    far.aim(leg.local)
    async with asyncio.timeout(20):
        while (kept := leg.kept()) is None or kept.value["resumed"]["stream"] is None:
            await far.keep_silent(5)
    assert kept.value["resumed"] == {"processes": 0, "dtls": None, "stream": (far.ssrc, 0), "address": None}
    assert kept.value["secure"] == wire.keying(far.keys)
    await leg.close()
    far.close()


async def test_what_makes_no_sense_costs_its_leg_alone(engine: ProcessMediaEngine) -> None:
    far = await SealedFarEnd.sealed()
    leg = await engine.open("leg", far.offered())
    log = Log(leg)
    far.aim(leg.local)
    pid = engine.pid
    key = far.keys.ours.key
    bad: list[Keying] = [
        Sdes(Crypto(1, "AEAD_AES_256_GCM", key), Crypto(1, "AEAD_AES_256_GCM", key)),
        Sdes(Crypto(1, "NEW", key), Crypto(1, "NEW", key)),
        Sdes(Crypto(1, "AES_CM_128_HMAC_SHA1_80", "*"), Crypto(1, "AES_CM_128_HMAC_SHA1_80", "*")),
        Dtls("", "actpass", algorithm="md5"),
    ]
    for secure in bad:
        with pytest.raises(MediaUnavailable):
            await engine.open("other", replace(far.offered(), secure=secure))
    with pytest.raises(MediaUnavailable):
        described = wire.described(far.offered()) | {"secure": ["Dtls", {"x": 1}]}
        await engine.request(Kind.OPEN, 99, [described, True, 0, wire.resumption(Resumption())])
    far.press(4)
    assert [digit.key for digit in await log.first(Digit)] == ["4"]
    assert engine.pid == pid and engine.healthy()
    await leg.close()
    far.close()
