"""Readiness: one ping for however many ask, a life that never goes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from ivr.errors import StoreUnavailable
from ivr.ports import SpeechLoad
from ivr.readiness import FRESH_S, PING_S, Life, Lifecycle, Step, StoreProbe
from tests.call.virtual import run
from tests.web.fakes import READY


@dataclass(frozen=True)
class Kept:
    """A store that nothing waits for."""

    ping: Callable[[], Coroutine[Any, Any, None]]
    waiting: int = 0
    lost: int = 0
    unpurged: str = ""


def test_many_who_ask_at_once_are_one_ping() -> None:
    async def main() -> None:
        pings = 0

        async def ping() -> None:
            nonlocal pings
            pings += 1
            await asyncio.sleep(1.0)
            raise StoreUnavailable("locked")

        probe = StoreProbe(Kept(ping))
        assert set(await asyncio.gather(*(probe() for _ in range(50)))) == {"locked"}
        assert await probe() == "locked" and pings == 1, "it is fresh"
        await asyncio.sleep(FRESH_S * 2)
        await probe()
        assert pings == 2

    run(main())


def test_a_ping_that_hangs_is_answered_in_time_and_not_piled_upon() -> None:
    async def main() -> None:
        pings, back = 0, asyncio.Event()

        async def ping() -> None:
            nonlocal pings
            pings += 1
            await back.wait()

        probe = StoreProbe(Kept(ping))
        began = asyncio.get_running_loop().time()
        assert set(await asyncio.gather(*(probe() for _ in range(20)))) == {"it does not answer"}
        assert asyncio.get_running_loop().time() - began <= PING_S + 0.01
        assert await probe() == "it does not answer" and pings == 1
        back.set()
        assert await probe() == "ok"
        await asyncio.sleep(FRESH_S * 2)
        assert await probe() == "ok" and pings == 2

    run(main())


def test_who_hangs_up_takes_nobodys_answer_away() -> None:
    async def main() -> None:
        async def ping() -> None:
            await asyncio.sleep(1.0)

        probe = StoreProbe(Kept(ping))
        impatient, patient = asyncio.create_task(probe()), asyncio.create_task(probe())
        await asyncio.sleep(0.5)
        impatient.cancel()
        assert await patient == "ok"

    run(main())


def test_a_life_never_goes_back() -> None:
    told: list[Step] = []
    lifecycle = Lifecycle(told.append)
    lifecycle.begin("rendering prompts", 3, 9)
    assert [str(step) for step in told] == ["rendering prompts, 3 of 9"]
    for life in (Life.SERVING, Life.DRAINING, Life.SERVING):
        lifecycle.reach(life)
    assert lifecycle.life is Life.DRAINING


def test_no_room_for_another_talker_is_a_reason() -> None:
    full = SpeechLoad(60, 60, 0.2, "60 callers at once, the most that are taken", True)
    readiness = replace(READY, speech=full)
    assert readiness.reasons == ("speech: 60 callers at once, the most that are taken",)
    assert readiness.to_json()["speech"]["talkers"] == 60


def test_data_that_stays_too_long_is_told_and_refuses_no_call() -> None:
    late = replace(READY, unpurged="database: away")
    assert late.ready and late.to_json()["retention"] == "database: away"
    assert READY.to_json()["retention"] == "ok"
