"""A conversation of a caller with agents, in virtual time: what consoles command, and what phones do by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from ivr.config import Agent, Config
from ivr.errors import DialFailed, TransferFailed
from ivr.media.description import Direction
from ivr.phones.bridge import Bridge
from ivr.phones.bridge_phones import CONVERSATION_S
from ivr.phones.destinations import Destinations
from ivr.phones.floor import AgentFloor
from ivr.phones.participant import Participant
from ivr.phones.switchboard import Switchboard
from ivr.ports import Bridge as BridgePort
from ivr.ports import BridgeEnd, HandoffContext, HangUp, Line, Offer, Party, Ring, TransferAsked
from tests.call.fakes import EPOCH, SDP, FakeDesk, FakeEndpoint, FakeLeg, FakeMedia, FakeMediaLeg, FakeSpeech
from tests.call.told_line import ToldLine
from tests.call.virtual import run

OUTSIDE = "tel:+15035550199"
AWAY_AND_BACK = [("state", "cleo", "away"), ("state", "cleo", "idle")]
CONFIG = Config.model_validate(
    {
        "sip": {"trunks": [{"name": "out", "allow": ["192.0.2.10"], "gateway": "sip:192.0.2.10"}]},
        "desk": {
            "agents": [
                {"name": "ben", "target": "sip:ben@192.0.2.20"},
                {"name": "cleo", "target": "sip:cleo@192.0.2.21"},
            ],
            "line": {"outside": [OUTSIDE]},
        },
    }
)


class Desktop:
    """An agent's console that takes every offer, unless told otherwise."""

    def __init__(self) -> None:
        self.takes = True
        self.bridge: BridgePort | None = None
        self.seen: list[str] = []
        self.asked_by = ""

    async def offer(self, ring: Ring) -> bool:
        self.seen.append(f"offer {ring.offer.place.id}")
        self.asked_by = ring.asked_by
        return self.takes

    def joined(self, ring: Ring, bridge: BridgePort) -> None:
        self.seen.append("joined")
        self.bridge = bridge

    def changed(self, bridge: BridgePort) -> None:
        self.bridge = bridge

    def parted(self) -> None:
        self.seen.append("parted")
        self.bridge = None


class Talk:
    """A caller, ben at a SIP phone, and whoever else is called."""

    def __init__(self, line: Line | None, hang_up: HangUp, agents: tuple[Agent, ...] = CONFIG.desk.agents) -> None:
        self.endpoint, self.media = FakeEndpoint(ring_s=1.0), FakeMedia()
        destinations = Destinations(CONFIG)
        self.switchboard = Switchboard(self.endpoint, self.media, FakeSpeech(), FakeDesk(), "sip:line@t", destinations)
        self.floor = AgentFloor(agents, self.switchboard, self.media)
        self.line = line
        self.caller, self.agent = FakeMediaLeg("caller"), FakeMediaLeg("ben")
        self.phone = FakeLeg("ben-leg")
        place = replace(ToldLine().place, id=7 if line is not None else 0)
        context = HandoffContext("c1", "asked", "general", 5, Party("+15035550101"), "en-US", {"caller.name": "Ada"})
        self.ring = Ring(Offer(place, "ben", EPOCH), context, "http://t/handoff/t", {}, 20.0)
        self.bridge = Bridge(
            Participant(FakeLeg("caller-leg"), self.caller), Participant(self.phone, self.agent, may_mute=True),
            self.ring, self.switchboard, self.floor, line, hang_up=hang_up,
        )  # fmt: skip
        self.running = asyncio.create_task(self.bridge.run())

    async def joined(self) -> None:
        await asyncio.sleep(0.1)
        assert self.hears(self.caller) == ["ben"]
        assert self.hears(self.agent) == ["caller"]

    async def over(self) -> BridgeEnd:
        async with asyncio.timeout(60):
            return await self.running

    def hears(self, leg: FakeMediaLeg) -> list[str]:
        return sorted(other.name.partition("-")[0] for other in leg.hears)

    def other(self, name: str) -> FakeMediaLeg:
        """The media of somebody who was called."""
        return next(leg for leg in reversed(self.media.legs) if leg.name.startswith(name))

    @property
    def music(self) -> bool:
        return self.caller._timer is not None

    async def desktop(self, agent: str) -> Desktop:
        """A browser's console of this agent, connected."""
        desktop = Desktop()
        phone = self.floor.register(agent, desktop)
        await phone.connect("offer")
        self.other(f"browser-{agent}").connect()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return desktop


