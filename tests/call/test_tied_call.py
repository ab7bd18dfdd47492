"""The near end of a tie line, with fakes: what is said there is in the call's record."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from structlog.testing import capture_logs

from ivr.call.tied_call import TiedCall
from ivr.phones.tie_line import TieLine
from ivr.ports import HandoffContext, Offer, Party, Ring
from ivr.record import Spoken
from ivr.sealing import Confidential
from tests.call.fakes import EPOCH, FakeLeg, FakeMedia, FakeMediaLeg, FakeRecords, VirtualClock, services
from tests.call.told_line import ToldLine
from tests.call.virtual import run


async def noted(records: FakeRecords) -> None:
    """A call in which both say something, and whose records are there once it is over."""

    class Media(FakeMedia):
        def made(self, leg: str, kept: Confidential | None) -> FakeMediaLeg:
            tied.note(Spoken("caller", "my disc skips"))
            tied.note(Spoken("ben", "let me see", late=True))
            return super().made(leg, kept)

    context = HandoffContext("c1", "asked", "general", 5, Party("+15035550101"), "en-US", {}, state="human.connect")
    ring = Ring(Offer(replace(ToldLine().place, id=7), "ben", EPOCH), context, "http://t/handoff/t", {}, 20.0)
    shared = services(media=Media(), records=records)
    tie = TieLine(None, shared.switchboard, shared.line, VirtualClock())  # type: ignore[arg-type]  # nobody rings
    tied = TiedCall(FakeLeg("tie"), ring, shared, tie)
    await asyncio.gather(tied.run(), return_exceptions=True)  # nobody answers here


def test_what_is_said_at_the_console_is_in_the_calls_record_when_the_call_is_over() -> None:
    records = FakeRecords()
    run(noted(records))
    assert [(entry.what, entry.state) for entry in records.entries] == [
        (Spoken("caller", "my disc skips"), "human.connect"),
        (Spoken("ben", "let me see", late=True), "human.connect"),
    ]


def test_what_can_not_be_noted_is_in_the_log_and_in_nobodys_way() -> None:
    records = FakeRecords()
    records.broken = True
    with capture_logs() as logs:
        run(noted(records))
    assert [line["event"] for line in logs if line["event"] == "tie.unnoted"] == ["tie.unnoted"] * 2
