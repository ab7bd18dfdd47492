"""What stands between a caller and the line: noise, other people, television, lost packets, codecs, pauses, echo.

Everything random is drawn from a seed, so that the same clip is the same in every run. Levels are of the caller's
voice where it speaks, against the noise as a whole.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from ivr.media.process.codec import power
from ivr.softphone.g711 import Law, encode
from ivr.softphone.voices import voiced_rms
from tests.eval.voices import RATE, Pcm, Speaker

FRAME = RATE // 50
LEAD_S, TAIL_S = 1.0, 14.0  # of the line and its noise around what is said: an utterance is capped at 12 s
_LINE_DB = 55.0  # a quiet line's own noise below the voice
_ECHO_DB = 15.0  # a speakerphone's, below the voice
_ECHO_LATE_S = 0.15
_BEFORE_ECHO_ENDS_S = 0.8  # the caller barges in
_NOISE_S = 24.0
_MURMUR = (
    "They said it would be ready on Thursday, but I don't believe a word of it.",
    "No, the other one, behind the blue chair, next to the window.",
    "And then she told him that the whole thing had been a mistake.",
    "We could meet at the corner and walk from there, if you like.",
    "The bread was still warm when we carried it up the hill.",
)

Noise = Literal["line", "pink", "babble", "tv"]
_NOISES: tuple[Noise, ...] = ("pink", "babble", "tv")
Signal = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Condition:
    """``loss``: share of packets. ``pause_s``: of silence between two words. ``echo``: of our own prompt."""

    name: str
    group: str  # the row of the report
    noise: Noise = "line"
    snr_db: float = _LINE_DB
    law: Law = "PCMU"
    loss: float = 0.0
    pause_s: float = 0.0
    echo: bool = False


NOISY_PAUSE = "20 dB, pause"
CONDITIONS = (
    Condition("clean", "clean"),
    Condition("A-law", "A-law", law="PCMA"),
    *(Condition(f"{noise} 20 dB", "20 dB", noise, 20.0) for noise in _NOISES),
    *(Condition(f"{noise} 10 dB", "10 dB", noise, 10.0) for noise in _NOISES),
    Condition("2 % loss", "2 % loss", loss=0.02),
    *(Condition(f"pause {pause} s", f"pause {pause} s", pause_s=pause) for pause in (0.2, 0.3, 0.5)),
    *(Condition(f"pink 20 dB, pause {pause} s", NOISY_PAUSE, "pink", 20.0, pause_s=pause) for pause in (0.2, 0.3, 0.5)),
    Condition("own echo", "own echo", echo=True),
)


@dataclass(frozen=True, slots=True)
class Clip:
    """G.711 payloads of 20 ms (None: lost on the way); where the caller's sound begins and ends, in seconds.

    ``prompt``: what the line says meanwhile, and ``playing`` its power in each 20 ms from the clip's beginning."""

    law: Law
    packets: Sequence[bytes | None]
    began_s: float
    ended_s: float
    prompt: str = ""
    playing: Sequence[float] = ()


