"""Reorders spoken in real calls: ``python -m tests.bench.spoken_calls [--sentences 8] [--lanes 1] [--natural]``.

The acceptance suite's sentences and voices, over SIP and RTP by softphones, some at a time, against a whole line.
Prints how many calls ended in the right order and, measured on the wire, how long callers waited for the answer; then
where the time went (as ``ivr speech timeline`` does), and how busy the machine was: neighbours are in the figures.
Aim: nine in ten right with natural voices, no wrong order, answers within 0.45 s (p50) and 0.8 s (p95).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ivr.demo.line import LineSetup, RunningLine
from ivr.errors import TelephonyError
from ivr.numbering import NumberingPlan
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from ivr.softphone.timing import responses, summary
from ivr.softphone.voices import CallerVoice
from ivr.workshop.timeline.turns import table, turns
from tests.acceptance.sentences import ADA_QUEUE, REORDERS, Sentence
from tests.acceptance.spoken import Speaker
from tests.acceptance.test_spoken_reorders import LEAST_RIGHT, NATURAL, ROBOT
from tests.bench.figures import Figure, tell

# One member a lane: phone and number. Each gets Ada's queue before each call.
LANES = (("5035550101", "10001"), ("5035550102", "10002"), ("5035550103", "10003"), ("5035550105", "10005"))
# As callers of the acceptance suite, and one more throat: natural ones are what the aims are about.
CALLERS = (*NATURAL, Speaker("hibari, lower", "hibari", speed=1.14, shift=0.88))
MOST_ANSWERS = 3
AIM_P50_S, AIM_P95_S = 0.45, 0.8


class Throat(CallerVoice):
    """A speaker as the caller's voice of a script."""

    def __init__(self, speaker: Speaker) -> None:
        super().__init__(speaker.voice)
        self._speaker = speaker

    async def speak_soon(self, text: str) -> bytes:
        return await self._speaker.say(text)


@dataclass(frozen=True, slots=True)
class Call:
    """``kind`` is "right", "wrong" (a change nobody asked for), or "unserved"."""

    speaker: Speaker
    sentence: Sentence
    kind: str
    state: str
    waits: Sequence[float] = field(default=())


def set_table(line: RunningLine, member: str) -> None:
    """Ada's queue for this member, and nothing left of an earlier call."""
    with closing(sqlite3.connect(line.setup.folder / "ivr.sqlite3", timeout=10)) as database, database:
        (identity,) = database.execute("SELECT id FROM members WHERE number = ?", (member,)).fetchone()
        titles = [
            database.execute("SELECT id FROM titles WHERE name = ? ORDER BY id", (name,)).fetchone()[0]
            for name in ADA_QUEUE
        ]
        (moment,) = database.execute("SELECT max(added_at) FROM queue_entries").fetchone()
        database.execute("DELETE FROM queue_entries WHERE member_id = ?", (identity,))
        database.executemany(
            "INSERT INTO queue_entries (member_id, position, title_id, added_at) VALUES (?, ?, ?, ?)",
            [(identity, place, title, moment) for place, title in enumerate(titles, 1)],
        )
        database.execute("DELETE FROM resume_points")


async def live(line: RunningLine, number: str) -> dict[str, Any] | None:
    """The caller's call, with its transcript."""
    wanted = NumberingPlan().number(number)
    call = next((c for c in await line.calls(live=True) if c["caller"] == wanted), None)
    if call is None:
        return None
    return {**call, **await line.get(f"/api/calls/{call['call_id']}")}


async def one(line: RunningLine, lane: tuple[str, str], speaker: Speaker, sentence: Sentence) -> Call:
    number, member = lane
    set_table(line, member)
    state = ""
    async with Softphone.open() as phone:
        async with Caller.calling(phone, line.uri, Throat(speaker), from_number=number) as caller:
            try:
                await caller.prompt_end()
                await caller.say(sentence.text)
                await caller.prompt_end()
                for _ in range(MOST_ANSWERS):
                    call = await live(line, number)
                    if call is None:
                        break
                    state = call["state"]
                    said = [entry["text"] for entry in call["transcript"] if entry["kind"] == "prompt"]
                    if call["listening_for"] == "confirm":
                        agreed = any(sentence.meaning.asked_by(part) for part in _questions(said[-1]))
                        await caller.say("Yes." if agreed else "No.")
                    elif state == "main.ask" and "again" in said[-1]:
                        await caller.say(sentence.text)
                    else:
                        break
                    await caller.prompt_end()
            except TelephonyError:
                state += " (the line hung up)"
        waits = [r.seconds for r in responses(phone.timeline) if r.seconds is not None and not r.overlapped]
    after = await line.queue(member)
    right = after == sentence.meaning.apply(ADA_QUEUE)
    kind = "right" if right else "unserved" if after == list(ADA_QUEUE) else "wrong"
    return Call(speaker, sentence, kind, state, waits)


