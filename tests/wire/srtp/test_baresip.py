"""SRTP with baresip, a stack that shares no code with ours: by SDES and by DTLS, in and out, heard both ways."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from ivr.errors import DialFailed
from ivr.media.clip import LegStats
from ivr.media.description import SrtpPolicy
from ivr.media.engine import ProcessMediaEngine
from ivr.media.process.codec import coder
from tests.wire.baresip import Baresip, baresip
from tests.wire.srtp.conftest import OUR_TONE, THEIR_TONE, Desk, Talk, desk, strongest, tone

pytestmark = pytest.mark.wire

IN_THE_CLEAR = 2  # RTCP packets a call: baresip's first and its BYE, whatever was agreed on


async def understood(at: Desk, talk: Talk, peer: Baresip, key: str = "4") -> None:
    """A key and a second of audio arrive."""
    await peer.press(key)
    await at.until(lambda: key in talk.keys)
    await at.until(lambda: len(talk.tapped) >= 16000)
    assert abs(strongest(coder("PCMU").decode(talk.tapped).astype(np.int16).tobytes()) - THEIR_TONE) <= 5


async def hung_up(at: Desk, talk: Talk, peer: Baresip) -> LegStats:
    """Our tone was heard there, too."""
    await peer.command("hangup")
    stats = await at.over(talk)
    await peer.wait("CALL_CLOSED")
    assert abs(strongest(peer.heard()) - OUR_TONE) <= 5
    assert stats.packets_refused <= IN_THE_CLEAR
    return stats


@pytest.mark.parametrize(
    ("encryption", "suite"),
    [
        ("", ""),
        ("srtp", "AES_CM_128_HMAC_SHA1_80"),
        ("srtp-mand", "AES_CM_128_HMAC_SHA1_80"),
        ("dtls_srtp", "DTLS AEAD_AES_128_GCM"),
    ],
)
async def test_it_calls_in(preferring: Desk, tmp_path: Path, encryption: str, suite: str) -> None:
    async with baresip(tmp_path, pcm=tone(THEIR_TONE), media_encryption=encryption) as peer:
        await peer.command("dial", preferring.uri)
        talk = await preferring.talk()
        await understood(preferring, talk, peer)
        assert (await hung_up(preferring, talk, peer)).srtp == suite


@pytest.mark.parametrize(
    ("encryption", "suite"),
    [("", ""), ("srtp", "AEAD_AES_256_GCM"), ("srtp-mand", "AEAD_AES_256_GCM")],
)
async def test_it_is_called_with_best_effort(
    preferring: Desk, tmp_path: Path, encryption: str, suite: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Who demands SRTP refuses our best effort with 488, and gets an offer of nothing else."""
    async with baresip(tmp_path, pcm=tone(THEIR_TONE), media_encryption=encryption) as peer:
        talk = await preferring.call(peer.uri)
        await understood(preferring, talk, peer)
        assert (await hung_up(preferring, talk, peer)).srtp == suite


@pytest.mark.parametrize(("encryption", "suite"), [("srtp", "AEAD_AES_256_GCM"), ("srtp-mand", "AEAD_AES_256_GCM")])
async def test_it_is_called_with_nothing_else(requiring: Desk, tmp_path: Path, encryption: str, suite: str) -> None:
    async with baresip(tmp_path, pcm=tone(THEIR_TONE), media_encryption=encryption) as peer:
        talk = await requiring.call(peer.uri)
        await understood(requiring, talk, peer)
        assert (await hung_up(requiring, talk, peer)).srtp == suite


async def test_who_has_no_srtp_is_not_called_where_it_is_required(requiring: Desk, tmp_path: Path) -> None:
    async with baresip(tmp_path) as peer:
        with pytest.raises(DialFailed) as failed:
            await requiring.call(peer.uri)
    assert failed.value.status == 488
    assert not requiring.talks


@pytest.mark.parametrize(("srtp", "encryption"), [("off", "srtp-mand"), ("off", "dtls_srtp"), ("require", "")])
async def test_who_cannot_be_met_is_refused(
    engine: ProcessMediaEngine, tmp_path: Path, srtp: SrtpPolicy, encryption: str
) -> None:
    async with desk(engine, srtp) as line, baresip(tmp_path, media_encryption=encryption) as peer:
        await peer.command("dial", line.uri)
        assert "488" in (await peer.wait("CALL_CLOSED"))["param"]
        assert not line.talks


