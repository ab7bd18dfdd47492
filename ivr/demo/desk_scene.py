"""The desk's scene: two members wait for the one agent, whose phone is a browser; one is urgent, one is called back."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from ivr.cli.tail import follow
from ivr.config import SpeechConfig
from ivr.demo.agent_desk import AgentDesk, Pictures, logged_in, unseen
from ivr.demo.chromium import chromium, speaking, write_microphone
from ivr.demo.line import LineSetup, RunningLine
from ivr.demo.scenes import ADA, ADA_NUMBER, JUNE, Outcome
from ivr.demo.screen import Screen
from ivr.events import Cause, Recognition
from ivr.ports import SpeechGrammar
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller, TranscriptLine
from ivr.softphone.voices import CallerVoice
from ivr.speech.service import WorkerSpeechService

WALTER = "5035550102"
ADA_NAME, JUNE_NAME, WALTER_NAME = "Ada Moreno", "June Takahashi", "Walter Okafor"
PASSWORD = "seven quiet reels"  # of everybody who has an account on the demo's line  # noqa: S105
AGENT, SUPERVISOR = "sam", "sue"

GREETING = "good morning this is sam i can see what you told the line"
OTHERS = ("we will call you back goodbye", "what can i do for you", "move casablanca to the top", "yes", "no")
SENTENCE = SpeechGrammar("greeting", "en-US", (GREETING, *OTHERS))
FREELY = SpeechGrammar("none", "en-US", ())

PERSON, CANCEL = "I'd like to talk to a person", "I'm thinking of cancelling my membership"
CALL_BACK, YES = "call me back", "yes"
QUESTION = "What can I do for you"  # by then they are known
SAID = (PERSON, CANCEL, CALL_BACK, YES)
HEARS_S, WAITS_S = 25.0, 20.0


class Member:
    """A member on a telephone, who understands what they hear by the line's own recogniser."""

    def __init__(self, name: str, phone: Softphone, voice: CallerVoice, speech: WorkerSpeechService, screen: Screen):
        self.name = name
        self.phone = phone
        self._voice = voice
        self._speech = speech
        self._screen = screen
        self._heard: asyncio.Queue[bytes] = asyncio.Queue()

    @asynccontextmanager
    async def calling(self, line: RunningLine, number: str) -> AsyncIterator[Caller]:
        self._heard = asyncio.Queue()
        async with Caller.calling(
            self.phone, line.uri, self._voice, from_number=number, show=self._show, transcriber=self._transcribe
        ) as caller:
            yield caller

    @asynccontextmanager
    async def called(self, within_s: float = WAITS_S) -> AsyncIterator[Caller]:
        """The line rings here, and is answered by the telephone's own rule."""
        await self.phone.wait_incoming(within_s)
        await self.phone.wait_answered(within_s)
        self._screen.line("call", f"{self.name}'s telephone rings, and is picked up")
        self._heard = asyncio.Queue()
        caller = Caller(self.phone, self._voice, self._show, self._transcribe)
        async with caller.in_call():
            yield caller

    async def hears_the_agent(self) -> bool:
        """Whether the agent's sentence is recognised, among others, in time."""
        return bool(await self._hears(SENTENCE, lambda found: _accepted(found) == GREETING))

    async def hears(self, words: str) -> str:
        """What was said with these words (a pattern), as it is written down; "" where it was not heard in time."""
        return await self._hears(FREELY, lambda found: re.search(words, found.transcript, re.IGNORECASE) is not None)

    async def _hears(self, grammar: SpeechGrammar, wanted: Callable[[Recognition], bool]) -> str:
        try:
            async with asyncio.timeout(HEARS_S):
                while not wanted(found := await self._speech.recognise(await self._heard.get(), grammar)):
                    pass
        except TimeoutError:
            return ""
        self._screen.line("caller", f"{self.name} hears “{found.transcript}”")
        return found.transcript

    async def _transcribe(self, pcm: bytes) -> str:
        self._heard.put_nowait(pcm)
        return ""

    def _show(self, said: TranscriptLine) -> None:
        if said.who != "line":  # the log tells better what the line says
            self._screen.line(said.who, f"{self.name}: {said.text}")


def _accepted(found: Recognition) -> str:
    return found.nbest[0].text if found.cause is Cause.SUCCESS else ""


