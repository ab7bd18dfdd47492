"""Others beside the line, in one run: ``python -m tests.bench.peers [--calls 1 10 50 100] [--pipecat PYTHON]``.

The same callers, from the same program, phone the line, SIPp's own answering side (``-sn uas -rtp_echo``: it says
nothing, and sends each packet back) and pyVoIP (one process that says a clip). Printed: from the INVITE to the first
sound, how many of 50 packets a second came, CPU and memory; the loads go up until a first sound takes longer than a
second. pyVoIP lets each call ring for a second of its own, which is not counted against it. With few calls CPU is
mostly what somebody takes without any: compare it at the same, high number of calls.

Then one caller talks, and several at once: the same sentences, by the same voice, to the line (by SIP and RTP) and to a
pipecat-ai pipeline (by neither) with the same recogniser and synthesiser; ``pipecat_turns.py`` says how. Printed: from
the caller's last sound to the first of the answer, and CPU a turn, everything included. What is not installed is named
and left out.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ivr.demo.line import LineSetup, RunningLine
from ivr.softphone.voices import CallerVoice
from tests.bench.figures import Figure, tell
from tests.bench.pipecat_peer import TURN_S, Talk, pipecat_talk
from tests.bench.process_tree import settled
from tests.bench.talkers import NUMBERS, TEXTS, called, murmur, sentence
from tests.bench.talking_callers import Plan, Sentence
from tests.bench.waits import Waits
from tests.wire.ports import free_port
from tests.wire.sipp import start_sipp

HOST = "127.0.0.1"
CALLS = (1, 10, 50, 100, 200)
MOST_FIRST_SOUND_S = 1.0
RATE = 20.0  # new calls a second
HOLD_S = 8.0
WARM_S = 9.0
TALKERS = (1, 8)
TURNS = 8
CLIP = "Welcome to your film queue. You can hear what's next, or move, add and remove titles."


@dataclass(frozen=True, slots=True)
class Answering:
    """Somebody who answers at ``target``, in the process ``pid``; ``rings_s``: what it always waits before that."""

    name: str
    target: str
    pid: int
    rings_s: float = 0.0
    says: bool = True
    callers_port: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One load of one of them. ``first``: less what it always lets ring."""

    who: str
    calls: int
    answered: int
    first: Waits
    packets_a_second: float
    cpu_ms: float  # a call-second
    memory_mb: float
    neighbours: float
    load: float
    says: bool

    @property
    def late(self) -> bool:
        """Or nothing was heard by somebody."""
        return self.says and (self.first.count < self.calls or self.first.p95 > MOST_FIRST_SOUND_S)

    def __str__(self) -> str:
        first = f"first sound {self.first}" if self.says else "says nothing"
        return (
            f"{self.who:9} {self.calls:4} calls, {self.answered} answered; {first}; {self.packets_a_second:.1f} packets"
            f" a second; {self.cpu_ms:.2f} ms of CPU a call-second, {self.memory_mb:.0f} MB;"
            f" neighbours {self.neighbours:.2f}, load {self.load:.1f}"
        )


def listeners(calls: int, hold_s: float, quiet: Sequence[Sentence], port: int) -> Plan:
    """Who call, listen and say nothing."""
    ramp = calls / RATE
    return Plan(("", 0), calls, ramp + hold_s, 1e9, ramp, NUMBERS, quiet, frozenset(), port)


async def load(who: Answering, calls: int, hold_s: float, quiet: Sequence[Sentence]) -> Row:
    plan = listeners(calls, hold_s, quiet, who.callers_port).to(who.target)
    heard, spent, memory = await called(plan, who.pid)
    return Row(
        who=who.name,
        calls=calls,
        answered=heard.talked,
        first=Waits.of([max(0.0, each - who.rings_s) for each in heard.first_s]),
        packets_a_second=heard.packets_a_second,
        cpu_ms=1000 * spent.together / max(heard.call_seconds, 1e-9),
        memory_mb=sum(memory.values()),
        neighbours=spent.others_cores,
        load=spent.load,
        says=who.says,
    )


@asynccontextmanager
async def line(calls: int) -> AsyncIterator[Answering]:
    """After a first conversation with each caller: what is made when it is first wanted is no call's cost."""
    folder = Path(tempfile.mkdtemp(prefix="ivr-peers-"))
    setup = LineSetup(folder, max_calls=calls + 10, speech=f"talkers = {calls + 10}")  # those who only listen, too
    async with RunningLine.running(setup) as running:
        await settled(running.process.pid)
        said = [sentence(CallerVoice("joe"), "What's next?")]
        first = Plan(("", 0), len(NUMBERS), WARM_S, WARM_S, 0.5, NUMBERS, said, frozenset())
        await called(first.to(running.sip), running.process.pid)
        await settled(running.process.pid)
        yield Answering("the line", running.sip, running.process.pid)


@asynccontextmanager
async def sipp(calls: int) -> AsyncIterator[Answering]:
    folder = Path(tempfile.mkdtemp(prefix="ivr-peers-"))
    options = ("-rtp_echo", "-mp", str(free_port(HOST)))
    run = await start_sipp("uas", folder, calls=10 * calls, deadline_s=600, options=options, traces=("err",))
    try:
        yield Answering("SIPp", f"{run.host}:{run.port}", run.process.pid, says=False)
    finally:
        await run.stop()


