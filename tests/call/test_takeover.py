"""Calls kept as they go, and gone on with by an heir, in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from ivr.call.acceptor import Acceptor
from ivr.call.call_backs import CallBacks
from ivr.call.live_dialog import BEGIN_S, EVERY_S, LOOK_S
from ivr.call.registry import CallRegistry
from ivr.call.session import CallSession
from ivr.call.takeover import Takeovers
from ivr.dialogue.engine.contract import Installed
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.dialogue.flows.library import FlowLibrary
from ivr.errors import StoreUnavailable
from ivr.phones.floor import AgentFloor
from ivr.ports import Leg, Offer, Orphan
from ivr.record import TakenOver
from ivr.sealing import Confidential, Keys, sealed
from ivr.telemetry.call_detail import CallDetails
from tests.call.fakes import AGENTS, FakeLeg, services
from tests.call.test_session import Rig, library
from tests.call.virtual import run

__all__ = ["library"]


class Kept:
    """Live dialogs in memory. ``slow_s``: until something is kept; ``down``: the database is away."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.snapshots: dict[str, Mapping[str, Any]] = {}  # with what is confidential
        self.asked: list[float] = []
        self.orphans: list[Orphan] = []
        self.gone: set[str] = set()
        self.slow_s = 0.0
        self.down = False

    async def keep(self, call_id: str, sip_call_id: str, snapshot: Mapping[str, Any]) -> None:
        self.asked.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.slow_s)
        if self.down:
            raise StoreUnavailable("it is away")
        self.snapshots[call_id] = snapshot
        self.kept[call_id] = json.dumps(sealed(snapshot, Keys(), b""))

    async def forget(self, call_id: str) -> None:
        self.kept.pop(call_id, None)

    async def claim(self, room: int) -> Sequence[Orphan]:
        found, self.orphans = self.orphans[:room], self.orphans[room:]
        return found

    async def claim_dialog(self, sip_call_id: str) -> Orphan | None:
        return next(iter(await self.claim(1)), None)

    async def lost(self) -> Collection[str]:
        return self.gone

    def orphan(self, call_id: str = "c0ffee") -> Orphan:
        """As the process that had it left it."""
        snapshot, now = json.loads(self.kept[call_id]), datetime(2026, 1, 1, tzinfo=UTC)
        return Orphan(call_id, snapshot, "node-1", "dead", 1.0, "5035550101", "ivr", now, 17)


async def _unread(offer: Offer) -> None:
    raise AssertionError("no message was left")


class House(Rig):
    """A process that keeps its calls, and takes over others'."""

    def __init__(self, library: FlowLibrary, kept: Kept) -> None:
        super().__init__(library)
        self.kept = kept

    def go_on(self, call_id: str, leg: Leg, installed: Installed, known: Mapping[str, Any]) -> Dialogue:
        opened = self._opening(call_id, leg, installed)
        return Dialogue(self.library, opened.start, known)

    @asynccontextmanager
    async def keeping(self) -> AsyncIterator[CallSession]:
        """A call of its own, until the process is killed."""
        shared = replace(self.shared, dialogs=self.kept)
        session = CallSession("c0ffee", self.leg, shared, self._opening)
        task = asyncio.create_task(session.run())
        await asyncio.sleep(9)
        try:
            yield session
        finally:
            self.killed = json.dumps(self.kept.kept)
            self.leg.end()
            await asyncio.sleep(5)
            await task
            self.kept.kept = json.loads(self.killed)

    @property
    def shared(self) -> Any:
        return services(
            endpoint=self.endpoint, media=self.media, speech=self.speech, actions=self.actions, desk=self.desk,
            records=self.records, registry=self.registry, line=self.line,
        )  # fmt: skip

    @asynccontextmanager
    async def heir(self) -> AsyncIterator[Takeovers]:
        made = self.shared
        self.consoles = AgentFloor(AGENTS, made.switchboard, self.media, "here")
        shared = replace(made, dialogs=self.kept, floor=self.consoles)
        acceptor = Acceptor(shared, self._opening)
        call_backs = CallBacks(shared, shared.line, _unread)
        made = Takeovers(shared, acceptor, self.kept, self.endpoint, self._opening, self.go_on, lambda: 10, call_backs)
        task = asyncio.create_task(made.run())
        try:
            yield made
        finally:
            task.cancel()
            await acceptor.stop()

    def ended(self) -> None:
        for leg in self.endpoint.restored:
            leg.end()