class LineLog:
    """What the line tells of itself, from now on, waited for by name."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open(encoding="utf-8")
        self._stream.seek(0, 2)
        self._lines = follow(path, self._stream)

    async def until(self, event: str, text: str = "") -> dict[str, Any]:
        """The next line of this event, with these words in its text. Raises TimeoutError."""
        async with asyncio.timeout(WAITS_S):
            async for line in self._lines:
                entry: dict[str, Any] = json.loads(line)
                if entry.get("event") == event and text in str(entry.get("text")):
                    return entry
        raise TimeoutError(f"the log ended without {event}")

    def close(self) -> None:
        self._stream.close()


@dataclass(frozen=True, slots=True)
class Kept:
    """The line's database, read from outside."""

    file: Path

    def rows(self, sql: str, *values: object) -> Sequence[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=10)) as database:
            return database.execute(sql, values).fetchall()


@dataclass(frozen=True, slots=True)
class Desk:
    """A line with one agent, who is logged in at the console page, and the telephones around it."""

    line: RunningLine
    agent: AgentDesk
    supervisor: Page
    ada: Member
    june: Member
    walter: Member

    @property
    def kept(self) -> Kept:
        return Kept(self.line.setup.folder / "ivr.sqlite3")


@asynccontextmanager
async def desk(folder: Path, screen: Screen, see: Pictures = unseen) -> AsyncIterator[Desk]:
    """Raises UnavailableError, with what to do where there is no Chromium."""
    folder.mkdir(parents=True, exist_ok=True)
    voice = CallerVoice("joe")
    for sentence in SAID:
        await voice.speak_soon(sentence)
    microphone = write_microphone(folder / "microphone.wav", await CallerVoice("hibari").speak_soon(GREETING))
    speech = WorkerSpeechService(SpeechConfig())
    async with (
        chromium(*speaking(microphone)) as browser,
        Softphone.open() as ada,
        Softphone.open() as june,
        Softphone.open() as walter,
        RunningLine.running(LineSetup(folder, gateway=f"sip:{ada.host}:{ada.port}"), show_progress=True) as line,
    ):
        try:
            await asyncio.gather(speech.start(), _hire(line))
            async with (
                logged_in(browser, line.http, AGENT, PASSWORD, see) as page,
                logged_in(browser, line.http, SUPERVISOR, PASSWORD) as supervisor,
            ):
                people = [
                    Member(name, phone, voice, speech, screen)
                    for name, phone in (("Ada", ada), ("June", june), ("Walter", walter))
                ]
                yield Desk(line, AgentDesk(page, see), supervisor, *people)
        finally:
            await speech.stop()


async def _hire(line: RunningLine) -> None:
    await line.hire(SUPERVISOR, "Sue Park", ("supervisor", "designer", "ops"), PASSWORD)
    await line.hire(AGENT, "Sam Lee", ("agent",), PASSWORD)


async def waiting(at: Desk, screen: Screen, out: Path) -> Outcome:
    """Sam talks with Walter. Ada asks for a person, hears her place and wants to be called back; June, who thinks of
    cancelling, comes later and is served first. Then Ada is called."""
    screen.heading("(d) Two wait for one agent: “call me back”")
    outcome = Outcome("desk", out / "d-desk.wav")
    agent, kept, log = at.agent, at.kept, LineLog(at.line.log)
    try:
        await agent.available()
        screen.line("agent", "Sam is available: the page in Chromium is the phone")
        await at.ada.phone.set_incoming("answer", after_s=0.5)
        async with at.walter.calling(at.line, WALTER) as walter:
            await log.until("dialogue.prompt", QUESTION)
            await walter.press("0")
            await agent.offered(WALTER_NAME)
            await agent.see(agent.page, "desk-offer")
            await agent.answer()
            screen.line("agent", "talks with Walter: nobody else is at the desk")
            await _asks_to_be_called_back(at, log, outcome)
            async with at.june.calling(at.line, JUNE) as june:
                await log.until("dialogue.prompt", QUESTION)
                await june.prompt_end()
                await june.say(CANCEL)
                await _urgent(at, outcome)
                await walter.phone.hangup()
                await agent.wrapped_up()
                await _served_first(at, outcome, screen)
        await agent.wrapped_up()
        await _called_back(at, outcome, screen)
        at.ada.phone.save(outcome.recording)
        await agent.wrapped_up(away=True)
    finally:
        log.close()
    _order(kept, outcome)
    return outcome