@asynccontextmanager
async def pyvoip(_calls: int) -> AsyncIterator[Answering]:
    folder = Path(tempfile.mkdtemp(prefix="ivr-peers-"))
    clip, port = folder / "clip.pcm", free_port(HOST)
    clip.write_bytes(CallerVoice("joe").speak(CLIP))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.pyvoip_answers", str(port), str(clip)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            told = (await process.stdout.readline()).decode().split()
        if told[:1] != ["ready"]:
            raise RuntimeError("pyVoIP did not start")
        yield Answering("pyVoIP", f"{HOST}:{told[1]}", process.pid, rings_s=1.0, callers_port=port)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def missing(pipecat: Path) -> dict[str, str]:
    """Who can't be measured here, and what to do about it."""
    found = {}
    if shutil.which("sipp") is None:
        found["SIPp"] = "apt-get install sip-tester"
    if find_spec("pyVoIP") is None:
        found["pyVoIP"] = "pip install '.[softphone]'"
    command = [str(pipecat), "-c", "import pipecat, ivr"]
    if not pipecat.exists() or subprocess.run(command, check=False, capture_output=True).returncode:
        found["pipecat"] = "`make bench` installs it, in an environment of its own (pip install '.[bench]')"
    return found


async def answering(calls: Sequence[int], hold_s: float, gone: dict[str, str]) -> list[Row]:
    """Each of them with more and more calls, until a first sound is late."""
    quiet = [sentence(CallerVoice("joe"), "No.")]
    rows: list[Row] = []
    for name, begin in (("the line", line), ("SIPp", sipp), ("pyVoIP", pyvoip)):
        for number in calls if name not in gone else ():
            async with begin(number) as who:
                rows.append(await load(who, number, hold_s, quiet))
            print(rows[-1], flush=True)
            if rows[-1].late:
                break
    return rows


async def line_talk(callers: int, turns: int, said: Sequence[Sentence]) -> Talk:
    seconds = 8.0 + turns * TURN_S
    plan = Plan(("", 0), callers, seconds, TURN_S, TURN_S * (1 - 1 / callers), NUMBERS, said, await murmur())
    async with line(callers) as who:
        heard, spent, memory = await called(plan.to(who.target), who.pid)
    answers = [turn.answer_s for turn in heard.turns if turn.answer_s is not None]
    return Talk(
        who="the line",
        callers=callers,
        answer=Waits.of(answers),
        unanswered=len(heard.turns) - len(answers),
        cpu_ms=1000 * spent.together / max(len(heard.turns), 1),
        memory_mb=sum(memory.values()),
        neighbours=spent.others_cores,
        note="over SIP and RTP",
    )


async def talking(python: Path, callers: Sequence[int], turns: int, gone: dict[str, str], both: bool) -> list[Talk]:
    voice = CallerVoice("joe")
    said = [sentence(voice, text) for text in TEXTS]
    talks = []
    for number in callers:
        talks.append(await line_talk(number, turns, said))
        print(talks[-1], flush=True)
        for turn_model in (True, False) if both else (True,):
            if "pipecat" in gone:
                continue
            try:
                talks.append(await pipecat_talk(python, number, turns, said, turn_model))
            except (RuntimeError, TimeoutError) as error:
                gone["pipecat"] = f"it failed here: {error}"
                continue
            print(talks[-1], flush=True)
    return talks


def figures(rows: Sequence[Row], talks: Sequence[Talk]) -> list[Figure]:
    found = []
    for name in dict.fromkeys(row.who for row in rows):
        mine = [row for row in rows if row.who == name]
        good = max((row.calls for row in mine if not row.late), default=0)
        last = mine[-1]
        beyond = f"late at {last.calls}" if last.late else f"{good} was the most tried"
        if last.says:
            found.append(Figure(f"{name}: calls with a first sound within 1 s", good, "calls", note=beyond))
        best = next((row for row in reversed(mine) if not row.late), last)
        found.append(
            Figure(f"{name}: CPU of a call-second at {best.calls}", best.cpu_ms, "ms", neighbours=best.neighbours)
        )
        note = f"of 50, at {last.calls} calls"
        found.append(
            Figure(f"{name}: packets a second", last.packets_a_second, "", neighbours=last.neighbours, note=note)
        )
    for talk in talks:
        at = "one talks" if talk.callers == 1 else f"{talk.callers} talk"
        found += [
            Figure(f"{talk.who}: answer p50, {at}", talk.answer.p50, "s", neighbours=talk.neighbours, note=talk.note),
            Figure(f"{talk.who}: answer p95, {at}", talk.answer.p95, "s", neighbours=talk.neighbours),
            Figure(f"{talk.who}: CPU of a turn, {at}", talk.cpu_ms, "ms", neighbours=talk.neighbours),
        ]
    return found


def main() -> int:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--calls", type=int, nargs="+", default=CALLS)
    parser.add_argument("--hold", type=float, default=HOLD_S, help="seconds that each load stays up")
    parser.add_argument("--talkers", type=int, nargs="+", default=TALKERS, help="callers who talk at once")
    parser.add_argument("--turns", type=int, default=TURNS, help="of each of them")
    parser.add_argument("--one", action="store_true", help="pipecat with its turn model only, not by time as well")
    own = Path(sys.prefix) / "peers" / "bin" / "python"
    parser.add_argument("--pipecat", type=Path, default=own, metavar="PYTHON", help="of the environment that has it")
    options = parser.parse_args()
    gone = missing(options.pipecat)
    rows = asyncio.run(answering(sorted(options.calls), options.hold, gone))
    talks = asyncio.run(talking(options.pipecat, options.talkers, options.turns, gone, not options.one))
    tell(*figures(rows, talks))
    for name, remedy in gone.items():
        print(f"NOT MEASURED: {name}: {remedy}")
    ours = [row for row in rows if row.who == "the line"]
    good = bool(talks[0].answer.count) and not any(row.late or row.answered < row.calls for row in ours)
    aim = f"the line's first sound within {MOST_FIRST_SOUND_S:g} s of each INVITE, and an answer"
    print(f"{aim}: {'met' if good else 'MISSED'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
