"""The softphone by SRTP: it calls and is called, with keys in both SDPs, and hears what is said."""

from __future__ import annotations

import asyncio

import pytest

from ivr.errors import DialFailed
from ivr.softphone.phone import Softphone
from tests.wire.srtp.conftest import OUR_TONE, THEIR_TONE, Desk, strongest, tone

pytestmark = pytest.mark.wire


async def heard(phone: Softphone) -> bytes:
    """The first second that is not silent."""
    pcm = b""
    async for sound in phone.listen():
        if sound.level_db > -30 or pcm:
            pcm += sound.pcm
        if len(pcm) >= 16000:
            break
    return pcm


async def understood(desk: Desk, phone: Softphone, number: int = 0) -> None:
    talk = await desk.talk(number)
    assert abs(strongest(await heard(phone)) - OUR_TONE) <= 5
    await phone.press("42")
    await desk.until(lambda: talk.keys == ["4", "2"])
    talk.tapped = b""
    await phone.say(tone(THEIR_TONE, 2.0))
    await desk.until(lambda: len(talk.tapped) >= 8000)


async def test_it_calls(preferring: Desk) -> None:
    async with Softphone.open(srtp=True) as phone:
        await phone.call(preferring.uri)
        assert (await phone.wait_answered()).srtp == "AES_CM_128_HMAC_SHA1_80"
        await understood(preferring, phone)
        await phone.hangup()
        stats = await preferring.over(preferring.talks[0])
    assert (stats.srtp, stats.packets_refused) == ("AES_CM_128_HMAC_SHA1_80", 0)
    assert stats.packets_lost == 0


async def test_it_is_called(preferring: Desk) -> None:
    async with Softphone.open(srtp=True) as phone:
        await phone.set_incoming("answer")
        await preferring.call(phone.uri)
        assert (await phone.wait_answered()).srtp == "AEAD_AES_256_GCM"
        await understood(preferring, phone)
        await phone.hangup()
        stats = await preferring.over(preferring.talks[0])
    assert (stats.srtp, stats.packets_refused) == ("AEAD_AES_256_GCM", 0)


async def test_it_is_called_in_the_clear(plain: Desk) -> None:
    async with Softphone.open(srtp=True) as phone:
        await phone.set_incoming("answer")
        await plain.call(phone.uri)
        assert (await phone.wait_answered()).srtp == ""
        await understood(plain, phone)
        await phone.hangup()
        assert (await plain.over(plain.talks[0])).srtp == ""


async def test_it_does_not_call_in_the_clear(plain: Desk) -> None:
    async with Softphone.open(srtp=True) as phone:
        await phone.call(plain.uri)
        with pytest.raises(DialFailed, match="488"):
            await phone.wait_answered()


async def test_two_are_joined_one_by_srtp_and_one_without(preferring: Desk) -> None:
    async with Softphone.open(srtp=True) as one, Softphone.open() as two:
        for number, phone in enumerate((one, two)):
            await phone.call(preferring.uri)
            await phone.wait_answered()
            await preferring.talk(number)
        first, second = preferring.talks
        await first.media.stop_playing()
        await second.media.stop_playing()
        await first.media.bridge(second.media)
        for speaker, listener, frequency in ((one, two, THEIR_TONE), (two, one, 900)):
            sound, _ = await asyncio.gather(heard(listener), speaker.say(tone(frequency, 3.0)))
            assert abs(strongest(sound) - frequency) <= 5
        await one.press("8")
        await preferring.until(lambda: first.keys == ["8"])
