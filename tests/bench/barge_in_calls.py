"""Barge-in on the wire: ``python -m tests.bench.barge_in_calls [--calls 12]``.

Callers of natural voices talk, and press keys, over the prompts of a whole line, by SIP and RTP. Printed: from the
packet with the caller's first sound, or the key's first event, to the line's first silent packet. What neighbours on
this machine take is in it. Aims (p95): 0.25 s for speech, 0.06 s for keys.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
from pathlib import Path

from ivr.demo.line import LineSetup, RunningLine
from ivr.errors import TelephonyError
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from ivr.softphone.timing import key_silences, speech_silences, summary
from ivr.softphone.voices import CallerVoice
from tests.bench.spoken_calls import CALLERS, Throat

SPEECH_AIM_S, KEY_AIM_S = 0.25, 0.06
NUMBER = "5035550101"
ASKED = "What's in my queue?"  # which takes long to say
OVER = ("What's next?", "Repeat that.", "Move Casablanca to the top.", "I'd like to hear my queue.")
QUIET_KEY = "#"  # silences the line, and means nothing more
INTO_S = (0.4, 1.2)  # of a prompt: when it is talked over


async def one(line: RunningLine, voice: CallerVoice, chance: random.Random) -> tuple[list[float], list[float]]:
    """Seconds to silence, from each sentence's first sound and from each key's first packet."""
    async with Softphone.open() as phone, Caller.calling(phone, line.uri, voice, from_number=NUMBER) as caller:

        async def into_a_prompt() -> None:
            await caller.prompt_begin()
            await asyncio.sleep(chance.uniform(*INTO_S))

        try:
            for text in OVER:
                await into_a_prompt()
                await caller.press(QUIET_KEY)
                await asyncio.sleep(chance.uniform(*INTO_S))
                await caller.say(ASKED)
                await into_a_prompt()
                await caller.say(text)
        except TelephonyError:
            pass  # it had enough of it
    speech, keys = speech_silences(phone.timeline), key_silences(phone.timeline)
    return [s.seconds for s in speech if s.seconds is not None], [k.seconds for k in keys if k.seconds is not None]


async def measure(calls: int) -> bool:
    throats = [Throat(speaker) for speaker in CALLERS]
    for throat in throats:
        for text in (ASKED, *OVER):
            await throat.speak_soon(text)
    chance = random.Random(7)  # spreads the calls over the ticks, the same in every run
    spoken: list[float] = []
    keyed: list[float] = []
    folder = Path(tempfile.mkdtemp(prefix="ivr-barge-in-"))
    async with RunningLine.running(LineSetup(folder)) as line:
        for number in range(calls):
            speech, keys = await one(line, throats[number % len(throats)], chance)
            spoken += speech
            keyed += keys
            told = " ".join(f"{each:.3f}" for each in speech), " ".join(f"{each:.3f}" for each in keys)
            print(f"  {CALLERS[number % len(CALLERS)].name}: speech {told[0]}; keys {told[1]}", flush=True)
    good = True
    for name, values, aim in (("speech", spoken, SPEECH_AIM_S), ("key", keyed, KEY_AIM_S)):
        found = summary(values)
        if found is None:
            print(f"{name}: stopped nothing")
            good = False
            continue
        good &= found.p95 <= aim
        p50, p95, worst = (1000 * value for value in (found.p50, found.p95, found.worst))
        print(
            f"{name} to silence: p50 {p50:.0f} p95 {p95:.0f} worst {worst:.0f} ms of {found.count} "
            f"(aim {aim * 1000:.0f})"
        )
    print(f"load {os.getloadavg()[0]:.1f}; aims: {'met' if good else 'MISSED'}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=12, help="of six prompts and more: fewer, and p95 is the worst")
    return 0 if asyncio.run(measure(parser.parse_args().calls)) else 1


if __name__ == "__main__":
    sys.exit(main())
