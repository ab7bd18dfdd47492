"""A hand-over alone, in virtual time: every way it can come out, and what is left of it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from ivr.call.call_story import CONTEXT_TIMEOUT_S
from ivr.call.comfort import AFTER_WORDS_S, AGAIN_S, FIRST_S
from ivr.call.handoff import Handoff
from ivr.call.journal import Journal, Recorder
from ivr.dialogue.engine.contract import Connect, Start
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.dialogue.flows.library import FlowLibrary
from ivr.errors import CallEnded, DialFailed
from ivr.events import LegEnded, MediaLost, MediaTimeout, TransferProgress
from ivr.media.description import Direction, MediaDescription
from ivr.phones.bridge_phones import CONVERSATION_S
from ivr.phones.introduction import HELD_S, SILENT_S
from ivr.phones.participant import Participant
from ivr.phones.restoration import MOST_LOSSES
from ivr.ports import Clip, Destination, HandoffContext, MediaChanged
from ivr.record import Entered, HandedOver
from tests.call.fakes import (
    SDP,
    FakeDesk,
    FakeEndpoint,
    FakeLeg,
    FakeMedia,
    FakeMediaLeg,
    FakeRecords,
    FakeSpeech,
    services,
)
from tests.call.test_session import library
from tests.call.virtual import run

__all__ = ["library"]

ASKED = Connect(1, "asked", "general", 5)


class Bench:
    """One caller, in the menu, and the hand-over that serves them."""

    def __init__(self, library: FlowLibrary) -> None:
        self.desk = FakeDesk()
        self.endpoint = FakeEndpoint()
        self.speech = FakeSpeech()
        self.media = FakeMedia()
        self.records = FakeRecords()
        self.leg = FakeLeg()
        self.caller = FakeMediaLeg("caller")
        self.pauses: list[str] = []
        dialogue = Dialogue(library, Start("c"))
        self.services = services(
            endpoint=self.endpoint, media=self.media, speech=self.speech, desk=self.desk, records=self.records
        )
        clock = self.services.clock
        journal = Journal(self.records, "c")
        journal.begin("1", "2", clock.now(), {})
        self.recorder = Recorder("c", "leg-1", journal, self.services.registry, clock)
        self.recorder.record(Entered("main.menu", "question"))
        self._dialogue = dialogue
        self._journal = journal
        self.handoff = self._handoff()

    def _handoff(self) -> Handoff:
        return Handoff("c", Participant(self.leg, self.caller), self._dialogue, self.recorder, self.services)

    def on(self, **others: Any) -> None:
        """With another desk, or another user agent."""
        switchboard = replace(self.services.switchboard, **others)
        others.pop("endpoint", None)
        self.services = replace(self.services, switchboard=switchboard, **others)
        self.handoff = self._handoff()

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        self.pauses.append("paused")
        try:
            yield
        finally:
            self.pauses.append("resumed")

    def start(self) -> asyncio.Task[str]:
        return asyncio.create_task(self.handoff.run(ASKED, self.paused))

    async def run(self) -> str:
        return await self.handoff.run(ASKED, self.paused)

    @property
    def recorded(self) -> list[HandedOver]:
        return [entry.what for entry in self.records.entries if isinstance(entry.what, HandedOver)]

    def nothing_left(self) -> bool:
        """No agent is on the line, no RTP session is open but the caller's."""
        return all(leg.hung_up for leg in self.endpoint.legs) and all(leg.closed for leg in self.media.legs)


def alone(library: FlowLibrary, scenario: Any) -> Bench:
    """Runs ``scenario(bench)`` and lets the journal write."""

    async def whole() -> Bench:
        bench = Bench(library)
        work: Coroutine[Any, Any, None] = scenario(bench)
        await work
        await asyncio.sleep(1)
        await bench._journal.finish("", bench.services.clock.now(), {})
        return bench

    return run(whole())


def noted(status: int) -> TransferProgress:
    """A NOTIFY."""
    return TransferProgress(status, "progress")


class TwoAgents(FakeDesk):
    def destinations(self, skill: str, now: datetime) -> Sequence[Destination]:
        return [Destination(name, f"sip:{name}@test", self.mode) for name in ("one", "two")]


def told_to(words: list[float]) -> Callable[[], bool]:
    """A mouth that notes when it was asked for a word."""

    def speak() -> bool:
        words.append(asyncio.get_running_loop().time())
        return True

    return speak


