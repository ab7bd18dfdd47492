"""A call back whose process died, gone on with by an heir, in virtual time."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from ivr.call.acceptor import Acceptor
from ivr.call.call_backs import CallBacks
from ivr.call.registry import CallRegistry
from ivr.call.takeover import Takeovers
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.record import TakenOver
from tests.call.fakes import FakeEndpoint, FakeMedia, FakeRecords, services
from tests.call.test_callback_call import AGENT, MEMBER, Office
from tests.call.test_takeover import Kept
from tests.call.virtual import run


def _nothing(*_: object) -> Dialogue:
    raise AssertionError("a call back has no dialogue")


class Pair:
    """The office whose process dies ``after_s``, and its heir."""

    def __init__(self) -> None:
        self.kept = Kept()
        self.dead = Office()
        self.dead.services = replace(self.dead.services, dialogs=self.kept)
        self.dead.working.cancel()
        self.dead.working = asyncio.create_task(CallBacks(self.dead.services, self.dead.line, self.dead.deliver).run())

    async def dies(self, after_s: float) -> str:
        """The id of its call."""
        self.dead.offer()
        await asyncio.sleep(after_s)
        (call_id,) = self.kept.kept
        killed = dict(self.kept.kept)
        self.dead.working.cancel()
        await asyncio.gather(self.dead.working, return_exceptions=True)
        self.kept.kept = killed
        return call_id

    def inherits(self, call_id: str) -> Office:
        heir = Office()
        heir.working.cancel()
        heir.endpoint, heir.media, heir.records = FakeEndpoint(ring_s=1.0), FakeMedia(), FakeRecords()
        made = services(
            endpoint=heir.endpoint, media=heir.media, records=heir.records, desk=heir.desk, registry=CallRegistry()
        )
        heir.services = replace(made, dialogs=self.kept, line=heir.line)
        call_backs = CallBacks(heir.services, heir.line, heir.deliver)
        acceptor = Acceptor(heir.services, _nothing)
        takeovers = Takeovers(
            heir.services, acceptor, self.kept, heir.endpoint, _nothing, _nothing, lambda: 10, call_backs
        )
        self.kept.orphans.append(self.kept.orphan(call_id))
        heir.working = asyncio.create_task(takeovers.run())
        return heir


def test_before_the_member_is_there_both_telephones_stop_and_it_is_made_anew() -> None:
    async def scenario() -> None:
        pair = Pair()
        call_id = await pair.dies(2.3)
        assert pair.dead.targets == [AGENT, MEMBER], "it rings there"
        snapshot = json.loads(pair.kept.kept[call_id])
        assert "caller" not in snapshot and snapshot["ringing"]
        heir = pair.inherits(call_id)
        await asyncio.sleep(2)
        assert heir.endpoint.cancelled == [MEMBER]
        (agent,) = heir.endpoint.restored
        assert agent.hung_up, "nobody is left on a phone with nobody"
        assert ("released", "ben", "withdrawn") in heir.line.log
        assert not pair.kept.kept and not heir.endpoint.dialled, "the line offers it again"
        heir.working.cancel()

    run(scenario())


def test_with_the_member_at_its_other_end_it_goes_on_with_the_same_agent() -> None:
    async def scenario() -> None:
        pair = Pair()
        call_id = await pair.dies(6.0)
        heir = pair.inherits(call_id)
        await asyncio.sleep(3)
        member, agent = heir.endpoint.restored
        assert member.reinvited and agent.reinvited and not heir.endpoint.dialled
        talking = heir.audio(call_id)
        assert talking.bridged_to is not None
        assert any(isinstance(entry.what, TakenOver) for entry in heir.records.entries)
        member.end()
        await asyncio.sleep(5)
        assert agent.hung_up and ("finished", 7, "ben") in heir.line.log
        assert heir.outcomes == ["handed over"] and not pair.kept.kept
        heir.working.cancel()

    run(scenario())