def test_a_call_goes_on_where_it_was(library: FlowLibrary) -> None:
    async def scenario() -> None:
        kept = Kept()
        async with House(library, kept).keeping():
            pass
        heir, details = House(library, kept), list[str]()
        heir.registry = CallRegistry(observer=CallDetails("node-2", details.append))
        async with heir.heir() as takeovers:
            kept.orphans.append(kept.orphan())
            with capture_logs() as logs:
                await asyncio.sleep(9)
            (leg,) = heir.endpoint.restored
            assert leg.caller.number == "5035550101" and len(leg.reinvited) == 1
            assert heir.said.startswith("One moment.") and "Hi, Rosa" not in heir.said
            (told,) = [entry.what for entry in heir.records.entries if isinstance(entry.what, TakenOver)]
            assert told.node == "node-1" and told.gap_s >= 1.0
            assert {"call.taken_over", "calls.taken_over"} <= {line["event"] for line in logs}
            await heir.say("move Nosferatu to the top")
            assert heir.actions.queue[0] == "Nosferatu"
            assert takeovers.taken == 1
            heir.ended()
            await asyncio.sleep(5)
            assert heir.canonical["ended_by"] == "caller" and heir.canonical["turns"] == 1
            assert not kept.kept, "nothing is kept of a call that is over"
            (record,) = map(json.loads, details)
            assert record["started"] == record["answered"] == "2026-01-01T00:00:00.000Z"
            assert record["final"] and record["billable_s"] >= 10, "the whole call's, on one record"

    run(scenario())


def test_a_caller_who_was_talking_is_joined_with_the_same_agent_again(library: FlowLibrary) -> None:
    async def scenario() -> None:
        kept = Kept()
        first = House(library, kept)
        async with first.keeping():
            await first.press("0")
            assert first.with_agent()
        heir = House(library, kept)
        async with heir.heir():
            kept.orphans.append(kept.orphan())
            await asyncio.sleep(5)
            caller, agent = heir.endpoint.restored
            assert agent.id.startswith("agent") and agent.reinvited and caller.reinvited
            assert heir.with_agent() and not heir.endpoint.dialled
            heir.ended()
            await asyncio.sleep(5)
        assert heir.canonical["outcome"] == "handed over"

    run(scenario())


def test_keys_go_along_and_the_heir_has_kept_them_before_it_speaks(library: FlowLibrary) -> None:
    """The caller's and the agent's, each with its leg."""

    async def scenario() -> None:
        kept = Kept()
        first = House(library, kept)
        async with first.keeping():
            first.media.legs[0].secret = Confidential({"of": "caller"})
            await first.press("0")
            first.media.legs[1].secret = Confidential({"of": "agent"})
            await asyncio.sleep(LOOK_S + EVERY_S)
            snapshot = kept.snapshots["c0ffee"]
        assert (snapshot["caller"]["media"].value, snapshot["agent"]["leg"]["media"].value) == (
            {"of": "caller"}, {"of": "agent"}
        )  # fmt: skip
        heir = House(library, kept)
        kept.slow_s = 0.004
        async with heir.heir():
            kept.orphans.append(replace(kept.orphan(), snapshot=snapshot))
            kept.snapshots.clear()
            await asyncio.sleep(0.3)
            assert kept.snapshots["c0ffee"]["agent"] == snapshot["agent"], "nothing is lost of what was kept"
            await asyncio.sleep(5)
            caller, agent = heir.media.legs
            assert (caller.resumed, agent.resumed) == (Confidential({"of": "caller"}), Confidential({"of": "agent"}))
            heir.ended()
            await asyncio.sleep(5)

    run(scenario())


def test_an_agent_who_is_gone_is_replaced(library: FlowLibrary) -> None:
    async def scenario() -> None:
        kept = Kept()
        first = House(library, kept)
        async with first.keeping():
            await first.press("0")
        heir = House(library, kept)
        refused = heir.endpoint.restore

        def restore(known: Mapping[str, Any]) -> FakeLeg:
            leg = refused(known)
            leg.reinvite_result = 481 if leg.id.startswith("agent") else 200
            return leg

        heir.endpoint.restore = restore  # type: ignore[method-assign,assignment]
        async with heir.heir():
            kept.orphans.append(kept.orphan())
            await asyncio.sleep(9)
            assert heir.said.startswith("One moment.")
            assert heir.with_agent() and len(heir.endpoint.dialled) == 1, "another is rung"
            heir.ended()

    run(scenario())


def test_a_telephone_that_rang_stops_and_an_agent_is_rung_again(library: FlowLibrary) -> None:
    async def scenario() -> None:
        kept = Kept()
        first = House(library, kept)
        first.endpoint.ring_s = 60.0
        async with first.keeping():
            await first.press("0", 4.0)
            (rung,) = first.endpoint.dialled
        heir = House(library, kept)
        async with heir.heir():
            kept.orphans.append(kept.orphan())
            await asyncio.sleep(9)
            assert heir.endpoint.cancelled == [rung[0]] and heir.with_agent()
            heir.ended()

    run(scenario())