class SilentDesk(FakeDesk):
    """Its context store never answers."""

    async def store_context(self, context: HandoffContext) -> str:
        await asyncio.Event().wait()
        return ""


class BrokenDesk(FakeDesk):
    def destinations(self, skill: str, now: datetime) -> Sequence[Destination]:
        raise RuntimeError("a bug")


def test_nobody_on_duty_is_closed(library: FlowLibrary) -> None:
    async def scenario(bench: Bench) -> None:
        bench.desk.open = False
        assert await bench.run() == "closed"
        assert not bench.endpoint.dialled
        assert not bench.desk.contexts

    alone(library, scenario)


def test_nobody_who_answers_is_failed_and_nothing_is_left(library: FlowLibrary) -> None:
    async def scenario(bench: Bench) -> None:
        bench.on(desk=TwoAgents())
        bench.endpoint.answers = [486, 480]
        assert await bench.run() == "failed"
        assert [target for target, _ in bench.endpoint.dialled] == ["sip:one@test", "sip:two@test"]
        assert bench.nothing_left()
        assert not bench.handoff.call.with_agent
        assert bench.handoff.context is not None, "but a human was wanted"
        assert bench.handoff.call.seconds_to_human is None
        assert not bench.caller._playing, "it does not go on ringing"

    bench = alone(library, scenario)
    assert not bench.recorded
    assert not bench.pauses


def test_whatever_breaks_is_failed(library: FlowLibrary) -> None:
    async def scenario(bench: Bench) -> None:
        bench.on(desk=BrokenDesk())
        assert await bench.run() == "failed"

    alone(library, scenario)


def test_what_breaks_once_they_are_joined_leaves_no_agent(library: FlowLibrary) -> None:
    @asynccontextmanager
    async def broken() -> AsyncIterator[None]:
        raise RuntimeError("a bug")
        yield

    async def scenario(bench: Bench) -> None:
        assert await bench.handoff.run(ASKED, broken) == "failed"
        assert bench.nothing_left()
        assert not bench.handoff.call.with_agent

    alone(library, scenario)


def test_a_phone_that_never_rings_is_not_waited_for(library: FlowLibrary) -> None:
    class Unplugged(FakeEndpoint):
        async def dial(self, target: str, local: MediaDescription, **given: Any) -> FakeLeg:
            raise DialFailed(404, "Not Found")

    async def scenario(bench: Bench) -> None:
        bench.on(endpoint=Unplugged())
        assert await bench.run() == "failed"
        assert not bench.caller.heard
        assert bench.nothing_left()

    alone(library, scenario)


def test_the_caller_hears_the_phone_ring_and_the_agent_a_whisper(library: FlowLibrary) -> None:
    async def scenario(bench: Bench) -> None:
        talk = bench.start()
        await asyncio.sleep(bench.endpoint.ring_s / 2)
        assert bench.caller.heard == ["tone:ringback"]
        await asyncio.sleep(3)
        agent = bench.media.legs[0]
        assert agent.heard == ["whisper asked"]
        assert bench.caller.bridged_to is agent
        assert bench.pauses == ["paused"]
        assert bench.handoff.call.with_agent
        context = bench.handoff.context
        assert context is not None
        assert (context.flow, context.state, context.caller.number) == ("main", "menu", "5035550101")
        talk.cancel()

    bench = alone(library, scenario)
    assert bench.recorded == [HandedOver("desk", "asked", encryption="none")]


def test_what_is_still_being_said_outlasts_a_phone_that_is_busy(library: FlowLibrary) -> None:
    async def scenario(bench: Bench) -> None:
        bench.endpoint.answers = [486]
        await bench.caller.play([Clip("a prompt", bytes(2 * 8000))], token=7)
        assert await bench.start() == "failed"
        await bench.caller.play([Clip("the next", bytes(2 * 800))], token=8)
        await asyncio.sleep(2)
        assert bench.caller.heard == ["a prompt", "the next"]
        assert bench.caller.cut == [], "the ringing behind it was hushed, not the words"

    alone(library, scenario)


def test_without_a_synthesiser_nobody_whispers_and_they_are_joined(library: FlowLibrary) -> None:
    async def scenario(bench: Bench) -> None:
        bench.speech.mute = True
        talk = bench.start()
        await asyncio.sleep(1)
        assert bench.handoff.call.with_agent
        assert bench.media.legs[0].heard == []
        talk.cancel()

    alone(library, scenario)