async def test_best_effort_is_answered_in_the_clear_where_srtp_is_off(plain: Desk, tmp_path: Path) -> None:
    async with baresip(tmp_path, pcm=tone(THEIR_TONE), media_encryption="srtp") as peer:
        await peer.command("dial", plain.uri)
        talk = await plain.talk()
        await understood(plain, talk, peer)
        assert (await hung_up(plain, talk, peer)).srtp == ""


@pytest.mark.parametrize("encryption", ["srtp-mand", "dtls_srtp"])
async def test_it_holds_and_goes_on(preferring: Desk, tmp_path: Path, encryption: str) -> None:
    """Its re-INVITEs name the keys that it has."""
    async with baresip(tmp_path, pcm=tone(THEIR_TONE), media_encryption=encryption) as peer:
        await peer.command("dial", preferring.uri)
        talk = await preferring.talk()
        await understood(preferring, talk, peer, "1")
        for _ in range(2):
            await peer.command("hold")
            await preferring.until(lambda: len(talk.changes) % 2 == 1)
            await peer.command("resume")
            await preferring.until(lambda: talk.changes and len(talk.changes) % 2 == 0)
        talk.tapped = b""
        await understood(preferring, talk, peer, "2")
        assert (await hung_up(preferring, talk, peer)).srtp


@pytest.mark.parametrize("second", ["", "srtp-mand", "dtls_srtp"])
@pytest.mark.parametrize("first", ["srtp-mand", "dtls_srtp"])
async def test_two_are_joined(preferring: Desk, tmp_path: Path, first: str, second: str) -> None:
    """What comes in under one key is relayed under another, or in the clear; keys, too."""
    async with (
        baresip(tmp_path / "a", pcm=tone(THEIR_TONE, 30), media_encryption=first) as one,
        baresip(tmp_path / "b", pcm=tone(900, 30), media_encryption=second) as two,
    ):
        talks = []
        for number, peer in enumerate((one, two)):
            await peer.command("dial", preferring.uri)
            talks.append(await preferring.talk(number))
        await talks[0].media.stop_playing()
        await talks[1].media.stop_playing()
        await talks[0].media.bridge(talks[1].media)
        await one.press("5")
        await preferring.until(lambda: "5" in talks[0].keys)
        for talk in talks:
            talk.tapped = b""
        await preferring.until(lambda: all(len(talk.tapped) >= 16000 for talk in talks))
        for talk, peer in zip(talks, (one, two), strict=True):
            await peer.command("hangup")
            await preferring.over(talk)
            await peer.wait("CALL_CLOSED")
        assert abs(strongest(one.heard()) - 900) <= 5
        assert abs(strongest(two.heard()) - THEIR_TONE) <= 5
        assert abs(strongest(coder("PCMU").decode(talks[1].tapped).astype(np.int16).tobytes()) - 900) <= 5
    assert talks[0].stats.srtp
    assert bool(talks[1].stats.srtp) == bool(second)
    assert all(talk.stats.packets_refused <= IN_THE_CLEAR for talk in talks)


@pytest.mark.parametrize("encryption", ["srtp-mand", "dtls_srtp"])
async def test_it_talks_on_when_our_media_process_died(preferring: Desk, tmp_path: Path, encryption: str) -> None:
    async with baresip(tmp_path, pcm=tone(THEIR_TONE, 60), media_encryption=encryption) as peer:
        await peer.command("dial", preferring.uri)
        talk = await preferring.talk()
        await understood(preferring, talk, peer, "1")
        assert preferring.engine.pid is not None
        os.kill(preferring.engine.pid, signal.SIGKILL)
        talk.tapped = b""
        await preferring.until(lambda: len(talk.tapped) >= 8000)
        await understood(preferring, talk, peer, "2")
        assert talk.ended is None
        there = len(peer.heard())
        async with asyncio.timeout(15):
            while len(peer.heard()) < there + 16000:  # noqa: ASYNC110 - its file grows by itself
                await asyncio.sleep(0.2)
        await peer.command("hangup")
        await preferring.over(talk)
