"""A caller whose media process dies, and a caller for whom nobody is there: never silence, never a circle."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ivr.dialogue.flows.library import FlowLibrary
from ivr.errors import CallEnded, DialFailed, MediaUnavailable
from ivr.events import Digit
from ivr.media.description import Direction, MediaDescription
from ivr.phones.restoration import WITHIN_S
from ivr.ports import MediaChanged
from ivr.record import Keyed
from tests.call.fakes import SDP, FakeEndpoint, FakeLeg, FakeMedia, FakeMediaLeg
from tests.call.test_session import Rig, library
from tests.call.virtual import run

__all__ = ["library"]

SORRY = "Sorry, I lost you for a moment."


@pytest.mark.parametrize("moves", [False, True], ids=["same ports", "other ports"])
def test_a_question_that_was_asked_is_asked_again(library: FlowLibrary, moves: bool) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            rig.caller.moves = moves
            before = list(rig.caller.heard)
            rig.speech.ears[-1].begin()  # half a sentence
            await asyncio.sleep(0.1)
            rig.caller.lose()
            await asyncio.sleep(6)
            again = rig.caller.heard[len(before) :]
            assert again[0] == SORRY
            assert again[-1] == before[-1]
            assert [local.port for local in rig.leg.reinvited] == [rig.caller.local.port]
            await rig.say("what's next")  # by ears of their own
            assert "Next is" in rig.said
            assert not rig.leg.hung_up

    run(scenario())


def test_a_prompt_that_is_cut_begins_anew(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call(settle_s=0.5):
            begun = rig.caller.heard[-1]
            rig.caller.lose()
            await asyncio.sleep(1)
            assert rig.caller.heard[-2:] == [begun, begun]
            await asyncio.sleep(9)
            assert SORRY not in rig.said

    run(scenario())


def test_a_key_by_info_in_the_gap_is_heard(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            rig.caller.gone_s = 4.0
            rig.caller.lose()
            await asyncio.sleep(1)
            rig.leg.post(Digit("0", "info"))
            await asyncio.sleep(1)
            assert rig.endpoint.dialled, "before there are any media"
            await asyncio.sleep(8)
            assert rig.caller.bridged_to is not None
            assert SORRY not in rig.said

    run(scenario())


def test_a_key_that_was_down_when_the_media_died_is_up(library: FlowLibrary) -> None:
    """Nobody told so; the next press of it may come by another way, and is a press."""

    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            rig.caller.post(Digit("9", "rtp", held=True))
            await asyncio.sleep(2)
            rig.caller.lose()
            await asyncio.sleep(9)
            told = len(rig.records.entries)
            rig.caller.post(Digit("9", "tone"))
            await asyncio.sleep(1)
            assert [e.what for e in rig.records.entries[told:] if isinstance(e.what, Keyed)] == [Keyed("9")]

    run(scenario())


def test_nobody_is_asked_for_their_silence_in_the_gap(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call(settle_s=11):
            rig.caller.gone_s = 10.0
            before = len(rig.caller.heard)
            rig.caller.lose()
            await asyncio.sleep(10.5)
            assert rig.caller.heard[before:] == [SORRY]

    run(scenario())


def test_the_third_loss_in_a_minute_brings_a_person(library: FlowLibrary) -> None:
    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            for _ in range(3):
                rig.caller.lose()
                await asyncio.sleep(9)
            assert rig.endpoint.dialled
            assert rig.desk.contexts[0].reason == "media failed"

    run(scenario())


def test_a_caller_whose_phone_refuses_other_ports_ends_with_a_reason(library: FlowLibrary) -> None:
    async def scenario() -> Rig:
        rig = Rig(library)
        async with rig.call():
            rig.caller.moves = True
            rig.leg.reinvite_result = 488
            rig.caller.lose()
            await asyncio.sleep(1)
            assert rig.leg.hung_up
        return rig

    assert "488" in run(scenario()).canonical["end_reason"]


def test_a_call_that_comes_while_there_are_no_media_rings(library: FlowLibrary) -> None:
    class Restarting(FakeMedia):
        def healthy(self) -> bool:
            return False

    class Ringing(FakeLeg):
        rang = False

        async def ring(self) -> None:
            self.rang = True

    async def scenario() -> None:
        rig = Rig(library)
        rig.media, rig.leg = Restarting(), Ringing()
        async with rig.call():
            assert rig.leg.rang
            assert rig.said

    run(scenario())


class Nobody(FakeEndpoint):
    """Every address is dead."""

    async def dial(self, target: str, local: MediaDescription, **given: Any) -> FakeLeg:
        self.dialled.append((target, {}))
        raise DialFailed(503, "Unreachable: Connection refused")


def silent_to_the_end(library: FlowLibrary, number: str) -> Rig:
    async def scenario() -> Rig:
        rig = Rig(library)
        rig.endpoint = Nobody()
        rig.leg = FakeLeg(number=number)
        async with rig.call():
            await rig.press("0", settle_s=300)
            assert rig.leg.hung_up
        return rig

    return run(scenario())


def test_silence_to_the_end_ends_in_a_promise(library: FlowLibrary) -> None:
    rig = silent_to_the_end(library, "5035550101")
    assert rig.caller.heard[-1].endswith("Goodbye.")
    assert "We will call you back at the number you're calling from" in rig.said
    assert [call.name for call in rig.actions.calls][-1] == "callback.request"
    assert rig.canonical["outcome"] == "callback"
    assert len(rig.endpoint.dialled) == 4, "twice, and twice again for who gave no sign"


def test_silence_without_a_number_promises_nothing(library: FlowLibrary) -> None:
    rig = silent_to_the_end(library, "")
    assert "Please call again. Goodbye." in rig.said
    assert "call you back at the number" not in rig.said
    assert rig.canonical["outcome"] == "unattended"


def test_a_dead_address_is_filled_with_words(library: FlowLibrary) -> None:
    class BlackHole(FakeEndpoint):
        async def dial(self, target: str, local: MediaDescription, **given: Any) -> FakeLeg:
            await asyncio.sleep(20)
            raise DialFailed(408, "No answer in time")

    async def scenario() -> None:
        rig = Rig(library)
        rig.endpoint = BlackHole()
        async with rig.call():
            await rig.press("0", settle_s=18)
            assert rig.caller.heard.count("I'm still getting you a person. Please stay on the line.") == 2

    run(scenario())


def test_without_media_for_good_a_refer_still_brings_a_person(library: FlowLibrary) -> None:
    async def scenario() -> Rig:
        rig = Rig(library)
        rig.desk.mode = "refer"
        async with rig.call():
            rig.caller.gone_s = 99.0
            rig.caller.lose()
            await asyncio.sleep(WITHIN_S + 1)
            assert [target for target, _ in rig.leg.refers] == ["sip:agent@test"]
            rig.leg.progress(180)
            rig.leg.progress(200)
            await asyncio.sleep(1)
        return rig

    canonical = run(scenario()).canonical
    assert (canonical["outcome"], canonical["handoff_reason"]) == ("handed over", "media failed")


@pytest.mark.parametrize("how", [Direction.SENDONLY, Direction.INACTIVE])
def test_a_caller_who_holds_the_line_is_asked_again_and_their_music_is_no_answer(
    library: FlowLibrary, how: Direction
) -> None:
    """A second call on their mobile, say: nobody is handed over, or asked for their silence, meanwhile."""

    async def scenario() -> None:
        rig = Rig(library)
        async with rig.call():
            before = list(rig.caller.heard)
            rig.speech.ears[-1].begin()  # half a sentence
            rig.leg.post(MediaChanged(replace(SDP, direction=how)))
            await asyncio.sleep(1)
            for words in ("your call is important to us", "please hold the line", "agent"):
                rig.speech.ears[-1].hear(words)
                await asyncio.sleep(60)
            assert rig.caller.heard == before and not rig.endpoint.dialled
            rig.leg.post(MediaChanged(SDP))
            await asyncio.sleep(6)
            assert rig.caller.heard == [*before, before[-1]], "what was asked, and nothing else"
            await rig.say("what's next")
            assert "Next is" in rig.said

    run(scenario())


def test_a_caller_who_gives_up_before_there_are_media_has_hung_up_and_nothing_raises(library: FlowLibrary) -> None:
    """Their CANCEL has been answered when it is known that nobody could have heard them."""

    class Gone(FakeMedia):
        async def open(self, *args: Any, **options: Any) -> FakeMediaLeg:
            await asyncio.sleep(5)
            raise MediaUnavailable("no process")

    class Cancelled(FakeLeg):
        async def reject(self, status: int, reason: str, *, retry_after_s: int | None = None) -> None:
            raise CallEnded("caller", "cancelled")

    async def scenario() -> Rig:
        rig = Rig(library)
        rig.media, rig.leg = Gone(), Cancelled()
        async with rig.call():
            pass
        return rig

    canonical = run(scenario()).canonical
    assert (canonical["ended_by"], canonical["end_reason"]) == ("caller", "cancelled")
