"""A call in sound, without a network: a caller's voice as RTP into the line's hearing and its recogniser, the real
dialogue, actions and store behind them.

The frames go through the media process's own receiving half (jitter buffer, µ-law, voice gate with its pre-roll) and
the listening worker hears them with their times, only faster than they would come by telephone.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import soxr

from ivr.dialogue.engine.contract import SpeechHeard
from ivr.dialogue.engine.next import Mode
from ivr.events import Heard, RecogniserFailed, Recognition
from ivr.media.description import PCMU as PCMU_FORMAT
from ivr.media.description import MediaDescription
from ivr.media.process.codec import FRAME, FRAME_S, PCMU, power
from ivr.media.process.receiver import Receiver
from ivr.media.process.rtp import Packet, build
from ivr.ports import Ears, ListenRequest
from ivr.softphone.g711 import encode
from ivr.softphone.voices import CallerVoice
from tests.acceptance.line import InnerLine
from tests.acceptance.sentences import Sentence

LEAD_S, TAIL_S = 0.6, 1.0  # line noise around what is said
AHEAD = 25  # frames given to the worker before other calls get a turn
PATIENCE_S = 60.0  # against hanging for ever; nothing is timed
MOST_ANSWERS = 5
ESPEAK_WORDS = 160  # a minute
OPEN_QUESTION = "main.ask"
_FAR = ("192.0.2.1", 4000)
caller_voice = cache(CallerVoice)  # a voice's model is loaded once, not for each sentence


class Microphone:
    """One caller's packets on their way to the ears."""

    def __init__(self, ears: Ears) -> None:
        self._ears = ears
        self._hearing = Receiver(["PCMU"], lambda change, source: None)
        self._hearing.listening = True
        self._now = 100.0
        self._hearing.aim(MediaDescription(_FAR[0], _FAR[1], (PCMU_FORMAT,)), self._now)
        self._number = 0
        self._noise = np.random.default_rng(7)

    async def speak(self, pcm: bytes) -> None:
        """Say it, and be quiet until any utterance is over."""
        signal = np.concatenate(
            [np.zeros(int(LEAD_S * 8000)), np.frombuffer(pcm, "<i2").astype(float), np.zeros(int(TAIL_S * 8000))]
        )
        signal += self._noise.normal(0, 8, len(signal))
        payload = encode(np.clip(signal, -32768, 32767).astype("<i2").tobytes(), "PCMU")
        for start in range(0, len(payload) - FRAME + 1, FRAME):
            self._frame(payload[start : start + FRAME])
            if self._number % AHEAD == 0:
                await asyncio.sleep(0)

    def _frame(self, payload: bytes) -> None:
        self._now += FRAME_S
        self._number += 1
        hearing = self._hearing
        hearing.datagram(build(Packet(0, False, self._number, self._number * FRAME, 77, payload)), _FAR, self._now)
        if hearing.tick() and hearing.payload is not None:
            decoded = PCMU.decode(hearing.payload)
            hearing.decoded(decoded, power(decoded))
        for at, pcm in hearing.speech(self._now):
            self._ears.feed(pcm, at)


@dataclass(frozen=True, slots=True)
class Speaker:
    """A person: one of the callers' voices, and ``shift``: pitch and formants times that, as of another throat.

    Asked to say it again, everybody speaks more slowly."""

    name: str
    voice: str
    speed: float = 1.0
    shift: float = 1.0

    async def say(self, text: str, *, again: bool = False) -> bytes:
        speed = self.speed / (1.15 if again else 1.0)
        factor = f"{ESPEAK_WORDS * speed:.0f}" if self.voice.startswith("espeak") else f"{speed:.2f}"
        pcm = await caller_voice(f"{self.voice}@{factor}").speak_soon(text)
        if self.shift == 1.0:
            return pcm
        samples = soxr.resample(np.frombuffer(pcm, "<i2").astype(np.float32), 8000 * self.shift, 8000)
        return bytes(np.clip(samples, -32768, 32767).astype("<i2").tobytes())


@dataclass(slots=True)
class Conversation:
    """What came of one call. ``asked``: the line's questions, and what the caller truthfully answered."""

    voice: str
    sentence: Sentence
    before: list[str]
    after: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    repeated: bool = False
    state: str = ""
    mode: str = ""
    human: bool = False
    said_last: str = ""

    @property
    def right(self) -> bool:
        return self.after == self.sentence.meaning.apply(self.before)

    @property
    def wrong(self) -> bool:
        """The order was changed to one that the caller never asked for and never agreed to."""
        return self.after != self.before and not self.right

    @property
    def row(self) -> str:
        how = "RIGHT" if self.right else "WRONG ORDER" if self.wrong else "human" if self.human else "question"
        questions = "; ".join(f"{question} {answer}" for question, answer in self.asked)
        return (
            f"{how:11} {self.voice:16} {self.sentence.text!r}: heard {', '.join(self.heard)}, in {self.state}"
            f"{', asked: ' + questions if questions else ''}, last said: {self.said_last!r}"
        )


async def converse(line: InnerLine, ears: Ears, speaker: Speaker, sentence: Sentence) -> Conversation:
    """Say the sentence at the open question, once more if asked to; answer questions truthfully, all by voice."""
    microphone = Microphone(ears)
    events = ears.events()
    found = Conversation(speaker.name, sentence, await line.queue())

    async def say(text: str, *, again: bool = False) -> None:
        assert line.listening is not None
        listen = line.listening
        await ears.listen(ListenRequest(listen.grammar.speech, listen.hangover_s, listen.max_utterance_s))
        await microphone.speak(await speaker.say(text, again=again))
        async with asyncio.timeout(PATIENCE_S):
            async for event in events:
                if isinstance(event, RecogniserFailed):
                    raise AssertionError(event.reason)
                if isinstance(event, Heard):
                    found.heard.append(_heard(event.recognition))
                    await line.feed(SpeechHeard(event.recognition, listen.token))
                    return

    await say(sentence.text)
    for _ in range(MOST_ANSWERS):
        question = line.said[-1] if line.said else ""
        if line.dialogue.mode == Mode.CONFIRM:
            answer = "Yes." if sentence.meaning.asked_by(question) else "No."
        elif line.dialogue.mode == Mode.QUESTION and (wanted := sentence.answer(question)):
            answer = wanted
        elif line.dialogue.state == OPEN_QUESTION and not line.performed and not found.repeated:
            found.repeated = True
            await say(sentence.text, again=True)
            continue
        else:
            break
        found.asked.append((question, answer))
        await say(answer)
    found.after = await line.queue()
    found.state = line.dialogue.state
    found.mode = line.dialogue.mode
    found.human = line.connected is not None
    found.said_last = " ".join(line.said)
    return found


def _heard(recognition: Recognition) -> str:
    if not recognition.nbest:
        return f"{recognition.transcript!r} ({recognition.cause.value})"
    best = recognition.nbest[0]
    return f"{best.text!r} ({best.verdict.value} {best.confidence:.2f}, freely {recognition.transcript!r})"
