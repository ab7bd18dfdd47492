"""A caller's conversation with the line or a peer, as a row; and pipecat-ai's, each in a process of its environment."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivr.softphone.g711 import decode
from tests.bench.process_tree import Watch
from tests.bench.talkers import TEXTS
from tests.bench.talking_callers import Sentence
from tests.bench.waits import Waits

TURN_S = 8.0  # from sentence to sentence


@dataclass(frozen=True, slots=True)
class Talk:
    """So many callers who talk, a sentence every TURN_S."""

    who: str
    callers: int
    answer: Waits
    unanswered: int
    cpu_ms: float  # a turn
    memory_mb: float
    neighbours: float
    note: str = ""

    def __str__(self) -> str:
        return (
            f"{self.who:24} {self.callers} talk: answer {self.answer}, none {self.unanswered};"
            f" {self.cpu_ms:.0f} ms of CPU a turn, {self.memory_mb:.0f} MB; neighbours {self.neighbours:.2f};"
            f" {self.note}"
        )


async def pipecat_talk(python: Path, callers: int, turns: int, said: Sequence[Sentence], turn_model: bool) -> Talk:
    """A process a caller. Raises RuntimeError with what it said where it fails, TimeoutError."""
    folder = Path(tempfile.mkdtemp(prefix="ivr-peers-"))
    clips = []
    for number, (text, each) in enumerate(zip(TEXTS, said, strict=True)):
        file = folder / f"{number}.pcm"
        file.write_bytes(decode(b"".join(each.frames)).tobytes())
        clips.append({"text": text, "file": str(file), "last": each.last})
    processes = []
    for number in range(callers):
        first = number % len(clips)
        wanted = {"turns": turns, "turn_model": turn_model, "every_s": TURN_S, "clips": clips[first:] + clips[:first]}
        (folder / f"asked{number}.json").write_text(json.dumps(wanted))
        processes.append(await _begun(python, folder, number))
    watch = Watch.on(processes[0].pid, *(process.pid for process in processes[1:]))
    try:
        async with asyncio.timeout(120 + 20 * turns):
            talked = await asyncio.gather(
                *(_progress(process, watch, number == 0) for number, process in enumerate(processes))
            )
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
    for process, (text, _) in zip(processes, talked, strict=True):
        if process.returncode:
            raise RuntimeError(f"pipecat ended with {process.returncode}: {text[-800:]}")
    found: list[dict[str, Any]] = [json.loads((folder / f"out{n}.json").read_text()) for n in range(callers)]
    waits = [wait for each in found for wait in each["waits"]]
    return Talk(
        who=f"pipecat-ai {found[0]['version']}" + ("" if turn_model else ", by time"),
        callers=callers,
        answer=Waits.of([wait for wait in waits if wait is not None]),
        unanswered=waits.count(None),
        cpu_ms=1000 * sum(each["cpu_s"] for each in found) / len(waits),
        memory_mb=sum(each["memory_mb"] for each in found),
        neighbours=talked[0][1],
        note=f"Silero's {found[0]['ends']}; no SIP, no RTP",
    )


async def _begun(python: Path, folder: Path, number: int) -> asyncio.subprocess.Process:
    root = Path(__file__).resolve().parents[2]
    files = (str(folder / f"asked{number}.json"), str(folder / f"out{number}.json"))
    return await asyncio.create_subprocess_exec(
        *(str(python), "-m", "tests.bench.pipecat_turns", *files),
        stderr=asyncio.subprocess.PIPE,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )


async def _progress(process: asyncio.subprocess.Process, watch: Watch, shown: bool) -> tuple[str, float]:
    """What it said, and the cores that neighbours had until its last turn."""
    assert process.stderr is not None
    said, neighbours = "", 0.0
    while told := (await process.stderr.readline()).decode(errors="replace"):
        said += told
        if told.startswith("pipecat turn") and shown:
            neighbours = watch.spent().others_cores
            print(f"  {told.rstrip()}", flush=True)
    await process.wait()
    return said, neighbours
