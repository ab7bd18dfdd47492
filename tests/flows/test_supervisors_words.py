"""What a supervisor sets while the desk runs is what the next caller of the reference flows hears."""

from __future__ import annotations

from datetime import timedelta

from ivr.ports import DeskAnnouncement, DeskSettings, HoursOverride
from ivr.workshop.simulate.sandbox import Sandbox
from tests.flows.line import called, moment

DAY, NIGHT = moment("2026-03-03T10:00"), moment("2026-03-03T03:00")
HOUR = timedelta(hours=1)
ADA = {"from": "5035550101"}


async def test_an_announcement_is_heard_once_by_who_wants_a_person() -> None:
    sandbox = Sandbox()
    sandbox.settings = DeskSettings(announcement=DeskAnnouncement("Discs from Reno are a day late.", DAY + HOUR))
    line = await called(sandbox, ADA, DAY)
    await line.step({"say": "agent"})
    heard = " ".join(line.said)
    assert heard.count("Discs from Reno are a day late.") == 1
    assert heard.index("Reno") < heard.index("getting you a person")
    assert line.connected is not None or line.ended == "connected"
    later = await called(sandbox, ADA, DAY + HOUR)
    await later.step({"say": "agent"})
    assert "Reno" not in " ".join(later.said)


async def test_a_desk_that_a_supervisor_closed_says_why() -> None:
    sandbox = Sandbox()
    sandbox.settings = DeskSettings(HoursOverride(False, DAY + HOUR, "We are all at a drill until eleven."))
    line = await called(sandbox, ADA, DAY)
    await line.step({"key": "0"})
    heard = " ".join(line.said)
    assert "We are all at a drill until eleven." in heard
    assert "office is closed" in heard


async def test_a_desk_that_a_supervisor_opened_takes_calls_at_night() -> None:
    sandbox = Sandbox()
    sandbox.settings = DeskSettings(HoursOverride(True, NIGHT + HOUR))
    line = await called(sandbox, ADA, NIGHT)
    await line.step({"key": "0"})
    heard = " ".join(line.said)
    assert "getting you a person" in heard and "closed" not in heard
