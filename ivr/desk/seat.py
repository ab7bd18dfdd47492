"""An agent's seat: their state, the offer before them, their conversation and what is written after it.

It stands in the service, not in the page: a page that is loaded again gets the whole of it at once (``view``).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal

import structlog

from ivr.desk.matter import Matter, Message, context_of
from ivr.desk.page import Page, PagePhone, TranscriptLine
from ivr.desk.story import Stories, Story, plain
from ivr.errors import IvrError
from ivr.ports import (
    Account,
    AgentStatus,
    Arrival,
    Bridge,
    ByAgent,
    Clock,
    Line,
    Offer,
    Place,
    Ring,
)

log = structlog.get_logger(__name__)

RECORDINGS = "/desk/recordings/"  # where consoles play them
MOST_LINES = 1000  # of a live transcript
LONGEST_NOTE = 4000
DISPOSITIONS: Mapping[str, str] = {
    "resolved": "Solved",
    "saved": "Wanted to leave, stays",
    "left": "Cancelled",
    "follow_up": "We owe them an answer",
    "passed_on": "Passed on to somebody else",
    "unresolved": "Could not be solved",
    "nobody": "Nobody was there",
}


class Seat:
    """``touch``: what is shown has changed; ``subscriber``: a number that is to be called, in E.164. Commands raise
    IvrError: what can't be done, in words for the agent."""

    def __init__(
        self,
        account: Account,
        line: Line,
        clock: Clock,
        stories: Stories,
        touch: Callable[[], None],
        subscriber: Callable[[str], str] = str,
    ) -> None:
        self.account = account
        self.phone: PagePhone | None = None
        self.lines: deque[TranscriptLine] = deque(maxlen=MOST_LINES)
        self.page: Page | None = None
        self._line = line
        self._clock = clock
        self._stories = stories
        self._touch = touch
        self._subscriber = subscriber
        self._offered: Matter | None = None
        self._current: Matter | None = None
        self._closing: Matter | None = None
        self._news = ""
        self._tasks: set[asyncio.Task[None]] = set()

    # -- what the agent's phone and the floor tell -------------------------------------------------------------

    async def offer(self, ring: Ring) -> bool:
        """Shown until the agent takes it (True); False: declined, or the console is gone. Cancelling withdraws it."""
        until = self._clock.now() + timedelta(seconds=ring.ring_timeout_s)
        return await self._ask(Matter(ring.offer.place, Story(ring.context), until=until, asked_by=ring.asked_by))

    def joined(self, ring: Ring, bridge: Bridge) -> None:
        """They talk."""
        began = bridge.view().get("began")
        matter = self._current or self._gone_on(ring.offer.place, began)
        if matter is None or matter.place.id != ring.offer.place.id:  # taken on the phone itself
            matter = self._take(Matter(ring.offer.place, Story(ring.context)))
            self._read(matter)
        if matter.awaited:
            matter.story = Story(ring.context)
            self._read(matter)
            self._news = f"You are with {matter.story.who} again."
            self._as_before(matter, bridge)
            matter.held = matter.paused = False
        matter.bridge, matter.ended = bridge, None
        matter.since = self._clock.now() if began is None else datetime.fromisoformat(began)
        matter.awaited = False
        self._touch()

    def _gone_on(self, place: Place, began: object) -> Matter | None:
        """The conversation that had just ended here, since the line between the two died: it goes on."""
        matter = self._closing
        if matter is None or matter.place.id != place.id or matter.since is None or matter.since.isoformat() != began:
            return None
        self._current, self._closing, matter.awaited = matter, None, True
        return matter

    def awaited(self, place: Place, lines: Sequence[TranscriptLine] = ()) -> None:
        """They talked, at a line that died: another keeps the caller for them, and joins the two again."""
        matter = self._take(Matter(place, Story(context_of(place)), since=place.changed_at, awaited=True))
        self.lines.extend(lines)
        self._news = (
            f"The line that had this call died. {matter.story.who} hears music and is kept for you; you are joined"
            " again in a moment, by itself."
        )
        self._read(matter)
        self._touch()

    def awaits(self, place_id: int) -> bool:
        return self._current is not None and self._current.awaited and self._current.place.id == place_id

    def not_rejoined(self, *, waits: bool) -> None:
        """Somebody else's by now, or nobody's."""
        matter, self._current = self._current, None
        if matter is not None:
            self._news = f"{matter.story.who} could not be joined with you again: " + (
                "they wait, before everybody else." if waits else "they have hung up, or are with the line."
            )
        self._touch()

    def again(self, place_id: int, *, held: bool, paused: bool) -> None:
        """What the page showed of a conversation that another line had: it goes on so."""
        if self._current is not None and self._current.place.id == place_id:
            self._current.held, self._current.paused = held, paused
            if self._current.bridge is not None:
                self._as_before(self._current, self._current.bridge)

    def _as_before(self, matter: Matter, bridge: Bridge) -> None:
        held, paused = matter.held, matter.paused

        async def settle() -> None:
            with suppress(IvrError):
                if held and not bridge.view()["held"]:
                    await bridge.hold(True)
                if paused and not bridge.view()["recording"]["paused"]:
                    await bridge.record(False)

        if held or paused:
            self._beside(settle(), "as before")

    def changed(self, bridge: Bridge) -> None:
        """``bridge.view()`` is another now."""
        self._touch()

    def parted(self) -> None:
        """The conversation is over for this agent, or never came about."""
        matter, self._current = self._current, None
        if matter is not None and matter.bridge is not None and matter.bridge.view().get("you") != "consulted":
            matter.ended = self._clock.now()
            self._closing = matter
        self._touch()

    async def deliver(self, offer: Offer) -> None:
        """A message is offered like a call, and read until ``finish``. Raises StoreUnavailable."""
        place = offer.place
        message = Message(place.transcript, f"{RECORDINGS}{place.recording}" if place.recording else "")
        until = self._clock.now() + timedelta(seconds=offer.lease_s)
        matter = Matter(place, Story(context_of(place)), until=until, message=message)
        try:
            async with asyncio.timeout(offer.lease_s):
                taken = await self._ask(matter)
        except TimeoutError:
            await self._line.released(offer, "no_answer")
            return
        if not taken:
            await self._line.released(offer, "declined" if self.page is not None else "unreachable")
        elif await self._line.answered(offer):
            matter.since = self._clock.now()
        else:
            self._current, self._news = None, "This message went to somebody else."
        self._touch()

    def transcribed(self, line: TranscriptLine) -> None:
        self.lines.append(line)
        if self.page is not None:
            self.page.transcribed(line)

    def lost(self) -> None:
        """The page is gone for good: nobody answers."""
        if self._offered is not None and not self._offered.taken.done():
            self._offered.taken.set_result(False)

    def has(self, place: Place) -> bool:
        """It is before this agent, whatever the line remembers of it just now."""
        mine = {matter.place.id for matter in (self._offered, self._current) if matter is not None}
        return place.id in mine or place.agent == self.account.name

    def plays(self, recording: str) -> bool:
        """It belongs to what is before this agent."""
        matters = (self._offered, self._current, self._closing)
        links = {each.message.recording for each in matters if each is not None and each.message is not None}
        return f"{RECORDINGS}{recording}" in links

    @property
    def busy(self) -> bool:
        """Somebody is before them, or was just now."""
        return any(each is not None for each in (self._offered, self._current, self._closing))

    @property
    def talking(self) -> bool:
        return self._current is not None and self._current.bridge is not None

    async def _ask(self, matter: Matter) -> bool:
        if self._offered is not None or self._current is not None:
            return False  # they have somebody already
        self._offered, self._news = matter, ""
        self._read(matter)
        self._touch()
        try:
            taken = await matter.taken
        except asyncio.CancelledError:
            self._news = f"{matter.story.who} is not offered any more: they left, or it took too long."
            raise
        finally:
            if self._offered is matter:
                self._offered = None
            self._touch()
        if taken:
            self._take(matter)
        return taken

    def _take(self, matter: Matter) -> Matter:
        self._current, self._closing = matter, None
        self.lines.clear()
        return matter

    def _read(self, matter: Matter) -> None:
        """The member and earlier calls come a moment after the offer, which does not wait for them."""

        context = matter.story.context

        async def read() -> None:
            story = await self._stories.told(context)
            if matter.story.context is context:
                matter.story = story
            self._touch()

        self._beside(read(), f"story-{matter.place.id}")

    def _beside(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- what the agent commands -------------------------------------------------------------------------------

    def accept(self, place_id: int) -> None:
        self._answer(place_id, True)

    def decline(self, place_id: int) -> None:
        self._answer(place_id, False)

    def _answer(self, place_id: int, taken: bool) -> None:
        matter = self._offered
        if matter is None or matter.place.id != place_id or matter.taken.done():
            raise IvrError("this offer is gone")
        matter.taken.set_result(taken)

    async def available(self) -> None:
        """Also out of wrap-up; what was chosen there by then counts."""
        await self._line.set_state(self.account.name, "idle")
        self._closing, self._news = None, ""
        self._touch()

    async def away(self, reason: str) -> None:
        if self._current is not None:
            raise IvrError("finish this first; after it you can be away")
        await self._line.set_state(self.account.name, "away", reason)
        self._touch()

    async def finish(self, disposition: str, then: Literal["available", "away"], reason: str = "") -> None:
        """How it came out, and what the agent does next. A message that was read is done with this."""
        if disposition not in DISPOSITIONS:
            raise IvrError("choose how it came out")
        reading = self._current if self._current is not None and self._current.kind == "message" else None
        matter = reading or self._closing
        if matter is None:
            raise IvrError("there is nothing to wrap up")
        if reading is not None:
            await self._line.finished(matter.place.id, self.account.name, disposition)
            self._current = None
        else:
            await self._line.wrapped_up(matter.place.id, self.account.name, disposition)
        self._closing = None
        log.info("conversation.wrapped_up", agent=self.account.name, place=matter.place.id, disposition=disposition)
        await (self.available() if then == "available" else self.away(reason))

    async def call_back(self, number: str, due_at: datetime | None) -> None:
        """A call back by this agent, if they are there then."""
        matter, number = self._matter(), self._subscriber(number)
        context, arrival = matter.story.context, matter.place.arrival
        if due_at is not None and not self._clock.now() - timedelta(minutes=5) <= due_at:
            raise IvrError("that moment is over")
        wanted = Arrival(
            person=arrival.person, call_id=context.call_id, skill=arrival.skill, priority=arrival.priority,
            reason=context.reason, said=context.said, name=matter.story.who, number=number, member=arrival.member,
            language=context.language, named=self.account.name, context=arrival.context,
        )  # fmt: skip
        await self._line.ask_call_back(wanted, number, due_at)
        log.info("callback.asked", agent=self.account.name, place=matter.place.id, number=number)

    def bridge(self) -> Bridge:
        if self._current is None or self._current.bridge is None:
            raise IvrError("you talk with nobody")
        return self._current.bridge

    # -- the member --------------------------------------------------------------------------------------------

    async def grant(self, goodwill: str, choice: str, key: str) -> Mapping[str, Any]:
        """``key``: of the click. What was given, with until when it can be undone."""
        matter = self._matter()
        given = await self._stories.members.grant(matter.story.caller_id, goodwill, choice, self._hand(matter, key))
        log.info("goodwill.granted", agent=self.account.name, goodwill=goodwill, call_id=matter.story.context.call_id)
        await self._again(matter)
        return {"id": given.id, "label": given.label, "undo_until": plain(given.undo_until)}

    async def undo(self, grant_id: str, key: str) -> None:
        matter = self._matter()
        await self._stories.members.undo(matter.story.caller_id, grant_id, self._hand(matter, key))
        log.info("goodwill.undone", agent=self.account.name, grant=grant_id)
        await self._again(matter)

    async def add_note(self, text: str, key: str) -> None:
        matter = self._matter()
        if not text.strip():
            raise IvrError("the note is empty")
        by = self._hand(matter, key)
        await self._stories.members.add_note(matter.story.caller_id, text.strip()[:LONGEST_NOTE], by)
        await self._again(matter)

    def _matter(self) -> Matter:
        matter = self._current or self._closing
        if matter is None:
            raise IvrError("nobody is before you")
        return matter

    def _hand(self, matter: Matter, key: str) -> ByAgent:
        if not matter.story.caller_id:
            raise IvrError("it is not known which member this is")
        account = self.account
        return ByAgent(account.name, account.display or account.name, matter.story.context.call_id, key)

    async def _again(self, matter: Matter) -> None:
        matter.story = await self._stories.told(matter.story.context)
        self._touch()

    # -- what the page shows -----------------------------------------------------------------------------------

    def status(self) -> AgentStatus | None:
        return next((each for each in self._line.view().agents if each.name == self.account.name), None)

    def view(self) -> dict[str, Any]:
        """``offer``, ``talk`` (a conversation, or a message being read) and ``wrap`` are matters or None."""
        status = self.status()
        browser = status is None or status.phone == "browser"
        return {
            "me": {
                "name": self.account.name,
                "display": self.account.display or self.account.name,
                "state": "away" if status is None else status.state,
                "reason": "" if status is None else status.reason,
                "since": None if status is None else status.since.isoformat(),
                "until": None if status is None else plain(status.until),
                "skills": [] if status is None else list(status.skills),
                "phone": "browser" if browser else "sip",
                "opens_calls": self.account.may("supervisor", "ops"),
                "reachable": not browser or (self.phone is not None and self.phone.reachable()),
            },
            "offer": None if self._offered is None else self._offered.to_json(),
            "talk": None if self._current is None else self._current.to_json(),
            "wrap": None if self._closing is None else self._closing.to_json(),
            "news": self._news,
        }
