"""Accuracy on the widest grammar that ships, ``main.ask``: ``python -m tests.bench.speech_main [--clips DIRECTORY]``.

Sentences with two titles, or a title and a place, against queues of eight and of twelve, spoken by three synthetic
voices over a telephone line with and without noise. What counts is what the dialogue makes of it: done at once (right
or wrong), asked about (the right thing, or another), or not understood. ``--clips`` keeps what was spoken, so that
two versions of the line hear the very same.
"""

from __future__ import annotations

import argparse
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ivr.dialogue.understanding.grammar import Interpretation, Meaning
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.dialogue.understanding.n_best import understand
from ivr.dialogue.understanding.risk import RiskWords
from ivr.events import Accept, Recognition
from ivr.speech.recognisers.moonshine import MoonshineRecogniser
from ivr.speech.worker.endpointing import SileroModel, speech_span
from ivr.speech.worker.engines import Samples
from tests.bench.dialogue_turns import identified
from tests.bench.speech_accuracy import label, percent
from tests.bench.speech_corpus import telephone, voices

TITLES = (
    "Casablanca",
    "Rear Window",
    "The Third Man",
    "Metropolis",
    "North by Northwest",
    "Citizen Kane",
    "Nosferatu",
    "The Maltese Falcon",
    "City Lights",
    "Notorious",
    "Sunset Boulevard",
    "King Kong",
)
SIZES = (8, 12)
VOICES = ("hibari", "joe", "espeak")
NOISES: tuple[float | None, ...] = (None, 15.0)
NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
PLACES = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
PLACES += ["eleventh", "twelfth"]
STRANGE = (
    "Move Jurassic Park before The Godfather.",
    "Can I put something between the two?",
    "I moved house before the summer.",
    "My number is on the back of the card.",
)


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    meaning: tuple[str, ...] | None  # intent and labels or numbers; None: anything done at once is wrong


def lines(size: int) -> list[Line]:
    said: list[Line] = []
    for i in range(size):
        a, b = TITLES[i], TITLES[(i + 5) % size]
        n = (i * 5 + 2) % size
        said += [
            Line(f"Move {a} to number {NUMBERS[n]}.", ("move_to_position", a, str(n + 1))),
            (
                Line(f"Move {a} before {b}.", ("move_before", a, b)),
                Line(f"Put {a} after {b}.", ("move_after", a, b)),
                Line(f"Swap {a} and {b}.", ("swap", a, b)),
                Line(f"Move {a} to {PLACES[n]} place.", ("move_to_position", a, str(n + 1))),
                Line(f"Put {a} ahead of {b}.", ("move_before", a, b)),
                Line(f"Switch {a} with {b}.", ("swap", a, b)),
            )[i % 6],
        ]
    said.append(Line("Add Some Like It Hot to the top of my queue.", ("add_to_top", "Some Like It Hot")))
    said.append(Line("Add Duck Soup.", ("add", "Duck Soup")))
    return said + [Line(text, None) for text in STRANGE]


def meant(meaning: Meaning) -> tuple[str, ...]:
    """As in Line; a swap is one either way round. A place by its ordinal is a position."""
    values = [value.label if isinstance(value.value, str) else str(value.value) for value in meaning.slots.values()]
    intent = "move_to_position" if meaning.intent.startswith("move_to_p") else meaning.intent
    return (intent, *(sorted(values) if intent == "swap" else values))


def wanted(line: Line) -> tuple[str, ...] | None:
    if line.meaning is None or line.meaning[0] != "swap":
        return line.meaning
    return ("swap", *sorted(line.meaning[1:]))


def judged(line: Line, taken: Interpretation) -> str:
    if taken.best is None:
        return "nothing"
    best, rival = meant(taken.best.meaning), taken.rival and meant(taken.rival.meaning)
    if taken.best.sure and not taken.best.doubtful and rival is None:
        return "right" if best == wanted(line) else "WRONG"
    return "asked" if wanted(line) in (best, rival) else "asked another"


def speaker(name: str, say: Callable[[str], Samples], clips: Path | None) -> Callable[[str], Samples]:
    def spoken(text: str) -> Samples:
        if clips is None:
            return say(text)
        file = clips / f"{name}-{zlib.crc32(text.encode()):08x}.npy"
        if not file.exists():
            np.save(file, say(text))
        kept: Samples = np.load(file)
        return kept

    return spoken


