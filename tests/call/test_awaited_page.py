"""An agent's page at a process that died: the caller is kept for it, in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from ivr.call.awaited_page import BACK_S
from ivr.dialogue.flows.library import FlowLibrary
from ivr.phones.browser_phone import BrowserPhone
from ivr.phones.floor import AgentFloor
from ivr.ports.line import AgentStatus
from tests.call.fakes import EPOCH, VirtualClock
from tests.call.line import FakeLine
from tests.call.test_bridge import Desktop
from tests.call.test_session import library
from tests.call.test_takeover import House, Kept
from tests.call.virtual import run

__all__ = ["library"]

AGENT = "ann"


class Page:
    """Of the agent, at the process of this floor."""

    def __init__(self, heir: House, floor: AgentFloor) -> None:
        self._heir = heir
        self._floor = floor
        self.desktop = Desktop()

    async def back(self) -> None:
        """Their console is here, and then its phone."""
        assert self._heir.line is not None
        agents = self._heir.line.agents
        agents[AGENT] = replace(agents[AGENT], line="here")
        phone = self._floor.register(AGENT, self.desktop)
        assert isinstance(phone, BrowserPhone)
        await phone.connect("offer")
        next(leg for leg in self._heir.media.legs if leg.name.startswith("browser-")).connect()


@asynccontextmanager
async def inherited(library: FlowLibrary, **talk: Any) -> AsyncIterator[tuple[House, Page]]:
    """Who talked with an agent at a browser, in a process that is dead by now."""
    kept, line = Kept(), FakeLine(VirtualClock().now)
    first = House(library, kept)
    first.line = line
    line.staff(AGENT, console=False)
    async with first.keeping():
        await first.press("0")
        assert first.with_agent()
    snapshot = json.loads(kept.kept["c0ffee"])
    others = [{"leg": "third", "number": "1"}] if "others" in talk else []
    snapshot["agent"] |= {"leg": None, "others": others, "talk": snapshot["agent"]["talk"] | talk}
    kept.kept["c0ffee"] = json.dumps(snapshot)
    (place_id,) = line.places
    line.places[place_id] = replace(line.places[place_id], state="talking", agent=AGENT, line="line")
    line.agents[AGENT] = AgentStatus(AGENT, "away", EPOCH, ("general",), line="")
    if others:
        line.staff("ben", state="away")
        line.agents["ben"] = replace(line.agents["ben"], reason=f"asked by {AGENT}")
    heir = House(library, kept)
    heir.line = line
    async with heir.heir():
        kept.orphans.append(kept.orphan())
        await asyncio.sleep(5)
        yield heir, Page(heir, heir.consoles)
        heir.ended()
        await asyncio.sleep(5)


def test_it_comes_back_and_the_two_are_joined_again_without_a_click(library: FlowLibrary) -> None:
    async def scenario() -> None:
        async with inherited(library) as (heir, page):
            assert heir.said.startswith("One moment.") and not heir.with_agent()
            await page.back()
            await asyncio.sleep(1)
            assert heir.with_agent() and page.desktop.seen == ["joined"], "no offer to be taken"
            assert not heir.endpoint.dialled
            assert page.desktop.bridge is not None and not page.desktop.bridge.view()["held"]

    run(scenario())


def test_as_they_were_they_go_on(library: FlowLibrary) -> None:
    async def scenario() -> None:
        began = "2026-01-01T00:00:00+00:00"
        as_it_was = {"held": True, "muted": True, "paused": True, "since": began, "others": ["ben"]}
        async with inherited(library, **as_it_was) as (heir, page):
            (third,) = [leg for leg in heir.endpoint.restored if leg.id == "third"]
            assert third.hung_up, "who was in it besides hears nobody any more"
            assert heir.line is not None and heir.line.agents["ben"].state == "idle", "and is on duty again"
            await page.back()
            await asyncio.sleep(1)
            bridge = page.desktop.bridge
            assert bridge is not None
            view = bridge.view()
            assert (view["held_by"], view["muted"], view["began"]) == ("agent", True, began)
            assert view["trouble"].startswith("ben is no longer with you")
            await bridge.hold(False)
            assert not bridge.view()["held"]

    run(scenario())


def test_it_does_not_come_back_and_the_caller_is_first_in_the_line(library: FlowLibrary) -> None:
    async def scenario() -> None:
        async with inherited(library) as (heir, _):
            line = heir.line
            assert line is not None
            (place_id,) = line.places
            assert line.places[place_id].state == "talking", "kept for them"
            line.staff("bob", console=False)
            await asyncio.sleep(BACK_S - 6)
            assert line.places[place_id].state == "talking"
            await asyncio.sleep(8)
            assert ("broken", place_id) in line.events
            assert line.places[place_id].agent == "bob"

    run(scenario())


def test_who_hangs_up_meanwhile_has_left(library: FlowLibrary) -> None:
    async def scenario() -> None:
        async with inherited(library) as (heir, _):
            heir.ended()
            await asyncio.sleep(5)
            assert heir.line is not None
            (place,) = heir.line.places.values()
            assert place.state in ("away", "abandoned")
            assert heir.canonical["ended_by"] == "caller" and not heir.kept.kept

    run(scenario())