def test_a_context_store_that_hangs_costs_a_second_and_the_link(library: FlowLibrary) -> None:
    async def scenario(bench: Bench) -> None:
        bench.on(desk=SilentDesk())
        talk = bench.start()
        await asyncio.sleep(CONTEXT_TIMEOUT_S + 0.1)
        assert bench.endpoint.dialled == [("sip:agent@test", {"X-IVR-Reason": "asked", "X-IVR-Context": ""})]
        await asyncio.sleep(3)
        assert bench.handoff.call.with_agent
        talk.cancel()

    alone(library, scenario)


@pytest.mark.parametrize(
    "lost",
    [MediaTimeout("agent", 30.0), MediaLost("agent", "killed"), LegEnded("agent-1", "agent", "BYE")],
    ids=["gone", "no media process", "hung up at once"],
)
def test_an_agent_who_is_lost_gives_the_caller_back(library: FlowLibrary, lost: Any) -> None:
    async def scenario(bench: Bench) -> None:
        talk = bench.start()
        await asyncio.sleep(3)
        assert bench.handoff.call.with_agent
        bench.endpoint.legs[0].alive = False
        bench.media.legs[0].gone_s = 99.0  # no other media process comes
        (bench.endpoint.legs[0] if isinstance(lost, LegEnded) else bench.media.legs[0]).post(lost)
        assert await talk == "dropped"
        assert bench.pauses == ["paused", "resumed"]
        assert bench.caller.bridged_to is None
        assert not bench.handoff.call.with_agent
        assert bench.nothing_left()
        assert not bench.leg.hung_up

    alone(library, scenario)


def test_an_agent_who_hangs_up_after_a_conversation_ends_the_call(library: FlowLibrary) -> None:
    async def scenario(bench: Bench) -> None:
        talk = bench.start()
        await asyncio.sleep(3 + CONVERSATION_S)
        bench.endpoint.legs[0].end("agent", "BYE")
        with pytest.raises(CallEnded, match="agent: BYE"):
            await talk
        assert bench.handoff.call.with_agent, "the call is the agent's to the end"
        assert bench.nothing_left()

    alone(library, scenario)


def test_a_hold_in_the_whisper_and_in_the_talk_re_aims_the_agents_audio(library: FlowLibrary) -> None:
    async def scenario(bench: Bench) -> None:
        aimed: list[object] = []

        class Aimed(FakeMediaLeg):
            async def update(self, remote: Any) -> Any:
                aimed.append(remote)
                return await super().update(remote)

        async def opened(leg: str, remote: MediaDescription | None, **how: Any) -> FakeMediaLeg:
            bench.media.legs.append(Aimed(leg))
            return bench.media.legs[-1]

        bench.media.open = opened  # type: ignore[method-assign]
        talk = bench.start()
        await asyncio.sleep(0.6)  # the whisper lasts as long
        assert not bench.handoff.call.with_agent
        bench.endpoint.legs[0].post(MediaChanged(SDP))
        await asyncio.sleep(2)
        assert bench.handoff.call.with_agent
        bench.endpoint.legs[0].post(MediaChanged(SDP))
        await asyncio.sleep(0.1)
        assert len(aimed) == 3, "at the answer, and twice after"
        talk.cancel()

    alone(library, scenario)


def test_an_agent_who_leaves_during_the_whisper_is_not_the_last_to_be_tried(library: FlowLibrary) -> None:
    async def scenario(bench: Bench) -> None:
        bench.on(desk=TwoAgents())
        talk = bench.start()
        await asyncio.sleep(0.6)
        bench.endpoint.legs[0].end("agent", "BYE")
        await asyncio.sleep(3)
        assert [target for target, _ in bench.endpoint.dialled] == ["sip:one@test", "sip:two@test"]
        assert bench.handoff.call.with_agent
        assert bench.media.legs[0].closed
        talk.cancel()

    bench = alone(library, scenario)
    assert [what.destination for what in bench.recorded] == ["two"]