def _questions(said: str) -> list[str]:
    """Each ending of the prompt that may be the question: what was said before it is in the same entry."""
    return [said[start:] for start in range(len(said)) if not start or said[start - 1] == " "]


async def measure(count: int, lanes: int, speakers: Sequence[Speaker]) -> bool:
    sentences = REORDERS[:: max(1, len(REORDERS) // count)][:count]
    for speaker in speakers:
        for text in ("Yes.", "No.", *(s.text for s in sentences)):
            await speaker.say(text)
    folder = Path(tempfile.mkdtemp(prefix="ivr-spoken-"))
    work: asyncio.Queue[tuple[Speaker, Sentence]] = asyncio.Queue()
    for sentence in sentences:
        for speaker in speakers:
            work.put_nowait((speaker, sentence))
    calls: list[Call] = []
    async with RunningLine.running(LineSetup(folder)) as line:

        async def work_off(lane: tuple[str, str]) -> None:
            while not work.empty():
                call = await one(line, lane, *work.get_nowait())
                calls.append(call)
                waits = " ".join(f"{wait:.2f}" for wait in call.waits)
                print(f"  {call.kind}: {call.speaker.name}: {call.sentence.text!r}: {waits}", flush=True)

        async with asyncio.TaskGroup() as tasks:
            for lane in LANES[:lanes]:
                tasks.create_task(work_off(lane))
    met = report(calls, speakers, lanes)
    with (folder / "ivr.log").open(encoding="utf-8") as log:
        found = list(turns(json.loads(entry) for entry in log))
    print(table(found) if found else "no turn in the log")
    print(f"load {os.getloadavg()[0]:.1f}; the log is {folder / 'ivr.log'}")
    return met


def report(calls: Sequence[Call], speakers: Sequence[Speaker], lanes: int) -> bool:
    print(f"{len(calls)} calls over SIP and RTP, {lanes} at a time, {os.cpu_count()} cores")
    met = not any(call.kind == "wrong" for call in calls)
    for speaker in speakers:
        mine = [call for call in calls if call.speaker == speaker]
        right = sum(call.kind == "right" for call in mine)
        waited = summary([wait for call in mine for wait in call.waits])
        times = (
            f"answers p50 {waited.p50:.2f} s ({waited.p50 / AIM_P50_S:.2f} x aim), "
            f"p95 {waited.p95:.2f} s ({waited.p95 / AIM_P95_S:.2f} x aim), worst {waited.worst:.2f} s of {waited.count}"
            if waited
            else "no answer heard"
        )
        print(f"  {speaker.name:12} {right} of {len(mine)} right ({right / max(len(mine), 1):.0%});  {times}")
        if speaker in CALLERS:
            met &= right >= LEAST_RIGHT * len(mine) and waited is not None
    together = summary([wait for call in calls for wait in call.waits if call.speaker in CALLERS])
    if together is not None:
        print(f"natural voices: {together.count} answers, p50 {together.p50:.2f} s, p95 {together.p95:.2f} s")
        met &= together.p50 <= AIM_P50_S and together.p95 <= AIM_P95_S
        tell(
            Figure("answer p50, whole calls", together.p50, "s", AIM_P50_S),
            Figure("answer p95, whole calls", together.p95, "s", AIM_P95_S),
        )
    for call in calls:
        if call.kind != "right":
            print(f"  {call.kind}: {call.speaker.name}: {call.sentence.text!r}, left in {call.state}")
    print(f"aims: {'met' if met else 'MISSED'}")
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=8, help=f"of {len(REORDERS)}")
    parser.add_argument("--lanes", type=int, default=1, choices=range(1, len(LANES) + 1), help="calls at a time")
    parser.add_argument("--natural", action="store_true", help="without the robotic voice")
    options = parser.parse_args()
    speakers = CALLERS if options.natural else (*CALLERS, ROBOT)
    return 0 if asyncio.run(measure(options.sentences, options.lanes, speakers)) else 1


if __name__ == "__main__":
    sys.exit(main())
