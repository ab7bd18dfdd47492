"""What users of other queues complain of: each as a test on both databases that it does not happen here."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from ivr.ports.line import Announced
from ivr.ports.line_store import Snapshot

from .conftest import OneLine, arrival, phone
from .running import process
from .running import until as seen
from .test_announcing import announcing, tell, until
from .test_several_processes import judged


async def test_the_hold_time_is_right_after_a_quiet_night(desk: OneLine) -> None:
    """The first caller of the morning hears what the days before taught and who is there now, though nobody waited for
    hours and the process was started again."""
    yesterday = datetime.now(UTC) - timedelta(hours=16)
    told = [
        Announced(n, yesterday + timedelta(seconds=n), 1, 600.0, "first", 10, 0, 300.0, true_wait_s=150.0, kept=True)
        for n in range(1, 61)
    ]
    await desk.store.announced.keep(told)
    await desk.agent("ann", state="wrap_up")
    async with announcing(desk) as line:
        await until(lambda: line.staffed("general"))
        place = await line.enter(arrival())

        def bound() -> float:
            standing = line.standing(place.id)
            assert standing is not None and (standing.position, standing.agents) == (1, 1)
            return standing.within_s or 0.0

        await until(lambda: 0 < bound() < 300)
        assert bound() == pytest.approx(150.0, rel=0.1), "half of what is expected, as it always was; not twice that"
        await line.set_state("ann", "away")
        await until(lambda: not line.staffed("general"))
        standing = line.standing(place.id)
        assert standing is not None and standing.within_s is None, "with nobody there nothing is promised"


async def test_nobody_is_stuck_behind_another_skill(desk: OneLine) -> None:
    """Who waits for somebody who is busy holds up nobody whom another could take, and is not counted before them."""
    await desk.agent("rita", "retention", state="wrap_up")
    await desk.agent("ann", "general", state="wrap_up")
    before = [await desk.enter(f"member:{n}", "retention", 9) for n in range(3)]
    async with announcing(desk) as line:
        mine = await line.enter(arrival("member:9", "general"))
        standing = line.standing(mine.id)
        assert standing is not None and standing.position == 1
        await line.set_state("ann", "idle")
        assert (await asyncio.wait_for(line.offered(mine.id), 5)).agent == "ann"
        await line.set_state("rita", "idle")
        assert (await asyncio.wait_for(line.offered(before[0].id), 5)).agent == "rita"


@pytest.mark.parametrize("console", [True, False], ids=["console", "phone"])
@pytest.mark.parametrize(
    "how", ["hung up", "called back", "no answer", "lease over", "done otherwise", "moved on", "process dead"]
)
async def test_no_agent_is_left_reserved(desk: OneLine, other: OneLine, how: str, console: bool) -> None:
    """However an offer ends: the agent takes callers again, or is away where they know why."""
    desk.configure(offer_s=20.0, rest_s=60.0)
    await (desk.agent("ann") if console else desk.phones(phone("ann")))
    place = await other.enter("member:1", number="+15035550101")
    offer = await desk.pair()
    if how == "hung up":
        await other.line.leave(place.id, "abandoned")
    elif how == "called back":
        await other.line.call_back(place.id, "+15035550101", datetime.now(UTC) + timedelta(hours=1))
    elif how == "no answer":
        await desk.line.released(offer, "no_answer")
    elif how == "lease over":
        await desk.age(21)
        await desk.line.reap()
    elif how == "done otherwise":
        await other.line.leave(place.id, "done")
    elif how == "moved on":
        await other.enter("member:1", call_id="call of member:1")
        await other.line.leave(place.id, "away")
    else:
        await desk.silence("there", 6.0)
        await desk.line.reap(silent=True)
    assert not await desk.line.answered(offer)
    expected = {"ann": "away" if how in ("no answer", "lease over") else "idle"}
    assert await desk.states() == expected
    if expected["ann"] == "away" and console:
        await desk.line.set_state("ann", "idle")
    elif expected["ann"] == "away":
        await desk.age(61)
        await desk.line.reap()
        await desk.phones(phone("ann"))
    await other.line.leave(place.id, "done")
    following = await desk.enter("member:2")
    assert (await desk.pair()).place.id == following.id


async def test_no_ghost_call_rings_an_agent_after_the_caller_hung_up(url: str) -> None:
    """Whoever rings the agent's phone hears at once that the caller is gone, and nobody else is offered them."""
    async with process(url, "here") as here:
        for name in ("ann", "bob"):
            await here.line.sign_in(name, skills=("general",))
            await here.line.set_state(name, "idle")
        place = await here.line.enter(arrival())
        offer = await asyncio.wait_for(here.line.offered(place.id), 5)
        ringing = asyncio.create_task(here.line.lapsed(offer))
        await seen(here.line, lambda view: any(each.state == "offered" for each in view.places))
        assert not ringing.done()
        began = time.monotonic()
        await here.line.leave(place.id, "abandoned")
        await asyncio.wait_for(ringing, 5)
        assert time.monotonic() - began < 0.9, "told of it, not at the next look"
        assert not await here.line.answered(offer)
        await seen(here.line, lambda view: [agent.state for agent in view.agents] == ["idle", "idle"])
        await here.desk.nobody()
        assert (await here.desk.events(place.id)).count("offered") == 1


