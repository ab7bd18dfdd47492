"""Auditions: the scripts' spoken lines, really spoken and heard: synthesis, a telephone line, noise, recognition.

Each line is heard under the grammar of the very state that it is said in, and what the dialogue makes of the
recognition is compared with what it makes of the typed words. The call then goes on as typed, so that one
misheard line doesn't spoil those after it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.source import Place
from ivr.dialogue.understanding.speech_grammar import SpeechGrammar
from ivr.errors import IvrError, SpeechUnavailable
from ivr.events import Recognition
from ivr.media.process.codec import PCMU, Samples, clipped, samples
from ivr.record import Understood
from ivr.workshop.scripts.model import Call, ScriptFile, Suite
from ivr.workshop.scripts.runner import Runner, perform
from ivr.workshop.simulate.sandbox import Sandbox
from ivr.workshop.simulate.simulation import Simulation

Speak = Callable[[str, str], Awaitable[bytes]]
"""(text, language) -> 16-bit 8 kHz mono PCM. Raises SpeechUnavailable."""
Recognise = Callable[[bytes, SpeechGrammar], Awaitable[Recognition]]

SILENCE_S = 0.3  # before and after: a recogniser is never given words alone
RATE = 8000
LOUD = 0.02  # of the loudest frame's power: what counts as speech when the noise is measured out
FRAME = 160
RIGHT, DOUBTED, MISHEARD, LOST, UNTRIED = "right", "doubted", "misheard", "not understood", "not tried"


@dataclass(frozen=True, slots=True)
class SpokenLine:
    """``verdict``: "right", "doubted" (right, but the line will ask back), "misheard" (something else was understood),
    "not understood", or "not tried" (``why``: nothing here speaks or hears the language)."""

    call: str
    place: Place
    language: str
    state: str
    text: str
    voice: str
    verdict: str
    transcript: str = ""
    meant: str = ""
    understood: str = ""
    confidence: float = 0.0
    why: str = ""


@dataclass(frozen=True, slots=True)
class VoiceReport:
    lines: tuple[SpokenLine, ...]

    @property
    def totals(self) -> Mapping[str, int]:
        return Counter(line.verdict for line in self.lines)

    @property
    def tried(self) -> int:
        return sum(line.verdict != UNTRIED for line in self.lines)

    @property
    def share_right(self) -> float:
        """0..1: lines that meant what was meant, asked back or not, among those tried."""
        totals = self.totals
        return (totals[RIGHT] + totals[DOUBTED]) / self.tried if self.tried else 0.0

    def confusions(self) -> Iterator[tuple[str, str, int]]:
        """(meant, understood, how often), the most frequent first."""
        found = Counter((line.meant, line.understood) for line in self.lines if line.verdict == MISHEARD)
        yield from ((meant, heard, count) for (meant, heard), count in found.most_common())


@dataclass(frozen=True, slots=True)
class Telephone:
    """What lies between a mouth and the recogniser: µ-law, and noise ``snr_db`` below the speech (None: none)."""

    snr_db: float | None = None

    def carry(self, pcm: bytes, seed: str) -> bytes:
        """``seed`` makes the noise: the same line always sounds the same."""
        quiet = np.zeros(int(SILENCE_S * RATE), np.int16)
        signal: Samples = np.concatenate((quiet, samples(pcm), quiet)).astype(np.int16)
        if self.snr_db is not None:
            signal = clipped(signal + self._noise(signal, seed))
        return PCMU.decode(PCMU.encode(signal)).tobytes()

    def _noise(self, signal: Samples, seed: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Noise shaped like a room's: stronger at low frequencies."""
        assert self.snr_db is not None
        number = int.from_bytes(hashlib.blake2s(seed.encode(), digest_size=8).digest(), "big")
        spectrum = np.fft.rfft(np.random.default_rng(number).standard_normal(len(signal)))
        frequencies = np.fft.rfftfreq(len(signal), 1 / RATE)
        shaped = np.fft.irfft(spectrum / np.sqrt(np.maximum(frequencies, 50.0)), len(signal))
        target = _speech_power(signal) / 10 ** (self.snr_db / 10)
        return np.asarray(shaped * np.sqrt(target / max(float(np.mean(shaped**2)), 1e-12)), dtype=np.float64)