@pytest.mark.parametrize("after_s", [0.0, 0.2, 0.7], ids=["at once", "while it rings", "during the whisper"])
def test_a_caller_who_leaves_meanwhile_leaves_nothing(library: FlowLibrary, after_s: float) -> None:
    async def scenario(bench: Bench) -> None:
        talk = bench.start()
        await asyncio.sleep(after_s)
        talk.cancel()
        await asyncio.gather(talk, return_exceptions=True)
        assert talk.cancelled()
        assert bench.nothing_left()
        await asyncio.sleep(0.1)  # for the journal to have written
        assert len(asyncio.all_tasks()) == 1, "this one"

    bench = alone(library, scenario)
    assert not bench.recorded


def test_a_refer_takes_the_call_away(library: FlowLibrary) -> None:
    async def scenario(bench: Bench) -> None:
        bench.desk.mode = "refer"
        transfer = bench.start()
        for status in (100, 180, 200):
            await asyncio.sleep(1)
            assert not transfer.done()
            bench.handoff.progress(noted(status))
        with pytest.raises(CallEnded, match="transferred"):
            await transfer
        assert bench.handoff.call.with_agent
        assert bench.handoff.call.seconds_to_human == 3.0
        assert not bench.pauses

    bench = alone(library, scenario)
    assert bench.recorded == [HandedOver("desk", "asked")]


def test_a_refer_that_comes_to_nothing_leaves_the_caller_here(library: FlowLibrary) -> None:
    async def scenario(bench: Bench) -> None:
        bench.on(desk=TwoAgents(mode="refer"))
        transfer = bench.start()
        await asyncio.sleep(1)
        bench.handoff.progress(noted(486))
        await asyncio.sleep(1)
        assert [target for target, _ in bench.leg.refers] == ["sip:one@test", "sip:two@test"]
        assert await transfer == "failed", "the second says nothing at all"

    alone(library, scenario)


def test_a_late_notify_says_nothing_about_the_next_refer(library: FlowLibrary) -> None:
    async def scenario(bench: Bench) -> None:
        bench.desk.mode = "refer"
        assert await bench.run() == "failed"
        bench.handoff.progress(noted(200))
        again = bench.start()
        await asyncio.sleep(1)
        assert not again.done()
        again.cancel()

    alone(library, scenario)


def test_seconds_to_a_human_count_from_the_first_wish(library: FlowLibrary) -> None:
    async def scenario(bench: Bench) -> None:
        bench.endpoint.answers = [486]
        assert await bench.run() == "failed"
        await asyncio.sleep(60)
        talk = bench.start()
        await asyncio.sleep(3)
        assert bench.handoff.call.seconds_to_human == pytest.approx(61.6)
        talk.cancel()

    alone(library, scenario)


def agents(bench: Bench, **settings: Any) -> None:
    """RTP sessions with agents, as ``settings`` say."""

    async def opened(leg: str, remote: MediaDescription | None, **how: Any) -> FakeMediaLeg:
        bench.media.legs.append(FakeMediaLeg(leg))
        for name, value in settings.items():
            setattr(bench.media.legs[-1], name, value)
        return bench.media.legs[-1]

    bench.media.open = opened  # type: ignore[method-assign]


def directed(direction: Direction) -> MediaDescription:
    return replace(SDP, direction=direction)


class Answering(FakeEndpoint):
    """Its agents answer with this description."""

    answered = SDP

    async def dial(self, target: str, local: MediaDescription, **given: Any) -> FakeLeg:
        leg = await super().dial(target, local, **given)
        leg.remote = self.answered
        return leg


def test_a_phone_that_answers_and_sends_nothing_is_given_up_after_four_seconds(library: FlowLibrary) -> None:
    async def scenario(bench: Bench) -> None:
        agents(bench, silent=True)
        bench.on(desk=TwoAgents())
        talk = bench.start()
        await asyncio.sleep(bench.endpoint.ring_s + SILENT_S - 0.1)
        assert len(bench.endpoint.dialled) == 1
        await asyncio.sleep(0.2)
        assert [target for target, _ in bench.endpoint.dialled] == ["sip:one@test", "sip:two@test"]
        assert bench.endpoint.legs[0].hung_up
        assert await talk == "failed"

    alone(library, scenario)


def test_a_phone_that_only_listens_is_not_waited_for(library: FlowLibrary) -> None:
    async def scenario(bench: Bench) -> None:
        agents(bench, silent=True)
        endpoint = Answering()
        endpoint.answered = directed(Direction.RECVONLY)
        bench.on(endpoint=endpoint)
        talk = bench.start()
        await asyncio.sleep(3)
        assert bench.handoff.call.with_agent
        talk.cancel()

    alone(library, scenario)


