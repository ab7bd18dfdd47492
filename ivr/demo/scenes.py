"""Three calls. Each returns what was checked afterwards, against the database, the agent's phone and the wire."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ivr.demo.line import RunningLine
from ivr.demo.screen import Screen
from ivr.errors import TelephonyError
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller, TranscriptLine
from ivr.softphone.timing import joined_at, key_silences, responses, speech_silences
from ivr.softphone.voices import CallerVoice

ADA = "5035550101"
ADA_NUMBER = "10001"
JUNE = "5035550103"
TRIES = 2  # who was not understood says it once more
WANT_YES = frozenset({"confirm", "meant", "goodbye"})  # what was heard with doubt is asked about
HEAR = "what's in my queue"
GREETING = "This is Sam at the desk, I can see what you told the line. How can I help?"


@dataclass(slots=True)
class Outcome:
    """``turns``: what was said and the seconds to the first sound of the answer. ``checks``: (held, what)."""

    name: str
    recording: Path
    turns: list[tuple[str, float]] = field(default_factory=list)
    checks: list[tuple[bool, str]] = field(default_factory=list)
    key_silences: list[float] = field(default_factory=list)
    speech_silences: list[float] = field(default_factory=list)
    to_human_s: float | None = None

    def check(self, held: bool, text: str) -> None:
        self.checks.append((held, text))


@asynccontextmanager
async def _calling(
    line: RunningLine, number: str, voice: CallerVoice, screen: Screen, recording: Path
) -> AsyncIterator[Caller]:
    def show(said: TranscriptLine) -> None:
        if said.who != "line":  # the log tells better what the line says
            screen.line(said.who, said.text)

    async with Softphone.open() as phone:
        async with Caller.calling(phone, line.uri, voice, from_number=number, show=show) as caller:
            yield caller
        phone.save(recording)


async def _asked(line: RunningLine) -> str:
    """What the line listens for; "" when it doesn't, or the call is over."""
    calls = await line.calls(live=True)
    return str(calls[0]["listening_for"]) if calls else ""


async def reorder(line: RunningLine, agent: Softphone, voice: CallerVoice, screen: Screen, out: Path) -> Outcome:
    """A caller moves a title to the top by voice, and does a few more things."""
    screen.heading("(a) “Move Casablanca to the top”")
    outcome = Outcome("reorder", out / "a-reorder.wav")
    before = await line.queue(ADA_NUMBER)
    requests: dict[str, Callable[[list[str]], bool]] = {
        "move Casablanca to the top": lambda queue: queue[0] == "Casablanca",
        "what's next": lambda queue: True,
        "move Rear Window to number three": lambda queue: queue[2] == "Rear Window",
        "swap Metropolis and Vertigo": lambda queue: queue.index("Metropolis") > queue.index("Vertigo"),
    }
    for sentence in [*requests, HEAR, "yes", "no", "that's all"]:
        await voice.speak_soon(sentence)
    said: list[str] = []
    async with _calling(line, ADA, voice, screen, outcome.recording) as caller:

        async def say(text: str) -> None:
            said.append(text)
            await caller.say(text)

        await caller.prompt_end()
        for request, done in requests.items():
            for _ in range(TRIES):
                await say(request)
                await caller.prompt_end()
                if await _asked(line) in WANT_YES:
                    await say("yes")
                    await caller.prompt_end()
                if done(await line.queue(ADA_NUMBER)):
                    break
        await say(HEAR)
        await caller.prompt_begin()
        await caller.press("#")  # any key silences the line; this one means nothing more
        await caller.prompt_end()
        await say("no")
        await caller.prompt_end()
        await say(HEAR)
        await caller.prompt_begin()
        await say("that's all")  # the caller need not wait until the line is done
        with suppress(TelephonyError):  # it has hung up
            for _ in range(TRIES + 1):
                await caller.prompt_end()
                if not (asked := await _asked(line)):
                    break
                await say("yes" if asked in WANT_YES else "that's all")
        await caller.phone.wait_ended(20)
    measured = [None if r.overlapped else r.seconds for r in responses(caller.phone.timeline)]
    outcome.turns = [(text, s) for text, s in zip(said, measured, strict=False) if s is not None]
    outcome.key_silences = [s.seconds for s in key_silences(caller.phone.timeline) if s.seconds is not None]
    outcome.speech_silences = [s.seconds for s in speech_silences(caller.phone.timeline) if s.seconds is not None]
    after = await line.queue(ADA_NUMBER)
    await screen.call_over()
    screen.queues(before, after)
    outcome.check(after[0] == "Casablanca", "the database has Casablanca at the top")
    outcome.check(after.index("Rear Window") == 2, "and Rear Window at number three")
    outcome.check(after.index("Metropolis") > after.index("Vertigo"), "and Metropolis and Vertigo changed places")
    outcome.check(sorted(before) == sorted(after), "and nothing was lost or doubled")
    return outcome


