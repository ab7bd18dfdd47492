"""Callers who talk, to a whole line: ``python -m tests.bench.talkers [--callers 30] [--seconds 45] [--json FILE]``.

A natural voice says a sentence of the reference company every eight seconds in each call, over SIP and RTP. Printed:
from the caller's last sound to the line's first and to its answer (a murmur is none); who was refused; CPU by process
once all talk, and what everybody else on the machine took then, without which no figure means much. Aims: answers p95
0.8 s up to 60 callers a core; whatever is offered, nobody taken waits 1.5 s for a sound or 2.5 s for the answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ivr.config import SpeechConfig
from ivr.demo.line import ROOT, LineSetup, RunningLine
from ivr.media.process.codec import PCMU
from ivr.media.process.play_queue import Recording
from ivr.softphone.g711 import encode
from ivr.softphone.voices import CallerVoice
from ivr.speech.service import WorkerSpeechService
from tests.bench.figures import Figure, tell
from tests.bench.process_tree import Spent, Watch, memory_mb, settled
from tests.bench.talking_callers import FRAME, WELCOME_S, Heard, Plan, Sentence, sounds, talk
from tests.bench.waits import quantile

TEXTS = (
    "What's next?",
    "Move Casablanca to the top.",
    "Put Vertigo at number three.",
    "Remove The Third Man from my queue.",
    "No.",
    "Yes.",
    "Move Rear Window to number two.",
    "Help.",
)
NUMBERS = ("5035550101", "5035550102", "5035550103", "5035550105")
AIM_ANSWER_P95_S, MOST_SILENCE_S, MOST_ANSWER_S = 0.8, 1.5, 2.5
TALKERS_A_CORE = 60
EVERY_S, RAMP_S = 8.0, 10.0
MURMUR = "One moment."


def frames_of(pcm: bytes) -> list[bytes]:
    padded = pcm + bytes(-len(pcm) % (2 * FRAME))
    payload = encode(padded)
    return [payload[at : at + FRAME] for at in range(0, len(payload), FRAME)]


def sentence(voice: CallerVoice, text: str) -> Sentence:
    """With the line's noise around it, as a telephone has it."""
    spoken = np.pad(np.frombuffer(voice.speak(text), "<i2").astype(np.float64), (0, 1600))
    noisy = spoken + np.random.default_rng(len(text)).normal(0, 8, len(spoken))
    frames = frames_of(np.clip(noisy, -32768, 32767).astype("<i2").tobytes())
    return Sentence(frames, max(n for n, frame in enumerate(frames) if sounds(frame)))


async def murmur() -> frozenset[bytes]:
    """The frames of the line's murmur, as it would play them."""
    audio = ROOT / "audio"
    speech = WorkerSpeechService(SpeechConfig(recordings=audio, cache=audio / ".cache"))
    await speech.speaker.start()
    try:
        clip = await speech.render(MURMUR, "en-US")
    finally:
        await speech.speaker.worker.stop()
    return frozenset(frame for frame in Recording(clip.pcm).payloads(PCMU) if sounds(frame))


async def called(plan: Plan, pid: int, *, from_s: float = 0.0) -> tuple[Heard, Spent, dict[str, float]]:
    """What callers heard of whoever answers them in the process ``pid``, what that cost from so many seconds after the
    first call on, and its memory in MB by process at the end."""
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        caller = await loop.run_in_executor(pool, os.getpid)
        talking = loop.run_in_executor(pool, talk, plan)
        await asyncio.wait({talking}, timeout=from_s)
        watch = Watch.on(pid, caller)
        return await talking, watch.spent(), memory_mb(pid)


def all_talk_s(plan: Plan) -> float:
    """Seconds after the first call from which everybody talks; half of a run that is too short for that."""
    return min(plan.ramp_s + WELCOME_S + plan.every_s, plan.seconds / 2)


async def measured(plan: Plan, setup: LineSetup) -> tuple[Heard, Spent, dict[str, float], dict[str, Any]]:
    """As ``called``, and what /readyz said of speech in the middle of it."""
    async with RunningLine.running(setup) as line:
        await settled(line.process.pid)
        calling = asyncio.create_task(called(plan.to(line.sip), line.process.pid, from_s=all_talk_s(plan)))
        await asyncio.sleep(plan.seconds / 2)
        async with asyncio.timeout(10):
            speech = (await line.ready())["speech"]
        return (*await calling, speech)


