"""One softphone calls another: two processes, real SIP and RTP over loopback."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from ivr.errors import DialFailed, TelephonyError, UnavailableError
from ivr.softphone.events import CallOver, Incoming
from ivr.softphone.phone import Softphone
from ivr.softphone.prompt_detection import PromptDetector
from ivr.softphone.script import Caller, TranscriptLine, add_arguments, run_call
from ivr.softphone.timing import KeyPress, key_silences, responses
from ivr.softphone.trace import RtpPacket
from ivr.softphone.voices import CallerVoice

pytestmark = pytest.mark.wire


def tone(seconds: float, hz: float = 440.0) -> bytes:
    return (8000 * np.sin(2 * np.pi * hz * np.arange(int(8000 * seconds)) / 8000)).astype("<i2").tobytes()


@pytest.fixture
async def caller() -> AsyncIterator[Softphone]:
    async with Softphone.open() as phone:
        yield phone


@pytest.fixture
async def agent() -> AsyncIterator[Softphone]:
    async with Softphone.open() as phone:
        await phone.set_incoming("answer")
        yield phone


async def connected(caller: Softphone, agent: Softphone) -> None:
    await caller.call(agent.uri, from_number="5035550100")
    await caller.wait_answered(30)
    await agent.wait_answered(30)


async def test_audio_arrives_unharmed_and_the_recordings_agree(
    caller: Softphone, agent: Softphone, tmp_path: Path
) -> None:
    await connected(caller, agent)
    await asyncio.gather(caller.say(tone(0.6, 440)), agent.say(tone(0.6, 700)))
    await caller.hangup()
    await asyncio.gather(caller.wait_ended(30), agent.wait_ended(30))
    mine, theirs = caller.trace.stereo().astype(float), agent.trace.stereo().astype(float)
    shift = round((agent.trace.started_at - caller.trace.started_at) * 8000)
    for side, hz in ((0, 440), (1, 700)):
        here = np.flatnonzero(np.abs(mine[:, side]) > 4000)
        there = np.flatnonzero(np.abs(theirs[:, 1 - side]) > 4000)
        assert abs(int(here[0]) - (int(there[0]) + shift)) <= 400  # one clock: the same sound at the same time
        heard = (mine if side else theirs)[:, 1]
        start = int((here if side else there)[0])
        spectrum = np.abs(np.fft.rfft(heard[start : start + 4000]))
        assert abs(int(spectrum.argmax()) * 2 - hz) <= 2
        assert spectrum.max() ** 2 > 0.99 * np.sum(spectrum**2)
    caller.save(tmp_path / "call.wav")
    assert (tmp_path / "call.wav").stat().st_size == 44 + 4 * len(mine)


async def test_keys_are_one_stream_with_the_audio(caller: Softphone, agent: Softphone) -> None:
    await connected(caller, agent)
    await caller.press("*0")
    await caller.press("7")
    await caller.hangup()
    await agent.wait_ended(30)
    assert [key.key for key in agent.trace.heard.keys] == ["*", "0", "7"]
    heard = agent.trace.heard.packets
    assert len({packet.ssrc for packet in heard}) == 1
    assert [p.sequence for p in heard] == list(range(heard[0].sequence, heard[0].sequence + len(heard)))
    events: dict[int, list[RtpPacket]] = {}
    for packet in heard:
        if packet.payload_type == 101:
            events.setdefault(packet.timestamp, []).append(packet)
    assert len(events) == 3
    for packets in events.values():
        assert [p.marker for p in packets] == [True] + [False] * (len(packets) - 1)
        assert [bool(p.payload[1] & 0x80) for p in packets] == [False] * (len(packets) - 3) + [True] * 3
    sent = caller.timeline.keys
    arrived = agent.trace.heard.keys
    assert all(got.at - key.at > -0.002 for got, key in zip(arrived, sent, strict=True))  # one clock


async def test_the_agent_sees_the_headers_of_the_invite(caller: Softphone, agent: Softphone) -> None:
    headers = {"User-to-User": "7b22;encoding=hex", "X-IVR-Reason": "cancel: thinking", "X-IVR-Context": "http://x/y"}
    await caller.call(agent.uri, from_number="5035550123", headers=headers)
    ringing = await agent.wait_incoming(30)
    assert {name: ringing.headers[name.lower()] for name in headers} == headers
    assert ringing.caller == "5035550123"
    assert ringing.uri == "sip:phone@127.0.0.1"


async def test_busy_is_reported_with_its_status(caller: Softphone, agent: Softphone) -> None:
    await agent.set_incoming("busy")
    await caller.call(agent.uri)
    with pytest.raises(DialFailed) as refused:
        await caller.wait_answered(30)
    assert refused.value.status == 486
    assert [m.text.split()[0] for m in caller.messages if m.direction == "out"] == ["INVITE", "ACK"]


async def test_a_second_caller_finds_the_phone_busy(caller: Softphone, agent: Softphone) -> None:
    await connected(caller, agent)
    async with Softphone.open() as other:
        await other.call(agent.uri)
        with pytest.raises(DialFailed) as refused:
            await other.wait_answered(30)
    assert refused.value.status == 486
    assert agent.ended is None
    assert caller.ended is None


async def test_a_ringing_phone_can_decline_or_answer(caller: Softphone, agent: Softphone) -> None:
    await agent.set_incoming("ring")
    await caller.call(agent.uri)
    await caller.wait_ringing(5)
    await agent.refuse(603, "Decline")
    with pytest.raises(DialFailed) as refused:
        await caller.wait_answered(30)
    assert refused.value.status == 603
    await caller.call(agent.uri)
    await caller.wait_ringing(5)
    await agent.answer()
    await caller.wait_answered(30)


async def test_a_caller_who_gives_up_sends_cancel(caller: Softphone, agent: Softphone) -> None:
    await agent.set_incoming("ring")
    await caller.call(agent.uri)
    await caller.wait_ringing(5)
    await caller.hangup()
    here, there = await asyncio.gather(caller.wait_ended(30), agent.wait_ended(30))
    assert (here.by, here.status) == ("local", 487)
    assert (there.by, there.status) == ("remote", 487)
    await agent.wait_message("in", "ACK ", 5)
    first = [message.text.split()[0] for message in agent.messages if message.direction == "in"]
    assert first == ["INVITE", "CANCEL", "ACK"]


async def test_the_far_ends_bye_ends_the_call_and_the_phone_can_call_again(caller: Softphone, agent: Softphone) -> None:
    for _ in range(2):
        await connected(caller, agent)
        speaking = asyncio.create_task(caller.say(tone(30)))
        await agent.hangup()
        ended = await caller.wait_ended(30)
        assert (ended.by, ended.status) == ("remote", 0)
        with pytest.raises(TelephonyError, match="over"):
            await speaking
        with pytest.raises(TelephonyError, match="over"):
            await caller.press("1")
        agent.forget()


async def test_an_agents_phone_waits_for_the_next_call_once_told_of_the_last_ones_end(
    caller: Softphone, agent: Softphone
) -> None:
    await connected(caller, agent)
    await caller.hangup()
    await agent.wait_ended(30)
    with pytest.raises(TimeoutError):
        await agent.wait_answered(0.05)
    with pytest.raises(TimeoutError):
        await agent.wait_incoming(0.05)
    again = asyncio.create_task(agent.wait_answered(30))
    await caller.call(agent.uri, from_number="5035550177")
    assert "5035550177" in (await again).headers["from"]
    assert (await agent.wait_incoming(30)).caller == "5035550177"


async def test_events_tell_the_call_from_ringing_to_its_end(caller: Softphone, agent: Softphone) -> None:
    await connected(caller, agent)
    await caller.press("4")
    await caller.hangup()
    await agent.wait_ended(30)
    kinds = [type(event).__name__ async for event in caller.events()]
    assert kinds == ["Ringing", "Answered", "CallOver"]
    seen = [event async for event in agent.events()]
    assert isinstance(seen[0], Incoming)
    assert isinstance(seen[-1], CallOver)
    assert [event.key for event in seen if isinstance(event, KeyPress)] == ["4"]
    assert [event.at for event in seen] == sorted(event.at for event in seen)


async def test_five_calls_at_once(agent: Softphone) -> None:
    async def one(hz: float) -> int:
        async with Softphone.open() as here, Softphone.open() as there:
            await there.set_incoming("answer")
            await connected(here, there)
            await asyncio.gather(here.say(tone(0.4, hz)), there.say(tone(0.4, hz)))
            await here.hangup()
            await there.wait_ended(30)
            heard = there.trace.stereo()[:, 1].astype(float)
            start = int(np.flatnonzero(np.abs(heard) > 4000)[0])
            return int(np.abs(np.fft.rfft(heard[start : start + 2000])).argmax()) * 4

    pitches = [400.0, 600.0, 800.0, 1000.0, 1200.0]
    assert await asyncio.gather(*map(one, pitches)) == pytest.approx(pitches, abs=4)
    assert agent.ended is None


async def test_a_law_where_only_that_is_offered(caller: Softphone, agent: Softphone) -> None:
    await caller.call(agent.uri, codecs=("PCMA",))
    assert (await caller.wait_answered(30)).codec == "PCMA"
    await agent.wait_answered(30)
    await caller.say(tone(0.4))
    await caller.hangup()
    await agent.wait_ended(30)
    loudest = np.abs(agent.trace.stereo()[:, 1]).max()
    assert 7500 < loudest < 8500


async def test_measurements_are_taken_from_the_wire(caller: Softphone, agent: Softphone) -> None:
    """The agent's phone plays the line: it stops its prompt when it hears the key, and answers speech."""
    await connected(caller, agent)
    prompt = asyncio.create_task(agent.say(tone(20)))
    sounds = caller.listen()
    async for sound in sounds:
        if sound.level_db > -30:
            break
    pressing = asyncio.create_task(caller.press("0"))
    async for event in agent.events():
        if isinstance(event, KeyPress):
            await agent.hush()
            break
    await asyncio.gather(pressing, prompt)
    async for sound in sounds:
        if sound.at - caller.timeline.keys[0].at > 0.5:
            break
    said = await caller.say(tone(0.3))
    await agent.say(tone(0.3))
    await caller.hangup()
    await agent.wait_ended(30)
    (silencing,) = key_silences(caller.timeline)
    stopped = max(f.at for f in agent.timeline.sent if f.level_db > -30 and f.at < silencing.at + 0.4)
    assert silencing.seconds == pytest.approx(stopped + 0.02 - silencing.at, abs=0.1)
    (turn,) = responses(caller.timeline)
    assert turn.speech_end == pytest.approx(said, abs=0.1)
    began = min(f.at for f in agent.timeline.sent if f.level_db > -30 and f.at > turn.speech_end)
    assert turn.seconds == pytest.approx(began - turn.speech_end, abs=0.1)


