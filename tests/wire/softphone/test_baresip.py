"""The softphone and baresip, two stacks that share no code, call each other."""

from pathlib import Path

import numpy as np
import pytest

from ivr.softphone.phone import Softphone
from ivr.softphone.timing import KeyPress
from tests.wire.baresip import baresip

pytestmark = pytest.mark.wire


async def pressed(phone: Softphone, count: int) -> list[str]:
    keys: list[str] = []
    async for event in phone.events():
        if isinstance(event, KeyPress):
            keys.append(event.key)
        if len(keys) == count:
            break
    return keys


async def test_the_softphone_calls_baresip(tmp_path: Path) -> None:
    tone = (8000 * np.sin(2 * np.pi * 500 * np.arange(80000) / 8000)).astype("<i2").tobytes()
    async with baresip(tmp_path, pcm=tone) as peer, Softphone.open() as phone:
        await phone.call(peer.uri, from_number="5035550100")
        await phone.wait_answered(10)
        assert "5035550100" in (await peer.wait("CALL_ESTABLISHED"))["peeruri"]
        async for sound in phone.listen():
            if sound.level_db > -20:
                spectrum = np.abs(np.fft.rfft(np.frombuffer(sound.pcm, dtype="<i2")))
                assert int(spectrum.argmax()) * 50 == 500
                break
        await peer.press("4*")
        assert await pressed(phone, 2) == ["4", "*"]
        await phone.hangup()
        await peer.wait("CALL_CLOSED")


async def test_baresip_calls_the_softphone_and_hangs_up(tmp_path: Path) -> None:
    async with baresip(tmp_path) as peer, Softphone.open() as phone:
        await phone.set_incoming("answer")
        await peer.command("dial", phone.uri)
        assert (await phone.wait_incoming(10)).caller == "peer"
        await phone.wait_answered(10)
        await peer.wait("CALL_ESTABLISHED")
        await peer.press("7")
        assert await pressed(phone, 1) == ["7"]
        await peer.command("hangup")
        assert (await phone.wait_ended(10)).by == "remote"


async def test_a_busy_softphone_is_told_to_baresip(tmp_path: Path) -> None:
    async with baresip(tmp_path) as peer, Softphone.open() as phone:
        await peer.command("dial", phone.uri)
        assert "486" in (await peer.wait("CALL_CLOSED"))["param"]
        await phone.wait_message("in", "ACK ", 5)