@pytest.mark.parametrize("direction", [Direction.INACTIVE, Direction.SENDONLY])
def test_an_agent_who_answers_on_hold_is_waited_for(library: FlowLibrary, direction: Direction) -> None:
    async def scenario(bench: Bench) -> None:
        endpoint = Answering()
        endpoint.answered = directed(direction)
        bench.on(endpoint=endpoint)
        talk = bench.start()
        await asyncio.sleep(HELD_S - 5)
        assert not endpoint.legs[0].hung_up
        assert not bench.handoff.call.with_agent
        elsewhere = replace(SDP, port=5004)
        endpoint.legs[0].change(elsewhere)
        await asyncio.sleep(2)
        assert bench.handoff.call.with_agent
        assert bench.media.legs[0].aimed[-1] == elsewhere
        talk.cancel()

    alone(library, scenario)


def test_an_agent_who_holds_for_ever_is_given_up(library: FlowLibrary) -> None:
    async def scenario(bench: Bench) -> None:
        endpoint = Answering()
        endpoint.answered = directed(Direction.INACTIVE)
        bench.on(endpoint=endpoint)
        talk = bench.start()
        await asyncio.sleep(HELD_S + 1)
        assert endpoint.legs[0].hung_up
        assert await talk == "failed"

    alone(library, scenario)


def test_a_muted_agent_stays_as_long_as_their_phone_answers(library: FlowLibrary) -> None:
    async def scenario(bench: Bench) -> None:
        talk = bench.start()
        await asyncio.sleep(3)
        agent = bench.media.legs[0]
        for _ in range(3):
            agent.post(MediaTimeout("agent", 30.0))
            await asyncio.sleep(30)
            assert bench.handoff.call.with_agent
        assert len(agent.aimed) == 4, "and has as long again each time"
        bench.endpoint.legs[0].alive = False
        agent.post(MediaTimeout("agent", 30.0))
        assert await talk == "dropped"

    alone(library, scenario)


@pytest.mark.parametrize("moves", [False, True], ids=["same ports", "other ports"])
def test_media_lost_while_it_rings_and_during_the_whisper(library: FlowLibrary, moves: bool) -> None:
    async def scenario(bench: Bench) -> None:
        agents(bench, gone_s=8.0, moves=moves)
        talk = bench.start()
        await asyncio.sleep(0.2)
        bench.media.legs[0].lose()  # before the answer, and for longer than a whisper may take
        await asyncio.sleep(10)
        assert bench.handoff.call.with_agent
        assert bench.media.legs[0].heard == ["whisper asked"]
        assert [local.port for local in bench.endpoint.legs[0].reinvited] == [bench.media.legs[0].local.port]
        talk.cancel()

    alone(library, scenario)


def test_a_bridged_agent_keeps_the_caller_over_a_lost_media_process(library: FlowLibrary) -> None:
    async def scenario(bench: Bench) -> None:
        agents(bench, moves=True)
        talk = bench.start()
        await asyncio.sleep(3)
        bench.media.legs[0].lose()
        await asyncio.sleep(20)
        assert bench.handoff.call.with_agent
        assert len(bench.endpoint.legs[0].reinvited) == 1
        assert bench.caller.bridged_to is bench.media.legs[0]
        talk.cancel()

    alone(library, scenario)


@pytest.mark.parametrize("status", [488, 408])
def test_an_agent_whose_phone_refuses_other_ports_gives_the_caller_back(library: FlowLibrary, status: int) -> None:
    async def scenario(bench: Bench) -> None:
        agents(bench, moves=True)
        talk = bench.start()
        await asyncio.sleep(3)
        bench.endpoint.legs[0].reinvite_result = status
        bench.media.legs[0].lose()
        assert await talk == "dropped"
        assert bench.nothing_left()
        assert not bench.leg.hung_up

    alone(library, scenario)


def test_a_phone_that_refuses_the_same_ports_again_has_audio_all_the_same(library: FlowLibrary) -> None:
    async def scenario(bench: Bench) -> None:
        talk = bench.start()
        await asyncio.sleep(3)
        bench.endpoint.legs[0].reinvite_result = 488
        bench.media.legs[0].lose()
        await asyncio.sleep(20)
        assert bench.handoff.call.with_agent
        assert bench.endpoint.legs[0].reinvited
        talk.cancel()

    alone(library, scenario)