async def test_what_pyvoip_writes_itself_can_be_had(agent: Softphone) -> None:
    async with Softphone.open(own_ack=True) as raw:
        await connected(raw, agent)
        ok = next(m.text for m in raw.messages if m.text.startswith("SIP/2.0 200"))
        ack = next(m.text for m in raw.messages if m.text.startswith("ACK"))
        tags = [next(line for line in text.split("\r\n") if line.startswith("To:")) for text in (ok, ack)]
        assert tags[0] != tags[1]


async def test_nobody_there_is_given_up(caller: Softphone) -> None:
    await caller.call("sip:nobody@127.0.0.1:9")
    with pytest.raises(TimeoutError):
        await caller.wait_answered(1.2)
    await caller.hangup()
    assert (await caller.wait_ended(30)).by == "local"
    invites = [m for m in caller.messages if m.text.startswith("INVITE")]
    assert len(invites) >= 2
    assert len({m.text for m in invites}) == 1


async def test_a_port_that_is_taken_is_an_error_that_says_so(agent: Softphone) -> None:
    with pytest.raises(UnavailableError, match=str(agent.port)):
        await Softphone.start(port=agent.port)


async def test_a_scripted_caller_is_led_by_what_it_hears(agent: Softphone, tmp_path: Path) -> None:
    """The answer to the caller's sentence begins only after it, so the script must have waited for both prompts."""
    voice = CallerVoice("espeak:en-us", tmp_path)
    shown: list[TranscriptLine] = []

    async def line() -> None:
        await agent.wait_answered(30)
        await agent.say(voice.speak("Welcome."))
        hears = PromptDetector(asyncio.get_running_loop().time)

        async def listen() -> None:
            async for sound in agent.listen():
                hears.hear(sound)

        listening = asyncio.create_task(listen())
        await hears.prompt_end(0.4)
        await agent.say(tone(0.5))
        await listening

    answering = asyncio.create_task(line())

    async def transcriber(pcm: bytes) -> str:
        return f"{len(pcm) > 0} sound"

    async with (
        Softphone.open() as phone,
        Caller.calling(phone, agent.uri, voice, show=shown.append, transcriber=transcriber) as caller,
    ):
        await caller.prompt_end()
        await caller.say("Hello.")
        await caller.prompt_end()
    await answering
    assert [line.who for line in shown] == ["call", "line", "caller", "line", "call"]
    assert [text for _, text in caller.heard] == ["True sound"] * 2
    first, second = (piece for piece, _ in caller.heard)
    (turn,) = responses(phone.timeline)
    assert first.end < turn.speech_start < turn.speech_end < second.start