def talking(scenario: Any, *, line: bool = True, hang_up: HangUp = "ends") -> tuple[Talk, ToldLine]:
    async def whole() -> tuple[Talk, ToldLine]:
        fake = ToldLine()
        talk = Talk(fake if line else None, hang_up)
        await talk.joined()
        work: Coroutine[Any, Any, None] = scenario(talk, fake)
        await work
        talk.running.cancel()
        await asyncio.gather(talk.running, return_exceptions=True)
        await talk.floor.close()
        assert talk.caller.hears == []
        assert all(leg.hung_up or leg._queue.empty() for leg in talk.endpoint.legs)
        return talk, fake

    return run(whole())


def test_a_caller_on_hold_hears_music_and_nobody_and_is_heard_by_nobody() -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        await talk.bridge.hold(True)
        await asyncio.sleep(0.1)
        assert (talk.hears(talk.caller), talk.hears(talk.agent), talk.music) == ([], [], True)
        assert talk.bridge.view()["held_by"] == "agent"
        await asyncio.sleep(600)
        assert talk.music, "however long it takes"
        await talk.bridge.hold(False)
        assert not talk.music
        assert talk.hears(talk.caller) == ["ben"]
        assert {key.partition(":")[0] for key in talk.caller.heard} == {"music"}

    talking(scenario)


def test_a_hold_by_the_agents_own_phone_is_music_for_the_caller() -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        for direction in (Direction.SENDONLY, Direction.INACTIVE):
            talk.phone.change(replace(SDP, direction=direction))
            await asyncio.sleep(0.1)
            assert (talk.hears(talk.caller), talk.music) == ([], True)
            assert talk.bridge.view()["held_by"] == "phone"
            talk.phone.change(SDP)
            await asyncio.sleep(0.1)
            assert (talk.hears(talk.caller), talk.music) == (["ben"], False)

    talking(scenario)


def test_a_muted_agent_hears_and_is_not_heard_and_keys_go_to_the_caller() -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        await talk.bridge.mute(True)
        assert (talk.hears(talk.caller), talk.hears(talk.agent)) == ([], ["caller"])
        assert talk.bridge.view()["muted"]
        await talk.bridge.mute(False)
        assert talk.hears(talk.caller) == ["ben"]
        await talk.bridge.press("12#")
        assert talk.caller.pressed == "12#"
        with pytest.raises(TransferFailed):
            await talk.bridge.press("hello")

    talking(scenario)


@pytest.mark.parametrize(
    ("after_s", "by", "how", "told"),
    [
        (CONVERSATION_S + 1, "agent", "over", ("finished", 7, "ben")),
        (2, "agent", "dropped", ("broken", 7, "ben")),
        (CONVERSATION_S + 1, "network", "dropped", ("broken", 7, "ben")),
    ],
    ids=["hung up", "hung up at once", "the line broke"],
)
def test_how_an_agents_leg_ends(after_s: float, by: str, how: str, told: tuple[object, ...]) -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        await asyncio.sleep(after_s)
        talk.phone.end(by, "gone")
        assert (await talk.over()).how == how

    talk, line = talking(scenario)
    assert line.log == [told]
    assert not talk.caller.closed


@pytest.mark.parametrize("by", ["configuration", "choice"])
def test_hanging_up_may_return_the_caller_to_the_dialogue(by: str) -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        if by == "choice":
            await talk.bridge.on_hang_up("returns")
        await asyncio.sleep(CONVERSATION_S + 1)
        talk.phone.end("agent", "BYE")
        assert (await talk.over()).how == "machine"

    _, line = talking(scenario, hang_up="returns" if by == "configuration" else "ends")
    assert line.log == [("finished", 7, "ben")]


def test_a_caller_who_leaves_frees_the_agent() -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        talk.running.cancel()
        await asyncio.gather(talk.running, return_exceptions=True)
        assert talk.phone.hung_up
        assert talk.agent.closed

    _, line = talking(scenario)
    assert line.log == [("finished", 7, "ben")]


