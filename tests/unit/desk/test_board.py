"""What the supervisor's board shows of who waits, and where somebody may be moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from ivr.desk.board import DeskBoard
from ivr.desk.hours import HoursNow
from ivr.desk.settings import LiveSettings
from ivr.errors import IvrError, StoreUnavailable
from ivr.ports import Line, Place
from ivr.ports.history import DayLog
from tests.audit import FakeAudit
from tests.call.fakes import EPOCH, VirtualClock
from tests.call.line import FakeLine
from tests.call.virtual import run
from tests.unit.desk.test_settings import Kept
from tests.unit.desk.waiting import place

HOUR = timedelta(hours=1)


class BoardOf:
    """Ann takes discs; the flows know retention."""

    def __init__(self, *places: Place) -> None:
        self.line = FakeLine(VirtualClock().now)
        self.line.places = {each.id: each for each in places}
        self.line.staff("ann", "discs", state="busy")
        self.audit = FakeAudit()
        self.board = DeskBoard(
            cast(Line, self.line),
            LiveSettings(Kept()),
            self.audit,
            cast(DayLog, None),
            VirtualClock(),
            UTC,
            hours=lambda now: HoursNow(True),
            skills=lambda: ("retention",),
        )

    def callers(self) -> dict[int, dict[str, Any]]:
        return {each["place"]: each for each in self.board.view()["callers"]}


def came(ago: timedelta) -> datetime:
    return EPOCH - ago


def test_a_call_back_waits_from_when_it_is_due() -> None:
    number = "+15035550101"
    later, due = EPOCH + 10 * HOUR, EPOCH - HOUR / 60

    async def scenario() -> None:
        shown = BoardOf(
            place(1, state="callback", callback_number=number, entered_at=came(HOUR), due_at=later, waits_since=later),
            place(2, state="callback", callback_number=number, entered_at=came(HOUR), due_at=due, waits_since=due),
            place(3, state="offered", callback_number=number, entered_at=came(HOUR), due_at=due, waits_since=due),
            place(4, state="away", entered_at=came(HOUR)),
            place(5, entered_at=came(HOUR / 2)),
        )
        found = shown.callers()
        assert {number: (each["since"], each["due"]) for number, each in found.items()} == {
            1: (None, later),
            2: (due, due),
            3: (due, due),
            4: (None, None),
            5: (came(HOUR / 2), None),
        }
        view = shown.board.view()
        assert (view["waiting"], view["longest_since"]) == (2, came(HOUR / 2)), "none of them all night"

    run(scenario())


def test_a_caller_may_wait_for_every_skill_that_anything_names() -> None:
    """An agent, the configuration or the flows, or somebody who waits: whoever has it."""

    async def scenario() -> None:
        shown = BoardOf(place(1, "general"), place(2, "spanish"))
        assert shown.board.view()["skills"] == ["discs", "general", "retention", "spanish"]
        await shown.board.move("rosa", 1, skill="retention")
        assert shown.line.places[1].arrival.skill == "retention"
        with pytest.raises(
            IvrError, match="there is no skill 'magic': choose discs, retention, spanish, or give it to"
        ):
            await shown.board.move("rosa", 1, skill="magic")
        assert shown.line.places[1].arrival.skill == "retention"

    run(scenario())


class Heard:
    """A conversation that is joined."""

    def __init__(self) -> None:
        self.how: list[str] = []

    async def supervise(self, supervisor: str, how: str) -> None:
        if how == "barge":
            raise IvrError("they are on hold")
        self.how.append(how)


def test_nobody_listens_or_changes_anything_unnoticed() -> None:
    async def scenario() -> None:
        heard = Heard()
        shown = BoardOf(place(1, "general"))
        shown.board._bridge_of = lambda agent: heard
        await shown.board.supervise("rosa", "rosa's", "ann", "listen")
        with pytest.raises(IvrError, match="on hold"):
            await shown.board.supervise("rosa", "rosa's", "ann", "barge")
        told = [(each.action, each.target, each.after, each.result) for each in shown.audit.events]
        assert told == [
            ("desk.supervise", "ann", {"how": "listen"}, "done"),
            ("desk.supervise", "ann", {"how": "barge"}, "done"),
            ("desk.supervise", "ann", {"how": "barge"}, "failed: they are on hold"),
        ]
        shown.audit.broken = True
        board = shown.board
        for refused in (
            board.supervise("rosa", "rosa's", "ann", "whisper"),
            board.set_state("rosa", "ann", "away"),
            board.move("rosa", 1, skill="retention"),
            board.set_skills("rosa", "ann", ["retention"]),
        ):
            with pytest.raises(StoreUnavailable):
                await refused
        assert shown.line.agents["ann"].skills == ("discs",) and shown.line.places[1].arrival.skill == "general"
        with pytest.raises(StoreUnavailable):
            await shown.board.supervise("rosa", "rosa's", "ann", "off")
        assert heard.how == ["listen", "off"], "who may not be noted can still leave"

    run(scenario())