def _speech_power(signal: Samples) -> float:
    """Mean power of the frames in which somebody speaks."""
    frames = signal[: len(signal) // FRAME * FRAME].astype(np.float64).reshape(-1, FRAME)
    power = np.mean(frames**2, axis=1) if len(frames) else np.zeros(1)
    spoken = power[power >= LOUD * power.max()]
    return float(np.mean(spoken)) if len(spoken) else 1.0


@dataclass(slots=True)
class Audition:
    """Hears every spoken line of scripts with each of ``voices`` (by name)."""

    library: FlowLibrary
    sandbox: Sandbox
    voices: Mapping[str, Speak]
    recognise: Recognise
    telephone: Telephone = field(default_factory=Telephone)

    async def run(
        self,
        files: Sequence[ScriptFile],
        *,
        only: str = "",
        watch: Callable[[SpokenLine], None] | None = None,
    ) -> VoiceReport:
        """Lines that are said twice in the same state are heard once."""
        found: list[SpokenLine] = []
        known: set[tuple[str, str, str]] = set()
        runner = Runner(self.library, self.sandbox)
        for file in files:
            if file.suite is None:
                continue
            for index, call in enumerate(file.suite.calls):
                if only.lower() not in f"{file.suite.tests}: {call.name}".lower():
                    continue
                for number, step in enumerate(call.steps):
                    if step.say is None or step.doubt:
                        continue
                    place = file.place("calls", index, "steps", number)
                    for line in await self._line(runner, file.suite, call, number, place, known):
                        found.append(line)
                        if watch is not None:
                            watch(line)
        return VoiceReport(tuple(found))

    async def _line(
        self, runner: Runner, suite: Suite, call: Call, number: int, place: Place, known: set[tuple[str, str, str]]
    ) -> list[SpokenLine]:
        """One line, with every voice, each in a call of its own that has come as far as typed."""
        typed = await self._so_far(runner, suite, call, number)
        text = str(call.steps[number].say)
        listening = typed.listening
        if listening is None:
            return []
        key = (listening.grammar.speech.language, typed.state, text)
        if key in known:
            return []
        known.add(key)
        state, grammar = typed.state, listening.grammar.speech
        language = grammar.language
        await typed.say(text)
        meant = typed.heard
        lines = []
        for voice, speak in self.voices.items():
            base = SpokenLine(call.name, place, language, state, text, voice, UNTRIED, meant=_meaning(meant))
            try:
                sound = self.telephone.carry(await speak(text, language), f"{voice} {text}")
                recognition = await self.recognise(sound, grammar)
            except SpeechUnavailable as error:
                lines.append(replace(base, why=str(error)))
                continue
            spoken = await self._so_far(runner, suite, call, number)
            spoken.heard = Understood()
            await spoken.hear(recognition)
            lines.append(_judged(base, meant, spoken.heard, recognition))
        return lines

    async def _so_far(self, runner: Runner, suite: Suite, call: Call, number: int) -> Simulation:
        simulation = await runner.begin(suite, call)
        await simulation.begin()
        try:
            for step in call.steps[:number]:
                await perform(simulation, step)
        except IvrError:
            return simulation  # the script is wrong; `ivr flow test` says so
        return simulation


def _judged(base: SpokenLine, meant: Understood, heard: Understood, recognition: Recognition) -> SpokenLine:
    if heard != Understood() and (heard.intent, heard.slots) == (meant.intent, meant.slots):
        verdict = DOUBTED if heard.doubt and not meant.doubt else RIGHT
    else:
        verdict = MISHEARD if heard.intent else LOST
    return replace(
        base,
        verdict=verdict,
        transcript=recognition.transcript or (recognition.nbest[0].text if recognition.nbest else ""),
        understood=_meaning(heard),
        confidence=heard.confidence,
    )


def _meaning(heard: Understood) -> str:
    """ "move_to_top (title: Vertigo)"."""
    filled = ", ".join(f"{name}: {value}" for name, value in heard.slots.items())
    return f"{heard.intent or 'nothing'}{f' ({filled})' if filled else ''}"