@pytest.mark.parametrize("turns", range(16))
def test_who_leaves_while_a_conversation_is_closed_costs_no_agent_their_phone(turns: int) -> None:
    """Both ends hang up at once: the loop's turns between the two decide how far the closing has come."""

    async def scenario(talk: Talk, line: ToldLine) -> None:
        await talk.bridge.hang_up()
        for _ in range(turns):
            await asyncio.sleep(0)
        talk.running.cancel()
        await talk.bridge.close()
        assert talk.phone.hung_up
        assert talk.agent.closed
        assert talk.caller.hears == []

    _, line = talking(scenario)
    assert line.log == [("finished", 7, "ben")]


@pytest.mark.parametrize("turns", range(24))
@pytest.mark.parametrize("ends", ["complete", "drop"])
def test_who_leaves_while_another_takes_over_frees_both(ends: str, turns: int) -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        eve = await talk.desktop("eve")
        await talk.bridge.consult("agent:eve")
        await asyncio.sleep(1)
        command = asyncio.create_task(talk.bridge.complete() if ends == "complete" else talk.bridge.drop())
        for _ in range(turns):
            await asyncio.sleep(0)
        talk.running.cancel()
        await talk.bridge.close()
        await asyncio.gather(command, return_exceptions=True)
        assert talk.phone.hung_up
        assert talk.agent.closed
        assert eve.seen[-1] == "parted"
        phone = talk.floor.phone_of("eve")
        assert phone is not None
        leg, _ = await phone.ring(talk.ring)  # not "they talk with somebody"
        await leg.hangup("done")
        assert talk.floor.bridge_of("ben") is None
        assert talk.floor.bridge_of("eve") is None

    _, line = talking(scenario)
    finished = [told for told in line.log if told[0] == "finished"]
    passed = ("passed", "ben", "eve") in line.log
    assert finished == [("finished", 7, "eve" if passed else "ben")]


@pytest.mark.parametrize("how", ["transfer", "consult"])
def test_a_telephone_that_rings_is_told_of_while_it_rings(how: str) -> None:
    """Whoever takes the call over has to stop it."""

    async def scenario(talk: Talk, line: ToldLine) -> None:
        rang: list[list[object]] = []
        talk.bridge._on_change = lambda: rang.append([each["target"] for each in talk.endpoint.ringing("c1")])
        await (talk.bridge.transfer(OUTSIDE) if how == "transfer" else talk.bridge.consult("agent:cleo"))
        await asyncio.sleep(0.5)
        assert rang[-1] == ["sip:+15035550199@192.0.2.10" if how == "transfer" else "sip:cleo@192.0.2.21"]

    talking(scenario)


@pytest.mark.parametrize("how", ["transfer", "consult", "consult and drop"])
@pytest.mark.parametrize("turns", range(12))
def test_who_leaves_while_somebody_answers_leaves_no_call_behind(how: str, turns: int) -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        await (talk.bridge.transfer(OUTSIDE) if how == "transfer" else talk.bridge.consult("agent:cleo"))
        await asyncio.sleep(talk.endpoint.ring_s)
        for _ in range(turns):
            await asyncio.sleep(0)
        if how == "consult and drop":
            await talk.bridge.drop()
            assert [party.name for party in talk.bridge.talk.parties] == ["Ada", "ben"]
        else:
            talk.running.cancel()
            await asyncio.gather(talk.running, return_exceptions=True)
        assert all(leg.hung_up for leg in talk.endpoint.legs)

    _, line = talking(scenario)
    assert [told for told in line.log if told[0] == "state"] in ([], AWAY_AND_BACK)


@pytest.mark.parametrize(("to", "name"), [("skill:retention", "retention"), ("agent:cleo", "cleo")])
def test_a_transfer_to_a_skill_or_an_agent_waits_in_the_line_at_the_old_place(to: str, name: str) -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        await talk.bridge.transfer(to)
        assert (await talk.over()).how == "line"
        assert talk.phone.hung_up

    _, line = talking(scenario)
    assert line.log == [("passed", "ben", name)]


def test_a_transfer_that_the_line_cannot_take_changes_nothing() -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        line.down = True
        with pytest.raises(Exception, match="database"):
            await talk.bridge.transfer("skill:retention")
        assert talk.hears(talk.caller) == ["ben"]
        line.down = False

    talking(scenario)