def call_options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(arguments)


async def test_ivr_call_tells_a_line_that_says_goodbye_from_one_that_drops_it(agent: Softphone, tmp_path: Path) -> None:
    async def line(prompts: int) -> None:
        await agent.wait_answered(30)
        for _ in range(prompts):
            await agent.say(tone(0.3))
            if prompts > 1:
                async for event in agent.events():
                    if isinstance(event, KeyPress):
                        break
        await agent.hangup()
        await agent.wait_ended(30)

    shown: list[TranscriptLine] = []
    for prompts, code in ((2, 0), (1, 1)):
        answering = asyncio.create_task(line(prompts))
        assert await run_call(call_options(agent.uri, "--press", "1"), show=shown.append) == code
        await answering
    await agent.set_incoming("busy")
    assert await run_call(call_options(agent.uri), show=shown.append) == 1
    assert "not answered: 486 Busy Here" in shown[-1].text


async def test_ivr_call_records_and_reports(agent: Softphone, tmp_path: Path) -> None:
    wav = tmp_path / "call.wav"
    arguments = [agent.uri, "--interrupt", "--press", "0", "--stay", "--record", str(wav), "--cache", str(tmp_path)]
    shown: list[TranscriptLine] = []

    async def line() -> None:
        await agent.wait_answered(30)
        prompt = asyncio.create_task(agent.say(tone(20)))
        async for event in agent.events():
            if isinstance(event, KeyPress):
                break
        await agent.hush()
        await prompt
        async for sound in agent.listen():
            if sound.at - agent.trace.heard.keys[0].at > 0.5:
                break
        await agent.hangup()

    answering = asyncio.create_task(line())
    assert await run_call(call_options(*arguments), show=shown.append) == 0
    await answering
    text = "\n".join(map(str, shown))
    assert "presses 0" in text
    assert "key to silence" in text
    assert wav.stat().st_size > 4000