async def test_a_position_does_not_rise(desk: OneLine) -> None:
    """Who overtakes is not told of; the place is said again once it fits what was said."""
    await desk.agent("ann", state="wrap_up")
    async with announcing(desk) as line:
        await until(lambda: line.staffed("general"))
        earlier = await line.enter(arrival("member:1"))
        mine = await line.enter(arrival("member:2"))
        assert tell(line, mine.id).position == 2
        urgent = [await line.enter(arrival(f"member:urgent{n}", "general", 9)) for n in range(2)]
        assert tell(line, mine.id).position == 0, "four would be true, and is more than they were told"
        for place in urgent:
            await line.leave(place.id, "done")
        await until(lambda: len(line.view().places) == 2)
        assert tell(line, mine.id).position == 2
        await line.leave(earlier.id, "done")
        await until(lambda: len(line.view().places) == 1)
        assert tell(line, mine.id).position == 1


async def test_two_servers_never_offer_one_caller(desk: OneLine, other: OneLine) -> None:
    """Nor two callers to one agent: both look at the same moment, again and again."""
    for n in range(4):
        await (desk if n % 2 else other).agent(f"agent{n}")
    people = [await (desk if n % 2 else other).enter(f"member:{n}") for n in range(16)]
    served: list[int] = []
    while len(served) < len(people):
        found = await asyncio.gather(*(each.line.pair() for each in (desk, other) * 4))
        offers = [offer for offer in found if offer is not None]
        assert len({offer.agent for offer in offers}) == len(offers) == 4
        served += [offer.place.id for offer in offers]
        for offer in offers:
            assert await desk.line.answered(offer)
            await desk.line.finished(offer.place.id, offer.agent)
            await desk.line.set_state(offer.agent, "idle")
    assert sorted(served) == [place.id for place in people], "each once"
    assert (await judged(desk))["again"] == 0


async def test_a_call_back_that_was_asked_for_elsewhere_is_not_taken_back_at_once(
    desk: OneLine, other: OneLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is paired here before this process has looked at the line again, and knows nothing of it yet."""
    looked, look = asyncio.Event(), desk.line.snapshot

    async def late() -> Snapshot:
        await looked.wait()
        return await look()

    async with announcing(desk) as line:
        await until(lambda: line.view().fresh)
        monkeypatch.setattr(desk.line, "snapshot", late)
        place = await other.line.ask_call_back(arrival("member:1"), "+15035550101")
        calls = aiter(line.callbacks())
        await desk.agent("ann")
        offer = await asyncio.wait_for(anext(calls), 5)
        assert offer.place.id == place.id
        ringing = asyncio.create_task(line.lapsed(offer))
        await asyncio.wait([ringing], timeout=0.2)
        assert not ringing.done(), "it stands"
        looked.set()
        await other.line.released(offer, "declined")
        await asyncio.wait_for(ringing, 5)
