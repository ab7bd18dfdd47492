"""A line made of packets: time passes as the packets say, nothing waits in real time except to give up."""

import asyncio

import pytest

from ivr.errors import TelephonyError
from ivr.softphone.prompt_detection import HeardPiece, PromptDetector
from ivr.softphone.trace import HeardSound


class TranscriptLine:
    """Plays packets into a PromptDetector, moving its clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pieces: list[HeardPiece] = []
        self.listening = PromptDetector(lambda: self.now, self.pieces.append)

    async def play(self, seconds: float, level_db: float = -20.0) -> None:
        for _ in range(round(seconds / 0.02)):
            self.now += 0.02
            self.listening.hear(HeardSound(self.now, b"\1\0" * 160, level_db))
            await asyncio.sleep(0)

    async def pause(self, seconds: float) -> None:
        await self.play(seconds, -60.0)


async def test_a_prompt_has_ended_after_the_quiet_that_was_asked_for() -> None:
    line = TranscriptLine()
    ended = asyncio.create_task(line.listening.prompt_end(0.9))
    await line.pause(2.0)
    assert not ended.done()
    await line.play(1.0)
    await line.pause(0.8)
    await line.play(0.5)
    await line.pause(0.86)
    assert not ended.done()
    await line.pause(0.1)
    assert ended.done()


async def test_the_old_prompts_tail_is_no_reaction_to_the_caller() -> None:
    line = TranscriptLine()
    await line.play(1.0)
    line.listening.acted(line.now)
    begun = asyncio.create_task(line.listening.prompt_begin())
    await line.play(0.2)
    await line.pause(0.4)
    assert not begun.done()
    await line.play(0.1)
    assert await begun == pytest.approx(1.62)


async def test_a_line_that_talks_on_is_waited_for() -> None:
    """An answer that began before the caller had finished, or a prompt that cannot be interrupted."""
    line = TranscriptLine()
    await line.play(1.0)
    line.listening.acted(line.now)
    ended = asyncio.create_task(line.listening.prompt_end(0.5))
    await line.play(2.0)
    await line.pause(0.4)
    assert not ended.done()
    await line.pause(0.2)
    assert ended.done()


async def test_an_answer_quicker_than_the_news_of_our_last_packet_counts() -> None:
    line = TranscriptLine()
    await line.pause(1.0)
    await line.play(0.1)
    line.listening.acted(0.98)
    assert await line.listening.prompt_begin() == pytest.approx(1.02)


async def test_a_stream_that_stops_is_quiet_too() -> None:
    """Without packets the real clock decides."""
    loop = asyncio.get_running_loop()
    listening = PromptDetector(loop.time)
    listening.hear(HeardSound(loop.time() + 0.001, b"", -20.0))
    await listening.prompt_end(0.05)


async def test_a_silent_line_is_given_up() -> None:
    listening = PromptDetector(asyncio.get_running_loop().time)
    with pytest.raises(TelephonyError, match="said nothing"):
        await listening.prompt_begin(0.05)


async def test_waiting_ends_with_the_call() -> None:
    line = TranscriptLine()
    waiting = asyncio.create_task(line.listening.prompt_end())
    await line.play(0.5)
    line.listening.over()
    with pytest.raises(TelephonyError, match="ended"):
        await waiting


async def test_pieces_begin_with_their_first_sound_and_end_at_pauses() -> None:
    line = TranscriptLine()
    await line.pause(1.0)
    await line.play(1.0)
    await line.pause(0.2)
    await line.play(0.4)
    await line.pause(2.0)
    await line.play(0.2)
    line.listening.over()
    assert [(round(p.start, 2), round(p.end, 2)) for p in line.pieces] == [(1.02, 2.62), (4.62, 4.82)]
    assert len(line.pieces[0].pcm) / 16000 == pytest.approx(1.6 + 0.18 + 0.25, abs=0.05)
