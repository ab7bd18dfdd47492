"""Agents' seats in virtual time: pages come and go, offers are taken or withdrawn, nothing is lost by a reload."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from ivr.desk.page import TranscriptLine
from ivr.desk.seat import Seat
from ivr.desk.seats import GRACE_S
from ivr.errors import DialFailed, IvrError, StoreUnavailable
from ivr.ports import Account, Ring
from tests.call.fakes import EPOCH, VirtualClock
from tests.call.virtual import run
from tests.seats import CONTEXT, OFFER_S, FakePhone, Floor, arrival_of, floor

ANA = Account("ana", frozenset({"agent"}), "Ana Ruiz")


class Page:
    """desk.seat.Page."""

    def __init__(self) -> None:
        self.was_replaced = False
        self.lines: list[str] = []

    def replaced(self) -> None:
        self.was_replaced = True

    def transcribed(self, line: TranscriptLine) -> None:
        self.lines.append(line.text)


def desk(story: Callable[[Floor, Seat, Page], Awaitable[None]]) -> None:
    """An agent at the desk, available."""

    async def day() -> None:
        ground, page = floor(VirtualClock()), Page()
        seat = await ground.seats.enter(ANA, page)
        assert isinstance(seat.phone, FakePhone)
        await seat.phone.connect("v=0")
        await seat.available()
        try:
            await story(ground, seat, page)
        finally:
            await ground.stop()

    run(day())


async def settled() -> None:
    await asyncio.sleep(0.001)


def test_a_colleagues_question_says_who_asks_and_how_long_it_rings() -> None:
    """Long after the offer by which the caller came."""

    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        place = ground.line.arrive(arrival_of(CONTEXT))
        offer = await ground.line.offered(place.id)
        await asyncio.sleep(100.0)
        asked = asyncio.create_task(seat.offer(Ring(offer, CONTEXT, "", {}, 15.0, asked_by="ben")))
        await settled()
        told = shown(ground, seat)["offer"]
        assert told["asked_by"] == "ben"
        assert datetime.fromisoformat(told["until"]) - ground.clock.now() == pytest.approx(
            timedelta(seconds=15), abs=timedelta(seconds=0.1)
        )
        seat.decline(place.id)
        assert not await asked

    desk(story)


def shown(ground: Floor, seat: Seat) -> dict[str, Any]:
    return dict(ground.seats.view(seat))


def test_an_agent_who_enters_is_away_until_they_say_otherwise() -> None:
    async def day() -> None:
        ground = floor(VirtualClock())
        seat = await ground.seats.enter(ANA, Page())
        me = shown(ground, seat)["me"]
        assert (me["state"], me["display"], me["skills"]) == ("away", "Ana Ruiz", ["general", "retention"])
        await seat.available()
        assert shown(ground, seat)["me"]["state"] == "idle"
        await seat.away("lunch")
        me = shown(ground, seat)["me"]
        assert (me["state"], me["reason"]) == ("away", "lunch")

    run(day())


def test_an_offer_says_why_with_the_words_before_it_is_answered() -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        call = ground.call(waited_s=221)
        await settled()
        offer = shown(ground, seat)["offer"]
        told = offer["story"]
        assert told["who"] == "Ada Moreno" and told["identity"] == "likely: number known" and told["urgent"]
        assert told["said"] == CONTEXT.said
        assert [each["said"] for each in told["also"]] == ["let me talk to a person"]
        assert offer["waits_since"] < EPOCH.isoformat() and told["panel"]["name"] == "Ada Moreno"
        assert shown(ground, seat)["talk"] is None and not call.done()

        seat.accept(offer["place"])
        await settled()
        after = shown(ground, seat)
        assert after["offer"] is None and after["talk"]["joined"] and after["me"]["state"] == "busy"

    desk(story)


def test_a_declined_offer_leaves_the_caller_in_line_and_the_agent_free() -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        call = ground.call()
        await settled()
        seat.decline(1)
        assert await call == "declined"
        assert ground.line.noted_of("released") == [(1, "declined")]
        after = shown(ground, seat)
        assert after["offer"] is None and after["me"]["state"] == "idle" and after["line"]["waiting"] == 1

    desk(story)


def test_a_caller_who_hangs_up_takes_the_offer_along_and_the_agent_is_told() -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        call = ground.call()
        await settled()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        after = shown(ground, seat)
        assert after["offer"] is None and "Ada Moreno" in after["news"]
        with pytest.raises(IvrError, match="gone"):
            seat.accept(1)

    desk(story)


def test_an_answer_to_another_offer_takes_nothing() -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        call = ground.call()
        await settled()
        with pytest.raises(IvrError, match="gone"):
            seat.accept(7)
        assert not call.done() and shown(ground, seat)["offer"] is not None

    desk(story)


def test_a_page_that_is_loaded_again_in_time_has_its_conversation() -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        call = ground.call()
        await settled()
        seat.accept(1)
        await settled()
        seat.transcribed(TranscriptLine("caller", "hello", EPOCH))
        before = shown(ground, seat)["talk"]
        ground.seats.leave(seat, page)
        await asyncio.sleep(GRACE_S - 0.1)
        again = await ground.seats.enter(ANA, Page())
        await asyncio.sleep(60)
        assert again is seat and shown(ground, seat)["talk"] == before and not call.done()
        assert [line.text for line in seat.lines] == ["hello"]
        assert ground.line.noted_of("sign_out") == []

    desk(story)


def test_a_page_that_stays_away_sends_the_caller_back_in_line_within_two_and_a_half_seconds() -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        call = ground.call()
        await settled()
        seat.accept(1)
        await settled()
        ground.seats.leave(seat, page)
        async with asyncio.timeout(2.5):
            assert await call == "dropped"
        await asyncio.sleep(0.2)
        assert ground.line.noted_of("broken") == [(1,)]
        assert ground.line.places[1].state == "waiting"
        assert ground.line.noted_of("sign_out") == [("ana",)]
        assert shown(ground, seat)["me"]["state"] == "away" and shown(ground, seat)["talk"] is None

    desk(story)


def test_a_frozen_page_has_no_grace_on_top_of_its_silence() -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        ground.seats.leave(seat, page, silent_s=2.1)
        await asyncio.sleep(0.4)
        assert shown(ground, seat)["me"]["state"] == "away"

    desk(story)


def test_an_offer_to_a_page_that_went_is_released() -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        call = ground.call()
        await settled()
        ground.seats.leave(seat, page)
        assert await call == "declined"
        assert ground.line.noted_of("released") == [(1, "unreachable")]

    desk(story)


def test_the_newer_page_takes_over_and_the_older_ones_end_means_nothing() -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        newer = Page()
        assert await ground.seats.enter(ANA, newer) is seat
        assert page.was_replaced and not newer.was_replaced
        ground.seats.leave(seat, page)
        await asyncio.sleep(10)
        assert shown(ground, seat)["me"]["state"] == "idle"
        seat.transcribed(TranscriptLine("agent", "hi", EPOCH))
        assert newer.lines == ["hi"] and page.lines == []

    desk(story)


def test_signing_out_is_tried_until_the_database_is_back() -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        ground.line.away = True
        ground.seats.leave(seat, page)
        await asyncio.sleep(30)
        assert ground.line.noted_of("sign_out") == []
        ground.line.away = False
        await asyncio.sleep(2)
        assert ground.line.noted_of("sign_out") == [("ana",)]

    desk(story)


def test_who_can_t_sign_in_has_no_seat_and_may_try_again() -> None:
    async def day() -> None:
        ground, page = floor(VirtualClock()), Page()
        ground.line.away = True
        with pytest.raises(StoreUnavailable):
            await ground.seats.enter(ANA, page)
        ground.line.away = False
        seat = await ground.seats.enter(ANA, Page())
        assert shown(ground, seat)["me"]["state"] == "away"
        await ground.stop()

    run(day())


def test_wrapping_up_keeps_how_it_came_out_and_what_comes_next() -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        call = ground.call()
        await settled()
        seat.accept(1)
        await settled()
        with pytest.raises(IvrError, match="after it"):
            await seat.away("lunch")
        await seat.bridge().hang_up()
        assert await call == "over"
        after = shown(ground, seat)
        assert after["talk"] is None and after["wrap"]["story"]["who"] == "Ada Moreno"
        assert after["me"]["state"] == "wrap_up"
        with pytest.raises(IvrError, match="choose"):
            await seat.finish("splendid", "available")
        await seat.finish("saved", "away", "lunch")
        assert ground.line.noted_of("wrapped_up") == [(1, "saved")]
        after = shown(ground, seat)
        assert after["wrap"] is None and (after["me"]["state"], after["me"]["reason"]) == ("away", "lunch")
        with pytest.raises(IvrError, match="nothing"):
            await seat.finish("saved", "available")

    desk(story)


def test_goodwill_and_notes_are_done_in_the_agent_s_name_and_shown_at_once() -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        with pytest.raises(IvrError, match="nobody"):
            await seat.grant("bonus_title", "", "k0")
        ground.call()
        await settled()
        seat.accept(1)
        await settled()
        given = await seat.grant("credit", "500", "k1")
        assert given["label"] == "Credit $5" and given["undo_until"]
        await seat.add_note("  wants new discs  ", "k2")
        hand = ground.panel.by[0]
        assert (hand.name, hand.display, hand.call_id, hand.key) == ("ana", "Ana Ruiz", "c0ffee", "k1")
        panel = shown(ground, seat)["talk"]["story"]["panel"]
        assert panel["granted"][0]["by"] == "Ana Ruiz" and panel["notes"][0]["text"] == "wants new discs"
        await seat.undo(given["id"], "k3")
        assert shown(ground, seat)["talk"]["story"]["panel"]["granted"][0]["undone"]
        with pytest.raises(IvrError, match="empty"):
            await seat.add_note("   ", "k4")

    desk(story)


def test_a_call_back_is_asked_for_in_the_agent_s_own_name() -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        ground.call()
        await settled()
        seat.accept(1)
        await settled()
        with pytest.raises(IvrError, match="over"):
            await seat.call_back("5035550101", EPOCH.replace(year=2020))
        due = EPOCH.replace(hour=23)
        await seat.call_back("5035550101", due)
        ((arrival, number, when),) = ground.line.noted_of("ask_call_back")
        assert (number, when) == ("+15035550101", due)
        assert arrival.named == "ana" and arrival.reason == CONTEXT.reason  # type: ignore[attr-defined]
        assert shown(ground, seat)["line"]["waiting"] == 0, "it is not due yet"

    desk(story)


def test_a_message_is_offered_read_and_done_like_a_call() -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        message = asyncio.create_task(ground.message("call me about the discs", "left"))
        await settled()
        offer = shown(ground, seat)["offer"]
        assert offer["kind"] == "message" and offer["message"]["transcript"] == "call me about the discs"
        seat.accept(offer["place"])
        await message
        talk = shown(ground, seat)["talk"]
        assert talk["message"]["recording"] == "/desk/recordings/left" and not talk["joined"]
        with pytest.raises(IvrError, match="nobody"):
            seat.bridge()
        await seat.finish("resolved", "available")
        assert ground.line.noted_of("finished") == [(1, "resolved")]
        assert shown(ground, seat)["talk"] is None and shown(ground, seat)["me"]["state"] == "idle"

    desk(story)


def test_a_declined_message_waits_for_somebody_else() -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        message = asyncio.create_task(ground.message("hello"))
        await settled()
        seat.decline(1)
        await message
        assert ground.line.noted_of("released") == [(1, "declined")]

    desk(story)


def test_a_message_that_nobody_takes_in_time_goes_on() -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        await ground.message("hello")
        assert ground.line.noted_of("released") == [(1, "no_answer")]
        after = shown(ground, seat)
        assert after["offer"] is None and after["me"]["state"] == "away"

    desk(story)


@pytest.mark.parametrize("error", [StoreUnavailable("the members are away"), KeyError("a fault of the company's")])
def test_what_could_not_be_read_is_said_and_holds_up_no_offer(error: Exception) -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        ground.panel.broken = error
        ground.call()
        await settled()
        told = shown(ground, seat)["offer"]["story"]
        assert told["missing"] == ["the member"] and told["panel"] is None and told["who"] == "Ada Moreno"

    desk(story)


def test_the_state_is_the_same_while_nothing_changes() -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        ground.call()
        await settled()
        seat.accept(1)
        await settled()
        first = shown(ground, seat)
        await asyncio.sleep(30)
        assert shown(ground, seat) == first, "the page counts seconds by itself"

    desk(story)


def test_nobody_is_passed_on_to_themselves() -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        await ground.seats.enter(Account("ben", frozenset({"agent"}), "Ben Ito"), Page())
        targets = {each["to"] for each in shown(ground, seat)["targets"]}
        assert targets == {"agent:ben", "skill:general", "skill:retention", "tel:+15035550123"}

    desk(story)


def test_a_message_is_heard_by_who_has_it_before_them() -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        delivered = asyncio.ensure_future(ground.message("Please call me.", "left"))
        await settled()
        assert seat.plays("left") and not seat.plays("another") and not seat.plays("")
        offer = shown(ground, seat)["offer"]
        seat.accept(offer["place"])
        await delivered
        assert seat.plays("left")
        await seat.finish("resolved", "available")
        assert not seat.plays("left")

    desk(story)


@pytest.mark.parametrize("ahead_s", [-3600, 3600])
def test_a_message_is_offered_as_long_as_the_line_says_whatever_this_machines_clock_does(ahead_s: int) -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        ground.line.ahead = timedelta(seconds=ahead_s)
        delivered = asyncio.ensure_future(ground.message("Please call me.", "left"))
        await asyncio.sleep(OFFER_S - 1)
        offer = shown(ground, seat)["offer"]
        assert offer is not None and ground.line.noted_of("released") == []
        until = datetime.fromisoformat(offer["until"])
        assert 0 < (until - ground.clock.now()).total_seconds() <= 1
        await asyncio.sleep(2)
        assert ground.line.noted_of("released") == [(offer["place"], "no_answer")]
        await delivered

    desk(story)


def test_a_number_that_is_never_dialled_is_no_call_back() -> None:
    async def story(ground: Floor, seat: Seat, page: Page) -> None:
        call = ground.call()
        await settled()
        seat.accept(shown(ground, seat)["offer"]["place"])
        await settled()
        for number in ("911", "900 555 1212"):
            with pytest.raises(DialFailed):
                await seat.call_back(number, None)
        await seat.call_back("(503) 555-0142", None)
        ((_, dialled, due_at),) = ground.line.noted_of("ask_call_back")
        assert (dialled, due_at) == ("+15035550142", None)
        call.cancel()

    desk(story)