class Surroundings:
    """Makes clips of what speakers say. ``others``: who talks in the background; ``own``: the line's voice."""

    def __init__(self, others: Sequence[Speaker], own: Callable[[str], Pcm]) -> None:
        self._others = others
        self._own = own
        self._noises: dict[tuple[str, str], Signal] = {}

    def clip(self, speaker: Speaker, text: str, condition: Condition, seed: int, prompt: str = "") -> Clip:
        """``prompt``: what the line says just then, for its echo."""
        voice = self._spoken(speaker, text, condition, seed).astype(np.float64)
        chance = random.Random(seed)
        echo = self._echo(prompt) if condition.echo and prompt else np.zeros(0)
        before = max(0.0, len(echo) / RATE - _BEFORE_ECHO_ENDS_S)
        begins = round((LEAD_S + before) * RATE)
        signal = np.zeros(begins + len(voice) + round(TAIL_S * RATE))
        signal[begins : begins + len(voice)] = voice
        signal[round(LEAD_S * RATE) :][: len(echo)] += echo
        loud = voiced_rms(voice.astype("<i2").tobytes())
        noise = self._noise(condition.noise, speaker.voice.name)
        offset = chance.randrange(len(noise) // 4)
        wanted = loud * 10 ** (-condition.snr_db / 20)
        signal += np.resize(np.roll(noise, -offset), len(signal)) * wanted
        return Clip(
            condition.law,
            packets(signal, condition.law, condition.loss, chance),
            begins / RATE,
            (begins + len(voice)) / RATE,
            *(self._playing(prompt) if len(echo) else ()),
        )

    def prompt_alone(self, prompt: str, louder_db: float = 0.0) -> Clip:
        """Nobody speaks: the line hears itself by a speakerphone, ``louder_db`` over the usual echo."""
        echo = self._echo(prompt) * 10 ** (louder_db / 20)
        begins = round(LEAD_S * RATE)
        signal = np.zeros(begins + len(echo) + round(2.5 * RATE))
        signal[begins : begins + len(echo)] = echo
        signal += np.resize(_pink(7), len(signal)) * 5
        return Clip(
            "PCMU", packets(signal, "PCMU", 0.0, random.Random(7)), LEAD_S, begins / RATE, *self._playing(prompt)
        )

    def _spoken(self, speaker: Speaker, text: str, condition: Condition, seed: int) -> Pcm:
        parts = broken(text, seed) if condition.pause_s else [text]
        said = [speaker.say(part) for part in parts]
        silence = np.zeros(round(condition.pause_s * RATE), np.int16)
        return np.concatenate([said[0], *(piece for part in said[1:] for piece in (silence, part))])

    def _echo(self, prompt: str) -> Signal:
        said = self._own(prompt).astype(np.float64)
        late = np.zeros(round(_ECHO_LATE_S * RATE))
        return np.concatenate([late, said * 10 ** (-_ECHO_DB / 20)])

    def _playing(self, prompt: str) -> tuple[str, list[float]]:
        said = self._own(prompt)
        frames = (said[start : start + FRAME] for start in range(0, len(said), FRAME))
        return prompt, [0.0] * round(LEAD_S * RATE / FRAME) + [power(frame.astype(np.int16)) for frame in frames]

    def _noise(self, kind: Noise, speaking: str) -> Signal:
        """At a level of one."""
        if kind in ("line", "pink"):
            return _pink(3)
        if (kind, speaking) not in self._noises:
            others = [each for each in self._others if each.voice.name != speaking]
            made = _babble(others) if kind == "babble" else _television(others[0])
            self._noises[kind, speaking] = made / float(np.sqrt((made**2).mean()))
        return self._noises[kind, speaking]


def broken(text: str, seed: int) -> list[str]:
    """The sentence in two parts, between two words of which neither is inside a name; whole where there is no place."""
    words = text.split()
    places = [i for i in range(1, len(words)) if not (words[i][0].isupper() and words[i - 1][0].isupper() and i > 1)]
    if len(words) < 3 or not places:
        return [text]
    place = random.Random(seed).choice(places)
    return [" ".join(words[:place]), " ".join(words[place:])]


def packets(signal: Signal, law: Law, loss: float, chance: random.Random) -> list[bytes | None]:
    pcm = np.clip(np.rint(signal), -32768, 32767).astype("<i2").tobytes()
    payload = encode(pcm, law)
    starts = range(0, len(payload) - FRAME + 1, FRAME)
    return [None if loss and chance.random() < loss else payload[start : start + FRAME] for start in starts]


@lru_cache
def _pink(seed: int) -> Signal:
    count = round(_NOISE_S * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    frequency = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 100.0)
    noise = np.fft.irfft(spectrum / np.sqrt(frequency), count)
    made: Signal = noise / noise.std()
    return made


def _babble(others: Sequence[Speaker]) -> Signal:
    """Everybody at once, each with pauses of their own."""
    chance = random.Random(11)
    mixed = np.zeros(round(_NOISE_S * RATE))
    for number, speaker in enumerate(others):
        mixed += _talk(speaker, number, chance.uniform(0.1, 0.5))
    return mixed


def _television(voice: Speaker) -> Signal:
    """One voice over music: three chords of a few partials, with a beat."""
    count = round(_NOISE_S * RATE)
    time = np.arange(count) / RATE
    music = np.zeros(count)
    for beat, root in enumerate((220.0, 174.6, 196.0, 261.6) * 3):
        span = slice(beat * 2 * RATE, (beat + 1) * 2 * RATE)
        for ratio in (1.0, 1.26, 1.5, 2.0, 3.0):
            music[span] += np.sin(2 * np.pi * root * ratio * time[span]) / ratio * np.exp(-(time[span] % 0.5) * 3)
    speech = _talk(voice, 0, 0.3)
    both: Signal = speech + music / music.std() * speech.std() * 0.7
    return both


def _talk(speaker: Speaker, first: int, pause_s: float) -> Signal:
    """Sentence after sentence."""
    pieces: list[Signal] = []
    number = first
    while sum(map(len, pieces)) < _NOISE_S * RATE:
        said = speaker.say(_MURMUR[number % len(_MURMUR)]).astype(np.float64)
        pieces += [said, np.zeros(round(pause_s * RATE))]
        number += 1
    return np.concatenate(pieces)[: round(_NOISE_S * RATE)]
