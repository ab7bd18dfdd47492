"""What observers are told of a call: everything that its record has, and the moments between, in order."""

from __future__ import annotations

from datetime import datetime

import pytest

from ivr.call.registry import CallRegistry
from ivr.dialogue.flows.library import FlowLibrary
from ivr.ports import (
    Accepted,
    Began,
    HumanWanted,
    Joined,
    Moment,
    Opened,
    Over,
    Parted,
    Played,
    Rang,
    Recognised,
    RefusedCall,
    TurnAnswered,
    Unreached,
)
from ivr.record import Entry
from ivr.telemetry.observers import Observers
from tests.call.test_session import Rig
from tests.call.test_session import library as library
from tests.call.virtual import run


class Told:
    """Everything that was observed, by the call's id."""

    def __init__(self) -> None:
        self.moments: list[tuple[str, datetime, Moment]] = []

    def observe(self, call_id: str, at: datetime, what: Moment) -> None:
        self.moments.append((call_id, at, what))

    def refused(self, at: datetime, call: RefusedCall) -> None:
        raise AssertionError("no call was refused")

    def of(self, kind: type[Moment]) -> list[Moment]:
        return [what for _, _, what in self.moments if isinstance(what, kind)]


def observed(library: FlowLibrary) -> tuple[Rig, Told]:
    rig, told = Rig(library), Told()
    rig.registry = CallRegistry(observer=told)
    return rig, told


def test_a_call_is_told_from_its_beginning_to_its_end_with_all_that_its_record_has(library: FlowLibrary) -> None:
    async def scenario() -> tuple[Rig, Told]:
        rig, told = observed(library)
        async with rig.call():
            await rig.say("move Nosferatu to the top")
        return rig, told

    rig, told = run(scenario())
    kinds = [type(what) for _, _, what in told.moments]
    assert kinds[:2] == [Began, Accepted] and kinds[-1] is Over and kinds.count(Over) == 1
    assert {call_id for call_id, _, _ in told.moments} == {"c0ffee"}
    assert told.of(Entry) == rig.records.entries
    (began,), (opened,), (over,) = told.of(Began), told.of(Opened), told.of(Over)
    assert isinstance(began, Began) and isinstance(opened, Opened) and isinstance(over, Over)
    assert (began.caller, began.trunk, began.sip_call_id) == (rig.leg.caller.number, rig.leg.trunk, rig.leg.sip_call_id)
    assert (opened.entry, opened.language) == ("main", "en-US")
    assert (over.outcome, over.sip_status, over.canonical) == ("resolved", 200, rig.canonical)
    assert len(told.of(Recognised)) == 1 and told.of(Played) and told.of(TurnAnswered)
    times = [at for _, at, _ in told.moments]
    assert times == sorted(times)


@pytest.mark.parametrize(("answers", "result"), [([None], "answered"), ([486, 486, 486], "declined")])
def test_the_way_to_a_person_is_told_step_by_step(library: FlowLibrary, answers: list[int | None], result: str) -> None:
    async def scenario() -> tuple[Rig, Told]:
        rig, told = observed(library)
        rig.endpoint.answers = answers
        async with rig.call():
            await rig.press("0", 30.0)
        return rig, told

    rig, told = run(scenario())
    wanted, rang = told.of(HumanWanted)[0], told.of(Rang)
    assert isinstance(wanted, HumanWanted) and wanted.reason == "asked"
    assert rang and {each.result for each in rang if isinstance(each, Rang)} == {result}
    if result == "answered":
        (joined,), (parted,) = told.of(Joined), told.of(Parted)
        assert isinstance(joined, Joined) and isinstance(parted, Parted)
        assert (parted.how, parted.by, parted.agent) == ("over", "caller", joined.agent)
        assert parted.talk_s > 10 and joined.after_s == rig.canonical["seconds_to_human"]
    else:
        assert [each.why for each in told.of(Unreached) if isinstance(each, Unreached)] == ["failed", "failed"]
        assert not told.of(Joined), "tried twice, and then offered a call back"


def test_a_measurement_that_raises_costs_the_call_nothing(library: FlowLibrary) -> None:
    class Broken(Told):
        def observe(self, call_id: str, at: datetime, what: Moment) -> None:
            raise ZeroDivisionError

    async def scenario() -> Rig:
        rig, _ = observed(library)
        rig.registry = CallRegistry(observer=Observers(Broken()))
        async with rig.call():
            await rig.say("move Nosferatu to the top")
        return rig

    assert run(scenario()).canonical["outcome"] == "resolved"