async def zero_out(line: RunningLine, agent: Softphone, voice: CallerVoice, screen: Screen, out: Path) -> Outcome:
    """A caller presses 0 while the greeting still plays."""
    screen.heading("(b) 0 during the greeting")
    outcome = Outcome("zero", out / "b-zero.wav")
    hello = await voice.speak_soon(GREETING)
    async with _calling(line, JUNE, voice, screen, outcome.recording) as caller:
        await caller.prompt_begin()
        await caller.press("0")
        pressed = caller.phone.timeline.keys[0].at
        await agent.wait_answered(10)
        screen.line("agent", "picks up: " + _reason(agent))
        await agent.say(hello)
        await caller.say("I would like to know when my disc will arrive")
    await agent.wait_ended(10)
    heard_at = joined_at(caller.phone.timeline, agent.timeline, pressed)
    to_human = (heard_at or math.inf) - pressed
    screen.line("call", f"key to the agent's voice: {to_human:.2f} s")
    outcome.to_human_s = to_human
    await screen.call_over()
    outcome.check(to_human <= 2.0, f"talking to the agent's phone {to_human:.2f} s after the key (aim: 2 s)")
    both_ways = joined_at(agent.timeline, caller.phone.timeline, pressed) is not None
    outcome.check(both_ways, "the agent's phone hears the caller")
    return outcome


async def agitated(line: RunningLine, agent: Softphone, voice: CallerVoice, screen: Screen, out: Path) -> Outcome:
    """A caller thinks of cancelling; the agent sees the reason and every word."""
    screen.heading("(c) “I'm thinking of cancelling my membership”")
    outcome = Outcome("cancelling", out / "c-cancelling.wav")
    sentence = "I'm thinking of cancelling my membership"
    await voice.speak_soon(sentence)
    hello = await voice.speak_soon(GREETING)
    async with _calling(line, JUNE, voice, screen, outcome.recording) as caller:
        await caller.prompt_end()
        await caller.say(sentence)
        answered = await agent.wait_answered(15)
        screen.line("agent", "picks up: " + _reason(agent))
        await agent.say(hello)
        context = await line.get(answered.headers["x-ivr-context"])
    outcome.turns = [(sentence, r.seconds) for r in responses(caller.phone.timeline)[:1] if r.seconds is not None]
    await agent.wait_ended(10)
    await screen.call_over()
    screen.mapping("What the agent sees (from the URL in the INVITE)", context)
    outcome.check("cancel" in str(context.get("reason", "")), f"handed over because: {context.get('reason')}")
    outcome.check("cancel" in str(context.get("transcript", "")).lower(), "the transcript is with the agent")
    outcome.check("user-to-user" in answered.headers, "the INVITE carries User-to-User")
    return outcome


def _reason(agent: Softphone) -> str:
    incoming = agent.incoming
    return incoming.headers.get("x-ivr-reason", "") if incoming else ""