@pytest.mark.parametrize("status", [408, 481, 488])
def test_who_does_not_know_the_call_any_more_is_ended_in_the_record(library: FlowLibrary, status: int) -> None:
    async def scenario() -> None:
        kept = Kept()
        async with House(library, kept).keeping():
            pass
        heir = House(library, kept)
        before = heir.endpoint.restore

        def restore(known: Mapping[str, Any]) -> FakeLeg:
            leg = before(known)
            leg.reinvite_result = status
            return leg

        heir.endpoint.restore = restore  # type: ignore[method-assign,assignment]
        async with heir.heir():
            kept.orphans.append(kept.orphan())
            await asyncio.sleep(5)
        assert heir.canonical["ended_by"] == "network" and not kept.kept

    run(scenario())


def test_what_another_has_taken_over_ends_here_without_a_word(library: FlowLibrary) -> None:
    async def scenario() -> None:
        kept = Kept()
        house = House(library, kept)
        async with house.heir(), house.keeping():
            await house.press("0")
            agent = house.endpoint.legs[0]
            kept.gone = {"c0ffee"}
            with capture_logs() as logs:
                await asyncio.sleep(3)
            assert house.leg.left and agent.left
            assert "call.taken_away" in {line["event"] for line in logs}
            assert "c0ffee" in kept.kept and "c0ffee" not in house.records.finished

    run(scenario())


@pytest.mark.parametrize("trouble", ["slow", "down"])
def test_nobody_waits_for_the_database(library: FlowLibrary, trouble: str) -> None:
    async def scenario() -> None:
        kept = Kept()
        kept.slow_s, kept.down = (3600.0 if trouble == "slow" else 0.0), trouble == "down"
        house = House(library, kept)
        answered: list[float] = []
        before = house.leg.answer

        async def answer(local: Any) -> Any:
            answered.append(asyncio.get_running_loop().time())
            return await before(local)

        house.leg.answer = answer  # type: ignore[method-assign]
        with capture_logs() as logs:
            async with house.keeping():
                assert answered[0] - kept.asked[0] <= BEGIN_S + 0.001
        unkept = [line for line in logs if line["event"] == "dialog.unkept"]
        assert len(unkept) == (1 if trouble == "down" else 0), "once is enough"

    run(scenario())


def test_it_is_kept_once_a_second_at_most(library: FlowLibrary) -> None:
    async def scenario() -> None:
        kept = Kept()
        house = House(library, kept)
        async with house.keeping():
            await house.press("1")
            await house.say("what's next")
            pairs = zip(kept.asked, kept.asked[1:], strict=False)
            assert len(kept.asked) > 2 and all(later - sooner >= 0.999 for sooner, later in pairs)

    run(scenario())


def test_what_cannot_be_restored_is_lost_in_the_record(library: FlowLibrary) -> None:
    async def scenario() -> None:
        kept = Kept()
        kept.kept["c0ffee"] = json.dumps({"caller": {}})
        house = House(library, kept)
        async with house.heir() as takeovers:
            kept.orphans.append(kept.orphan())
            await asyncio.sleep(1)
            assert takeovers.taken == 0 and not kept.kept
        assert "c0ffee" in house.records.finished

    run(scenario())


def test_a_call_that_no_release_of_ours_kept_so_is_hung_up_and_the_others_go_on(library: FlowLibrary) -> None:
    async def scenario() -> None:
        kept = Kept()
        async with House(library, kept).keeping():
            pass
        heir = House(library, kept)
        async with heir.heir() as takeovers:
            strange = {**json.loads(kept.kept["c0ffee"]), "ringing": 7}
            kept.orphans += [replace(kept.orphan(), call_id="strange", snapshot=strange), kept.orphan()]
            with capture_logs() as logs:
                await asyncio.sleep(9)
            assert [line["call_id"] for line in logs if line["event"] == "takeover.raised"] == ["strange"]
            assert "strange" in heir.records.finished and takeovers.taken == 1
            lost, going_on = (leg for leg in heir.endpoint.restored if leg.reinvited or leg.hung_up)
            assert lost.hung_up and not going_on.hung_up and heir.said.startswith("One moment.")
            heir.ended()
            kept.orphans.append(replace(kept.orphan(), snapshot={**strange, "ringing": []}))
            await asyncio.sleep(9)
            assert takeovers.taken == 2, "and the next ones are taken over, too"
            heir.ended()

    run(scenario())