@dataclass(frozen=True, slots=True)
class Outcome:
    size: int
    voice: str
    snr_db: float | None
    line: Line
    verdict: str
    took_s: float
    heard: Recognition | None


Job = tuple[str, Line, float | None, Samples]


def hearer(
    size: int, recogniser: MoonshineRecogniser, activity: SileroModel, grammar: StateGrammar, risks: RiskWords
) -> Callable[[Job], Outcome]:
    def hear(job: Job) -> Outcome:
        name, line, snr, clip = job
        audio = telephone(clip, snr, zlib.crc32(f"{name}{line.text}{snr}".encode()))
        span = speech_span(activity, (audio * 32767).astype("<i2").tobytes())
        if span is None:
            return Outcome(size, name, snr, line, "nothing", 0.0, None)
        heard = recogniser.recognise(audio[span[0] : span[1]], grammar.speech)
        return Outcome(size, name, snr, line, judged(line, understand(heard, grammar, risks)), heard.took_s, heard)

    return hear


def measure(clips: Path | None) -> list[Outcome]:
    recogniser, activity = MoonshineRecogniser(), SileroModel()
    recogniser.load()
    speakers = {name: speaker(name, say, clips) for name, say in voices().items() if name in VOICES}
    outcomes: list[Outcome] = []
    for size in SIZES:
        talk = identified(TITLES[:size])
        listening = talk.dialogue._call.gather
        assert listening is not None and talk.dialogue.state == "main.ask"
        grammar, call = listening.grammar, talk.dialogue._call
        risks = call.words.risks
        began = time.perf_counter()
        spoken = grammar.speech
        shown = time.perf_counter()
        recogniser.compile(spoken)
        print(
            f"{size} titles: {len(spoken.phrases)} phrases, {len(spoken.templates)} templates;",
            f"made in {(shown - began) * 1000:.1f} ms, compiled in {(time.perf_counter() - shown) * 1000:.1f} ms",
        )
        jobs = [
            (name, line, snr, speakers[name](line.text)) for name in speakers for line in lines(size) for snr in NOISES
        ]

        with ThreadPoolExecutor(2) as pool:
            outcomes += pool.map(hearer(size, recogniser, activity, grammar, risks), jobs)
    return outcomes


def report(outcomes: Sequence[Outcome]) -> None:
    print("\n                          right   asked  asked another  nothing   WRONG  (%)   by the recogniser accepted")
    for size in SIZES:
        for name in VOICES:
            for snr in NOISES:
                rows = [o for o in outcomes if (o.size, o.voice, o.snr_db) == (size, name, snr) and o.line.meaning]
                count = Counter(o.verdict for o in rows)
                cells = [count[v] for v in ("right", "asked", "asked another", "nothing", "WRONG")]
                sure = sum(bool(o.heard and o.heard.nbest and o.heard.nbest[0].verdict is Accept.ACCEPT) for o in rows)
                print(
                    f"  {size:2} titles {name:8} {label(snr):>6}:",
                    "   ".join(percent(n, len(rows)) for n in cells),
                    f" of {len(rows)}   {percent(sure, len(rows))}",
                )
    strange = Counter(o.verdict for o in outcomes if o.line.meaning is None)
    print(f"\noutside the grammar: {dict(strange)}")
    for o in outcomes:
        if o.verdict == "WRONG" and o.heard is not None:
            best = o.heard.nbest[0].text if o.heard.nbest else ""
            print(
                f"  WRONG: {o.size} {o.voice} {label(o.snr_db)}: {o.line.text!r} as {best!r} ({o.heard.transcript!r})"
            )
    took = np.array([o.took_s for o in outcomes if o.took_s])
    p50, p95, p99 = (float(q) * 1000 for q in np.percentile(took, [50, 95, 99]))
    print(f"\nlatency with 2 threads on {len(took)} clips: p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, help="keep the clips here")
    options = parser.parse_args()
    if options.clips is not None:
        options.clips.mkdir(parents=True, exist_ok=True)
    outcomes = measure(options.clips)
    report(outcomes)
    return 1 if any(o.verdict == "WRONG" and o.voice != "espeak" for o in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