@pytest.mark.parametrize("to", ["tel:+19005550100", "sip:anybody@192.0.2.66", "tel:112", "https://x", "agent:"])
def test_nothing_is_dialled_that_is_not_allowed(to: str) -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        for command in (talk.bridge.transfer, talk.bridge.consult):
            with pytest.raises(TransferFailed) as refused:
                await command(to)
            assert refused.value.status == 403
        assert not talk.endpoint.dialled
        assert talk.hears(talk.caller) == ["ben"]

    talking(scenario)


def test_a_transfer_outside_goes_by_the_trunk_and_frees_the_agent_at_once() -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        await talk.bridge.transfer(OUTSIDE)
        await asyncio.sleep(0.2)
        assert talk.phone.hung_up
        assert talk.music
        assert talk.endpoint.dialled == [("sip:+15035550199@192.0.2.10", {})]
        await asyncio.sleep(2)
        assert line.log == [("finished", 7, "ben")], "only now, so that the place is kept until somebody has them"
        assert talk.hears(talk.caller) == ["onward"]
        await asyncio.sleep(CONVERSATION_S)
        talk.endpoint.legs[0].end("agent", "BYE")
        assert (await talk.over()).how == "over"

    _, line = talking(scenario)
    assert line.log == [("finished", 7, "ben")]


def test_where_nobody_answers_outside_the_caller_is_back_in_the_line() -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        talk.endpoint.answers = [486]
        await talk.bridge.transfer(OUTSIDE)
        assert (await talk.over()).how == "line"

    _, line = talking(scenario)
    assert line.log == [("passed", "ben", "")]


def test_a_refer_by_the_agents_phone_is_a_blind_transfer_that_it_hears_about() -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        assert talk.phone.allowed is not None
        assert talk.phone.allowed("sip:+15035550199@192.0.2.20")
        assert not talk.phone.allowed("sip:+19005550100@192.0.2.20")
        talk.phone.post(TransferAsked("sip:+15035550199@192.0.2.20"))
        await asyncio.sleep(0.5)
        assert talk.music
        assert not talk.phone.hung_up, "it hears how that goes"
        await asyncio.sleep(1)
        assert talk.endpoint.dialled == [("sip:+15035550199@192.0.2.10", {})], "by our trunk, whatever host it named"
        assert talk.phone.notified == [200]
        assert talk.phone.hung_up
        assert talk.hears(talk.caller) == ["onward"]

    talking(scenario)


def test_a_refer_that_comes_to_nothing_leaves_the_caller_with_the_agent() -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        talk.endpoint.answers = [486]
        talk.phone.post(TransferAsked("sip:+15035550199@192.0.2.20"))
        await asyncio.sleep(2)
        assert talk.phone.notified == [486]
        assert talk.hears(talk.caller) == ["ben"]
        assert "486" in talk.bridge.view()["trouble"]

    _, line = talking(scenario)
    assert line.log == [("finished", 7, "ben")]


def test_a_phone_that_hangs_up_once_its_refer_is_accepted_does_not_end_the_call() -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        await asyncio.sleep(CONVERSATION_S)
        talk.phone.post(TransferAsked("sip:+15035550199@192.0.2.20"))
        await asyncio.sleep(0.2)
        talk.phone.end("agent", "BYE")
        await asyncio.sleep(2)
        assert talk.hears(talk.caller) == ["onward"]
        assert not talk.running.done()

    talking(scenario)


def test_an_attended_transfer_by_the_agents_phone_replaces_the_call_that_it_made() -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        talk.phone.post(TransferAsked("sip:cleo@192.0.2.21", "x@y;to-tag=1;from-tag=2"))
        await asyncio.sleep(2)
        assert talk.endpoint.dialled == [("sip:cleo@192.0.2.21", {"Replaces": "x@y;to-tag=1;from-tag=2"})]
        assert talk.hears(talk.caller) == ["onward"]
        assert talk.phone.hung_up

    _, line = talking(scenario)
    assert line.log[0] == ("passed", "ben", "cleo")