async def _asks_to_be_called_back(at: Desk, log: LineLog, outcome: Outcome) -> None:
    """Ada hears where she stands, by voice asks to be called back, and the line says good-bye."""
    async with at.ada.calling(at.line, ADA) as ada:
        await log.until("dialogue.prompt", QUESTION)
        await ada.prompt_end()
        await ada.say(PERSON)
        told = await log.until("line.told")
        true = _position(at.kept, ADA_NUMBER)
        heard = await at.ada.hears(r"number (one|1)\b")
        outcome.check(told["position"] == true == 1 and bool(heard), f"Ada hears a true position: “{heard}”")
        await at.agent.waiting(ADA_NAME)
        await at.agent.see(at.agent.page, "desk-talking")
        await ada.say(CALL_BACK)
        await log.until("dialogue.prompt", "calling from")
        await ada.prompt_end()
        await ada.say(YES)
        ended = await ada.phone.wait_ended(WAITS_S)
    outcome.check(ended.by == "remote", "she asks to be called back, and may hang up: her place is kept")


async def _urgent(at: Desk, outcome: Outcome) -> None:
    """June has her place: the page shows her before Ada, who came first."""
    places = await at.agent.waiting(JUNE_NAME)
    shown = await places.all_inner_texts()
    outcome.check(
        len(shown) == 2 and JUNE_NAME in shown[0] and ADA_NAME in shown[1],
        "June threatens to cancel: the line puts her before Ada, who came first",
    )
    await at.supervisor.goto(f"{at.line.http}/board")
    await at.supervisor.get_by_text(JUNE_NAME).first.wait_for()
    await at.agent.see(at.supervisor, "board")


async def _served_first(at: Desk, outcome: Outcome, screen: Screen) -> None:
    offer = await at.agent.offered(JUNE_NAME)
    outcome.check("cancel" in offer.lower(), "Sam sees why before answering: “cancelling”, in her words")
    await at.agent.answer()
    screen.line("agent", "talks with June")
    heard = await at.june.hears_the_agent()
    outcome.check(heard, "June hears the agent's browser speak, and it is recognised")


async def _called_back(at: Desk, outcome: Outcome, screen: Screen) -> None:
    """The agent takes it first, with its story; then Ada's telephone rings."""
    agent = at.agent
    offer = await agent.offered(ADA_NAME)
    outcome.check("call back is due" in offer.lower(), "then Ada's call back is offered, at her old place")
    await agent.see(agent.page, "desk-call-back")
    outcome.check(at.ada.phone.incoming is None, "her telephone is quiet until Sam has taken it")
    screen.line("agent", "takes the call back; the line dials Ada")
    taking = asyncio.create_task(agent.answer())
    async with at.ada.called():
        await taking
        heard = await at.ada.hears_the_agent()
        outcome.check(heard, f"Ada is called back, and recognises Sam: “{GREETING}”")
        story = await agent.story()
        outcome.check(
            "talk to a person" in story.lower(), "the screen pop holds the transcript: nobody repeats anything"
        )
        screen.mapping("The screen pop, as Sam's page shows it", {"transcript": story})
        given = await agent.give_first()
        await agent.see(agent.page, "desk-goodwill")
        grants = at.kept.rows(
            "SELECT label, agent FROM goodwill_grants JOIN members ON members.id = member_id "
            "WHERE number = ? AND kind = 'bonus_title' AND undone_at IS NULL",
            ADA_NUMBER,
        )
        outcome.check(
            len(grants) == 1 and grants[0][1] == AGENT, f"a bonus title by keyboard, in the database: {given}"
        )


def _position(kept: Kept, member: str) -> int:
    """As the table has it: 1 and whoever is before them."""
    waiting = kept.rows(
        "SELECT member FROM places WHERE state IN ('waiting', 'callback') ORDER BY priority DESC, entered_at"
    )
    return 1 + [row[0] for row in waiting].index(member)


def _order(kept: Kept, outcome: Outcome) -> None:
    """From the line's own events: who came, and who was served, in which order."""

    def order(kind: str) -> list[str]:
        rows = kept.rows(
            "SELECT name FROM place_events e JOIN places p ON p.id = e.place WHERE kind = ? ORDER BY e.id", kind
        )
        return list(dict.fromkeys(str(row[0]) for row in rows))

    came, served = order("entered"), order("answered")
    outcome.check(came == [WALTER_NAME, ADA_NAME, JUNE_NAME], f"they came: {', '.join(came)}")
    outcome.check(served == [WALTER_NAME, JUNE_NAME, ADA_NAME], f"they were served: {', '.join(served)}")
    live = kept.rows("SELECT name FROM places WHERE state NOT IN ('done')")
    outcome.check(not live, "nobody is left waiting, and nothing is live")
