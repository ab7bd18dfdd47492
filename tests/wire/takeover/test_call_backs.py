"""A line is killed while it makes a call back: it is made once, nobody is left to silence, and a talk goes on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from ivr.cli.db import opened
from ivr.config import load_config
from ivr.demo.line import AgentPhone, RunningLine
from ivr.ports import Arrival
from tests.postgres import PostgresServer, postgres_server, postgres_template
from tests.wire.line.watching import logged, mark, until
from tests.wire.takeover.house import House, hears, house, tone
from tests.wire.takeover.telephone import Telephone

__all__ = ["postgres_server", "postgres_template"]

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

NUMBER = "+15035550101"


@dataclass(frozen=True, slots=True)
class Office:
    """``ben`` has a telephone, ``rosa`` is to be called back."""

    house: House
    ben: Telephone
    rosa: Telephone

    async def asked(self) -> None:
        """Somebody noted a call back."""
        arrival = Arrival(f"tel:{NUMBER}", "before", "general", 5, reason="asked", name="Rosa", number=NUMBER)
        async with opened(load_config(self.house.setups[0].folder / "config.toml")) as database:
            await database.store.line.ask_call_back(arrival, NUMBER)

    async def place(self) -> dict[str, Any]:
        rows = await self.house.rows("SELECT * FROM places ORDER BY id DESC LIMIT 1")
        return rows[0]

    async def until_place(self, state: str) -> dict[str, Any]:
        async def met() -> bool:
            return bool((await self.place())["state"] == state)

        await until(met)
        return await self.place()

    async def maker(self) -> RunningLine:
        """The line that makes it."""
        (row,) = await self.house.rows("SELECT sip FROM line_processes WHERE id = $1", (await self.place())["line"])
        return self.house.line_at(row["sip"])

    async def together(self) -> None:
        await hears(self.rosa, "ada")
        await hears(self.ben, "caller")

    async def over(self) -> None:
        assert await self.rosa.hang_up() == 200
        await asyncio.wait_for(self.ben.over.wait(), 15)
        place = await self.until_place("done")
        assert place["attempts"] == 0


def rings_for_call_back(kept: dict[str, Any]) -> bool:
    return "call_back" in kept and bool(kept["ringing"])


def talks_on_call_back(kept: dict[str, Any]) -> bool:
    return bool(((kept.get("call_back") or {}).get("agent") or {}).get("talk", {}).get("since"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(
    postgres_server: PostgresServer, postgres_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Office]:
    ben, rosa = await Telephone.ready(None, "ben"), await Telephone.ready(None, "rosa")
    ben.says, rosa.says = tone("ada"), tone("caller")
    agents = [AgentPhone(ben.uri, name="ben", ring_timeout_s=20.0)]
    async with house(
        postgres_server, postgres_template, tmp_path_factory.mktemp("callbacks"), "call_backs", agents,
        gateway=f"sip:127.0.0.1:{rosa.port}",
    ) as made:  # fmt: skip
        yield Office(made, ben, rosa)
    for phone in (ben, rosa):
        phone.close()


@pytest_asyncio.fixture(loop_scope="session")
async def ready(office: Office) -> Office:
    await office.house.up()
    for phone in (office.ben, office.rosa):
        phone.rung = phone.cancelled = 0
        phone.answers_after_s = 0.2
        phone.reinvited.clear()
    return office


async def test_while_it_rings_nobody_is_left_and_it_is_made_once_more(ready: Office) -> None:
    rosa, ben = ready.rosa, ready.ben
    rosa.answers_after_s = None
    await ready.asked()

    async def rings() -> bool:
        return rosa.rung == 1

    await until(rings)
    await ready.house.until_kept(rings_for_call_back)
    dead = await ready.maker()
    heir = ready.house.other(dead)
    since = mark(heir)
    rosa.answers_after_s = 0.2
    await ready.house.kill(dead)

    async def again() -> bool:
        return rosa.rung == 2 and rosa.answered.is_set()

    await until(again)
    assert rosa.cancelled == 1, "the first one stopped ringing"
    await logged(heir, "callback.taken_back", since=since)
    await ready.together()
    assert ben.rung == 2 and rosa.rung == 2
    assert (await ready.until_place("talking"))["agent"] == "ben"
    await ready.over()


async def test_who_answers_a_line_that_is_dead_is_hung_up_and_called_again(ready: Office) -> None:
    rosa = ready.rosa
    rosa.answers_after_s = None
    await ready.asked()

    async def rings() -> bool:
        return rosa.rung == 1

    await until(rings)
    await ready.house.until_kept(rings_for_call_back)
    dead = await ready.maker()
    dead.process.send_signal(signal.SIGSTOP)  # it hears no more
    rosa.pick_up()
    ended = asyncio.create_task(rosa.over.wait())
    rosa.answers_after_s = 0.2
    await ready.house.kill(dead)
    await asyncio.wait_for(ended, 20)

    async def again() -> bool:
        return rosa.rung == 2 and rosa.answered.is_set()

    await until(again)
    await ready.together()
    await ready.over()


async def test_a_call_back_that_was_reached_goes_on(ready: Office) -> None:
    rosa, ben = ready.rosa, ready.ben
    await ready.asked()

    async def reached() -> bool:
        return rosa.rung == 1 and rosa.answered.is_set()

    await until(reached)
    await ready.together()
    await ready.until_place("talking")
    await ready.house.until_kept(lambda kept: "caller" in kept and talks_on_call_back(kept))
    dead = await ready.maker()
    heir = ready.house.other(dead)
    since = mark(heir)
    died = await ready.house.kill(dead)

    async def told() -> bool:
        return all(any(each.at > died for each in phone.reinvited) for phone in (rosa, ben))

    await until(told)
    await ready.together()
    print(f"together again after {rosa.now() - died:.1f} s")
    assert (ben.rung, rosa.rung) == (1, 1), "nobody is called again"
    await ready.until_place("talking")
    await ready.over()
    end = await logged(heir, "call.end", since=since)
    assert (end["outcome"], end["direction"]) == ("handed over", "outbound")