def test_a_consultation_and_an_attended_transfer() -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        await talk.bridge.consult("agent:cleo")
        await asyncio.sleep(0.5)
        assert talk.bridge.view()["consulting"] == {"with": "cleo", "state": "ringing"}
        assert talk.agent.heard == ["tone:ringback"]
        assert talk.music
        await asyncio.sleep(3)
        cleo = talk.other("cleo")
        assert cleo.heard == ["whisper asked"]
        assert (talk.hears(talk.caller), talk.hears(talk.agent), talk.hears(cleo)) == ([], ["cleo"], ["ben"])
        assert line.log == [("state", "cleo", "away")]
        await talk.bridge.complete()
        assert (talk.hears(talk.caller), talk.hears(cleo), talk.music) == (["cleo"], ["caller"], False)
        assert talk.phone.hung_up
        await asyncio.sleep(CONVERSATION_S)
        talk.endpoint.legs[0].end("agent", "BYE")
        assert await talk.over() == BridgeEnd("over", "cleo", "agent", "BYE")

    _, line = talking(scenario)
    assert line.log == [("state", "cleo", "away"), ("passed", "ben", "cleo"), ("finished", 7, "cleo")]


def test_a_conference_of_three_and_the_consulted_one_who_leaves() -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        await talk.bridge.consult("agent:cleo")
        with pytest.raises(TransferFailed, match="has not answered"):
            await talk.bridge.conference()
        await asyncio.sleep(3)
        await talk.bridge.conference()
        cleo = talk.other("cleo")
        assert talk.hears(talk.caller) == ["ben", "cleo"]
        assert talk.hears(talk.agent) == ["caller", "cleo"]
        assert talk.hears(cleo) == ["ben", "caller"]
        assert talk.bridge.view()["consulting"]["state"] == "conference"
        talk.endpoint.legs[0].end("agent", "BYE")
        await asyncio.sleep(0.1)
        assert talk.hears(talk.caller) == ["ben"]
        assert talk.bridge.view()["consulting"] is None

    _, line = talking(scenario)
    assert ("state", "cleo", "idle") in line.log


def test_an_agent_who_leaves_a_conference_leaves_the_caller_with_the_other() -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        await talk.bridge.consult("agent:cleo")
        await asyncio.sleep(3)
        await talk.bridge.conference()
        talk.phone.end("agent", "BYE")
        await asyncio.sleep(0.1)
        assert talk.hears(talk.caller) == ["cleo"]
        assert talk.bridge.view()["agent"] == "cleo"

    _, line = talking(scenario)
    assert ("passed", "ben", "cleo") in line.log


@pytest.mark.parametrize("when_s", [0.3, 3.0], ids=["while it rings", "once they talk"])
def test_a_consultation_that_is_dropped_brings_the_caller_back(when_s: float) -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        await talk.bridge.consult("agent:cleo")
        await asyncio.sleep(when_s)
        await talk.bridge.drop()
        assert talk.hears(talk.caller) == ["ben"]
        assert all(leg.hung_up for leg in talk.endpoint.legs)
        assert all(leg.closed for leg in talk.media.legs)

    talking(scenario)


def test_nobody_who_answers_a_consultation_brings_the_caller_back() -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        talk.endpoint.answers = [486]
        await talk.bridge.consult("agent:cleo")
        await asyncio.sleep(2)
        assert talk.hears(talk.caller) == ["ben"]
        assert talk.bridge.view()["trouble"].startswith("cleo: 486")
        with pytest.raises(TransferFailed, match=r"nobody is not here, or at another .*: transfer the caller"):
            await talk.bridge.consult("agent:nobody")

    talking(scenario)


def test_the_consulted_ones_console_mutes_itself_and_leaves() -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        eve = await talk.desktop("eve")
        await talk.bridge.consult("agent:eve")
        await asyncio.sleep(1)
        await talk.bridge.conference()
        aside = eve.bridge
        assert aside is not None
        assert eve.seen == ["offer 7", "joined"]
        assert eve.asked_by == "ben"
        await aside.mute(True)
        assert talk.hears(talk.caller) == ["ben"]
        assert aside.view()["muted"]
        assert not talk.bridge.view()["muted"]
        with pytest.raises(TransferFailed, match="ask them"):
            await aside.transfer("skill:retention")
        await aside.hang_up()
        assert eve.seen == ["offer 7", "joined", "parted"]
        assert talk.hears(talk.agent) == ["caller"]

    talking(scenario)


