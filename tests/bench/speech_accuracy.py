"""Accuracy and speed of constrained recognition: ``python -m tests.bench.speech_accuracy [--part fit|check]``.

Every sentence is spoken by several synthetic voices, sent through G.711 at three noise levels, cut out by the voice
activity detector and recognised. Beside the constrained recogniser stands the floor: the phrase nearest to the free
transcript, from the same runs. Right means the right task (intent and titles), whatever the wording.
"""

from __future__ import annotations

import argparse
import sys
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ivr.events import Accept
from ivr.speech.recognisers.compiled_grammars import Nearness
from ivr.speech.recognisers.moonshine import MoonshineRecogniser
from ivr.speech.worker.endpointing import SileroModel, speech_span
from tests.bench.speech_corpus import Line, Task, grammar, lines, telephone, voices

NOISES: tuple[float | None, ...] = (None, 20.0, 10.0)
NATURAL = ("hibari", "joe")


@dataclass(frozen=True, slots=True)
class Outcome:
    voice: str
    snr_db: float | None
    line: Line
    verdict: Accept
    task: Task | None
    free_exact: Task | None
    free_nearest: Task | None
    took_s: float
    speech_s: float
    heard: str

    @property
    def right(self) -> bool:
        return self.task is not None and self.task == self.line.task


def label(snr_db: float | None) -> str:
    return "clean" if snr_db is None else f"{snr_db:.0f} dB"


def measure(part: str, count: int) -> list[Outcome]:
    recogniser, activity = MoonshineRecogniser(), SileroModel()
    recogniser.load()
    spoken, tasks = grammar(part)
    began = time.perf_counter()
    recogniser.compile(spoken)
    print(f"grammar: {len(spoken.phrases)} phrases, compiled in {time.perf_counter() - began:.3f} s")
    nearness = Nearness(spoken.phrases)
    by_phrase = dict(zip(spoken.phrases, tasks, strict=True))
    speakers = voices()
    said = lines(part, count)
    clips = {(name, line.text): say(line.text) for name, say in speakers.items() for line in said}

    def one(job: tuple[str, Line, float | None]) -> Outcome:
        name, line, snr = job
        seed = zlib.crc32(f"{name}{line.text}{snr}".encode())
        audio = telephone(clips[name, line.text], snr, seed)
        span = speech_span(activity, (audio * 32767).astype("<i2").tobytes())
        if span is None:
            return Outcome(name, snr, line, Accept.REJECT, None, None, None, 0.0, 0.0, "")
        speech = audio[span[0] : span[1]]
        result = recogniser.recognise(speech, spoken)
        best = result.nbest[0] if result.nbest else None
        near = nearness.nearest(result.transcript, 1)
        plain_text = result.transcript.lower().strip(" .?!").replace(",", "")
        return Outcome(
            name,
            snr,
            line,
            best.verdict if best else Accept.REJECT,
            tasks[best.phrase] if best and best.phrase is not None else None,
            by_phrase.get(plain_text),
            by_phrase[near[0].text] if near else None,
            result.took_s,
            len(speech) / 8000,
            result.transcript,
        )

    # The robotic voices are stress, not the measure: every second sentence of theirs.
    jobs = [
        (name, line, snr) for name in speakers for snr in NOISES for line in (said if name in NATURAL else said[::2])
    ]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, jobs))


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:5.1f}" if whole else "    –"


def report(outcomes: Sequence[Outcome]) -> None:
    names = list(dict.fromkeys(o.voice for o in outcomes))
    print("\ntasks right, %  (constrained | nearest phrase to the free transcript | free transcript verbatim)")
    for name in names:
        cells = []
        for snr in NOISES:
            rows = [o for o in outcomes if o.voice == name and o.snr_db == snr and o.line.task]
            right = sum(o.right for o in rows)
            near = sum(o.free_nearest == o.line.task for o in rows)
            exact = sum(o.free_exact == o.line.task for o in rows)
            cells.append(f"{label(snr):>6} {' |'.join(percent(n, len(rows)) for n in (right, near, exact))}")
        print(f"  {name:10} {'    '.join(cells)}")
    print("\nverdicts on sentences of the grammar, %   (wrong accepts: the number that matters)")
    for group, members in (("natural", NATURAL), ("robotic", tuple(n for n in names if n not in NATURAL))):
        for snr in NOISES:
            rows = [o for o in outcomes if o.voice in members and o.snr_db == snr and o.line.task]
            count = Counter((o.verdict, o.right) for o in rows)
            print(
                f"  {group:8} {label(snr):>6}: accept {percent(count[Accept.ACCEPT, True], len(rows))}"
                f"  confirm {percent(count[Accept.CONFIRM, True], len(rows))}"
                f"  reject {percent(count[Accept.REJECT, True] + count[Accept.REJECT, False], len(rows))}"
                f"  wrong confirm {percent(count[Accept.CONFIRM, False], len(rows))}"
                f"  WRONG ACCEPT {percent(count[Accept.ACCEPT, False], len(rows))}  of {len(rows)}"
            )
    strange = [o for o in outcomes if o.line.task is None]
    kinds = Counter(o.verdict.value for o in strange)
    print(f"\noutside the grammar, {len(strange)} clips: {', '.join(f'{n} {k}' for k, n in kinds.items())}")
    for o in outcomes:
        if o.verdict is Accept.ACCEPT and not o.right:
            print(f"  wrongly accepted: {o.voice} {label(o.snr_db)}: {o.line.text!r} as {o.task} (free: {o.heard!r})")
    took = np.array([o.took_s for o in outcomes if o.took_s])
    speech = np.array([o.speech_s for o in outcomes if o.took_s])
    p50, p95, p99 = (float(q) for q in np.percentile(took, [50, 95, 99]))
    print(f"\nlatency with 2 threads on {len(took)} clips of {speech.mean():.1f} s:", end=" ")
    print(f"p50 {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms;", end=" ")
    print(f"{speech.sum() / took.sum():.1f} seconds of speech a second and thread")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("fit", "check"), default="check", help="fit: the clips thresholds came from")
    parser.add_argument("--count", type=int, default=34, help="sentences a voice")
    options = parser.parse_args()
    outcomes = measure(options.part, options.count)
    report(outcomes)
    wrong = sum(o.verdict is Accept.ACCEPT and not o.right for o in outcomes)
    return 1 if wrong > 0.02 * len(outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