def test_media_that_are_lost_again_and_again_end_it(library: FlowLibrary) -> None:
    async def scenario(bench: Bench) -> None:
        talk = bench.start()
        await asyncio.sleep(3)
        for _ in range(MOST_LOSSES):
            bench.media.legs[0].lose()
            await asyncio.sleep(2)
            assert bench.handoff.call.with_agent
        bench.media.legs[0].lose()
        assert await talk == "dropped"

    alone(library, scenario)


@pytest.mark.parametrize("rings_s", [0.0, 1.5])
def test_one_phone_after_the_other_makes_no_longer_silence(library: FlowLibrary, rings_s: float) -> None:
    """Each is given up before a word would have been due."""
    heard: list[float] = []

    def now() -> float:
        return asyncio.get_running_loop().time()

    class Brief(FakeEndpoint):
        async def dial(self, target: str, local: MediaDescription, **given: Any) -> FakeLeg:
            if rings_s:
                given["on_ringing"]()
                await asyncio.sleep(rings_s)
                heard.append(now())
            await asyncio.sleep(FIRST_S - 0.5 - rings_s)
            raise DialFailed(486, "Busy Here")

    class FiveAgents(FakeDesk):
        def destinations(self, skill: str, now: datetime) -> Sequence[Destination]:
            return [Destination(str(n), f"sip:{n}@test", self.mode) for n in range(5)]

    async def scenario(bench: Bench) -> None:
        bench.on(endpoint=Brief(), desk=FiveAgents())
        heard.append(now())
        assert await bench.handoff.run(ASKED, bench.paused, told_to(heard)) == "failed"
        heard.append(now())

    alone(library, scenario)
    assert len(heard) > 3
    assert max(later - sooner for sooner, later in itertools.pairwise(heard)) <= AGAIN_S


def test_a_word_that_would_talk_over_another_comes_right_after_it(library: FlowLibrary) -> None:
    asked: list[float] = []

    class Deaf(FakeEndpoint):
        async def dial(self, target: str, local: MediaDescription, **given: Any) -> FakeLeg:
            await asyncio.sleep(10)
            raise DialFailed(408, "No answer in time")

    async def scenario(bench: Bench) -> None:
        bench.on(endpoint=Deaf())
        now = asyncio.get_running_loop().time
        began = now()

        def speak() -> bool:
            asked.append(now() - began)
            return asked[-1] > FIRST_S + 0.5

        assert await bench.handoff.run(ASKED, bench.paused, speak) == "failed"

    alone(library, scenario)
    assert asked == pytest.approx([FIRST_S, FIRST_S + AFTER_WORDS_S])


def test_while_nothing_rings_a_word_is_asked_for_every_few_seconds(library: FlowLibrary) -> None:
    class Deaf(FakeEndpoint):
        async def dial(self, target: str, local: MediaDescription, **given: Any) -> FakeLeg:
            await asyncio.sleep(20)
            raise DialFailed(408, "No answer in time")

    words: list[float] = []

    async def scenario(bench: Bench) -> None:
        bench.on(endpoint=Deaf(), desk=TwoAgents())
        outcome = await bench.handoff.run(ASKED, bench.paused, told_to(words))
        assert outcome == "failed"
        assert not bench.caller.heard

    alone(library, scenario)
    assert words[0] == pytest.approx(FIRST_S)
    gaps = [later - sooner for sooner, later in zip(words, [*words[1:], 40.0], strict=True)]
    assert max(gaps) <= AGAIN_S


def test_a_phone_that_rings_for_long_is_heard_all_the_time(library: FlowLibrary) -> None:
    words: list[float] = []

    async def scenario(bench: Bench) -> None:
        bench.endpoint.ring_s = bench.desk.rings_s = 65.0
        talk = asyncio.create_task(bench.handoff.run(ASKED, bench.paused, told_to(words)))
        await asyncio.sleep(64)
        assert bench.caller.heard == ["tone:ringback"] * 11
        assert bench.caller._playing
        talk.cancel()

    alone(library, scenario)
    assert not words


def test_a_refer_that_takes_long_brings_words_too(library: FlowLibrary) -> None:
    words: list[float] = []

    async def scenario(bench: Bench) -> None:
        bench.desk.mode = "refer"
        assert await bench.handoff.run(ASKED, bench.paused, told_to(words)) == "failed"

    alone(library, scenario)
    assert len(words) == 5