def report(plan: Plan, heard: Heard, spent: Spent, speech: dict[str, Any]) -> dict[str, Any]:
    """Print it, and the same as JSON."""
    said: dict[str, Any] = {"callers": plan.callers, "seconds": plan.seconds, "turns": len(heard.turns)}
    print(f"{plan.callers} callers for {plan.seconds:g} s, a sentence every {plan.every_s:g} s; {os.cpu_count()} cores")
    for name in ("sound", "answer"):
        waits = [wait for turn in heard.turns if (wait := getattr(turn, f"{name}_s")) is not None]
        figures = {"p50": quantile(waits, 0.5), "p95": quantile(waits, 0.95), "worst": max(waits, default=float("nan"))}
        said[name] = {**figures, "none": len(heard.turns) - len(waits)}
        told = "  ".join(f"{key} {value:5.2f} s" for key, value in figures.items())
        print(f"{'first ' + name if name == 'sound' else name:12} {told}   of {len(waits)}, none {said[name]['none']}")
    refused = " ".join(f"{status}: {count}" for status, count in sorted(heard.refused.items())) or "none"
    print(
        f"taken {heard.talked}, refused {refused}, unanswered {heard.unanswered}, ended by the line {heard.ended};"
        f" speech {speech['talkers']} of {speech['most']}, waited {speech['waited_s']} s"
    )
    cores = dict(sorted(spent.cores.items()))
    parts = "  ".join(f"{role} {used:.2f}" for role, used in cores.items())
    print(
        f"CPU in cores, once all talk: {parts}  together {sum(cores.values()):.2f}, callers {spent.own_cores:.2f};"
        f" neighbours {spent.others_cores:.2f}, load {spent.load:.1f},"
        f" these callers themselves late by up to {1000 * heard.late_s:.0f} ms"
    )
    said |= {"refused": heard.refused, "taken": heard.talked, "unanswered": heard.unanswered, "ended": heard.ended}
    said |= {"cores": cores, "neighbours": spent.others_cores, "load": spent.load, "speech": speech}
    return said


def meant(plan: Plan) -> bool:
    """Whether a machine like this is there for so many."""
    return plan.callers <= TALKERS_A_CORE * (os.cpu_count() or 1)


def met(plan: Plan, said: dict[str, Any]) -> bool:
    within = said["sound"]["worst"] <= MOST_SILENCE_S and said["answer"]["worst"] <= MOST_ANSWER_S
    served = not meant(plan) or said["answer"]["p95"] <= AIM_ANSWER_P95_S
    return bool(within and served and not said["unanswered"] and said["turns"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=45.0)
    parser.add_argument("--voice", default="joe")
    parser.add_argument("--speech", default="", help="lines of [speech], with \\n between them")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    voice = CallerVoice(options.voice)
    plan = Plan(
        line=("", 0),
        callers=options.callers,
        seconds=options.seconds,
        every_s=EVERY_S,
        ramp_s=RAMP_S,
        numbers=NUMBERS,
        sentences=[sentence(voice, text) for text in TEXTS],
        murmur=asyncio.run(murmur()),
    )
    folder = Path(tempfile.mkdtemp(prefix="ivr-talkers-"))
    setup = LineSetup(folder, max_calls=options.callers + 10, speech=options.speech.replace("\\n", "\n"))
    heard, spent, memory, speech = asyncio.run(measured(plan, setup))
    said = {**report(plan, heard, spent, speech), "memory_mb": memory}
    if options.json:
        options.json.write_text(json.dumps(said, indent=1), encoding="utf-8")
    good = met(plan, said)
    others, aim = spent.others_cores, AIM_ANSWER_P95_S if meant(plan) else None
    tell(
        Figure(f"answer p95 of {plan.callers}", said["answer"]["p95"], "s", aim, neighbours=others),
        Figure("longest answer", said["answer"]["worst"], "s", MOST_ANSWER_S, neighbours=others),
        Figure("longest silence", said["sound"]["worst"], "s", MOST_SILENCE_S, neighbours=others),
    )
    print(
        f"aims of {AIM_ANSWER_P95_S:g} s (p95 of answers, {TALKERS_A_CORE} a core), {MOST_SILENCE_S:g} s of silence,"
        f" {MOST_ANSWER_S:g} s to any answer: {'met' if good else 'MISSED'}"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