def test_a_supervisor_listens_whispers_and_barges_in() -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        sue = await talk.desktop("sue")
        await talk.bridge.supervise("sue", "listen")
        ear = talk.other("browser-sue")
        assert talk.hears(ear) == ["ben", "caller"]
        assert (talk.hears(talk.caller), talk.hears(talk.agent)) == (["ben"], ["caller"])
        assert sue.seen == [], "who wants to listen isn't rung"
        await talk.bridge.supervise("sue", "whisper")
        assert (talk.hears(talk.caller), talk.hears(talk.agent)) == (["ben"], ["browser", "caller"])
        await talk.bridge.supervise("sue", "barge")
        assert talk.hears(talk.caller) == ["ben", "browser"]
        assert talk.bridge.view()["supervisors"] == ["sue"]
        await talk.bridge.supervise("sue", "off")
        assert talk.hears(talk.caller) == ["ben"]
        assert ear.hears == []
        with pytest.raises(TransferFailed, match="not connected"):
            await talk.bridge.supervise("nobody", "listen")
        with pytest.raises(TransferFailed, match="already"):
            await talk.bridge.supervise("ben", "listen")

    talking(scenario)


def test_the_callers_keys_stay_with_the_agent() -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        talk.caller.key("0")
        await asyncio.sleep(1)
        assert talk.hears(talk.caller) == ["ben"]
        assert not talk.running.done()

    talking(scenario)


def test_without_a_line_an_agent_is_rung_directly() -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        with pytest.raises(TransferFailed, match="no line"):
            await talk.bridge.transfer("skill:retention")
        await talk.bridge.transfer("agent:cleo")
        await asyncio.sleep(3)
        assert talk.hears(talk.caller) == ["cleo"]
        talk.endpoint.answers = [480]
        await talk.bridge.transfer("agent:ben")
        assert (await talk.over()).how == "dropped"

    talking(scenario, line=False)


def test_hanging_up_by_the_console_and_going_back_to_the_machine() -> None:
    async def hung_up(talk: Talk, line: ToldLine) -> None:
        await talk.bridge.hang_up()
        assert await talk.over() == BridgeEnd("over", "ben", "agent", "hung up")

    async def returned(talk: Talk, line: ToldLine) -> None:
        await talk.bridge.back_to_machine()
        assert (await talk.over()).how == "machine"

    for scenario in (hung_up, returned):
        _, line = talking(scenario)
        assert line.log == [("finished", 7, "ben")]


# -- the browser as a phone ------------------------------------------------------------------------------------


def test_a_browser_rings_on_its_console_and_stays_warm_after_the_call() -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        eve = await talk.desktop("eve")
        phone = talk.floor.phone_of("eve")
        assert phone is not None
        leg, media = await phone.ring(talk.ring)
        with pytest.raises(DialFailed, match="486"):
            await phone.ring(talk.ring)
        await leg.hangup("done")
        await media.close()
        assert not talk.other("browser-eve").closed
        assert phone.reachable()
        eve.takes = False
        with pytest.raises(DialFailed, match="603"):
            await phone.ring(talk.ring)

    talking(scenario)


@pytest.mark.parametrize("what", ["closed", "frozen", "failed", "page gone"])
def test_a_browser_that_is_lost_gives_the_caller_back_to_the_line(what: str) -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        eve = await talk.desktop("eve")
        await talk.bridge.consult("agent:eve")
        await asyncio.sleep(1)
        await talk.bridge.complete()
        assert talk.hears(talk.caller) == ["browser"]
        warm, phone = talk.other("browser-eve"), talk.floor.register("eve", eve)
        began = asyncio.get_running_loop().time()
        if what == "page gone":
            await phone.lost()
        else:
            warm.fail(what)
        assert (await talk.over()).how == "dropped"
        assert asyncio.get_running_loop().time() - began <= 2.5
        assert not phone.reachable()

    _, line = talking(scenario)
    assert line.log[-1] == ("broken", 7, "eve")


def test_a_page_that_is_loaded_again_keeps_its_call() -> None:
    async def scenario(talk: Talk, line: ToldLine) -> None:
        eve = await talk.desktop("eve")
        await talk.bridge.consult("agent:eve")
        await asyncio.sleep(1)
        await talk.bridge.complete()
        warm, phone = talk.other("browser-eve"), talk.floor.register("eve", eve)
        warm.fail("closed")
        await asyncio.sleep(1.5)
        assert await phone.connect("again") == "answer to again"
        warm.connect()
        await asyncio.sleep(10)
        assert talk.hears(talk.caller) == ["browser"]
        assert not talk.running.done()

    talking(scenario)
