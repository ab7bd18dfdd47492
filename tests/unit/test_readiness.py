"""Readiness: one ping for however many ask, a life that never goes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from ivr.config import SipConfig
from ivr.errors import StoreUnavailable
from ivr.lifespan import Lifespan
from ivr.ports import RegistrationStatus, SpeechLoad
from ivr.readiness import FRESH_S, LOOK_S, PING_S, Life, Lifecycle, Readiness, ReadinessWatch, Step, StoreProbe
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


def test_nothing_is_asked_of_a_store_that_closes() -> None:
    async def main() -> None:
        asked, ended = asyncio.Event(), asyncio.Event()

        async def ping() -> None:
            asked.set()
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()

        probe = StoreProbe(Kept(ping))
        await probe.settle()
        waiting = asyncio.create_task(probe())
        await asked.wait()
        waiting.cancel()
        await probe.settle()
        assert ended.is_set()

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


def registration(trunk: str, state: str) -> RegistrationStatus:
    return RegistrationStatus(trunk, state, "" if state == "registered" else "403", None)


def test_one_trunk_of_several_takes_no_line_out() -> None:
    one = replace(READY, registrations=(registration("a", "registered"), registration("b", "failed")))
    assert (one.ready, one.state, one.warnings) == (True, "ready", ("trunk b: failed, 403",))
    assert one.to_json()["warnings"] == ["trunk b: failed, 403"]
    none = replace(READY, registrations=(registration("a", "failed"), registration("b", "failed")))
    assert (none.state, none.warnings) == ("trunk", ())
    assert none.reasons == ("trunk a: failed, 403", "trunk b: failed, 403")
    assert replace(none, open_trunk=True).ready, "calls come by one that needs no registration"


@pytest.mark.parametrize(
    ("trunks", "is_open"),
    [
        ([{"name": "loop", "allow": ["127.0.0.0/8", "::1/128"]}], False),
        ([{"name": "pbx", "allow": ["192.0.2.1"], "register": "sip:x", "username": "u", "password": "env:P"}], False),
        ([{"name": "pbx", "allow": ["192.0.2.0/24"]}], True),
        ([{"name": "pbx", "inbound_auth": True, "username": "u", "password": "env:P"}], True),
    ],
)
def test_a_trunk_that_needs_no_registration_is_open(trunks: Sequence[object], is_open: bool) -> None:
    assert SipConfig.model_validate({"trunks": trunks}).open_trunk is is_open


def test_a_drain_that_is_taken_back_is_the_only_way_back() -> None:
    lifecycle = Lifecycle()
    lifecycle.resume()
    assert lifecycle.life is Life.STARTING
    lifecycle.reach(Life.DRAINING)
    lifecycle.resume()
    assert lifecycle.life.value == "serving"
    lifecycle.reach(Life.STOPPING)
    lifecycle.resume()
    assert lifecycle.life.value == "stopping"


def test_a_watch_knows_the_state_and_logs_its_changes() -> None:
    async def main() -> None:
        readiness = [READY]
        told: list[str] = []

        async def ask() -> Readiness:
            return readiness[-1]

        watch = ReadinessWatch(ask)
        watch.told = lambda now: told.append(now.state)
        with capture_logs() as logs:
            running = asyncio.create_task(watch.run())
            await asyncio.sleep(LOOK_S / 2)
            assert watch.unready() == ""
            readiness.append(replace(READY, store="gone"))
            await asyncio.sleep(LOOK_S * 2)
            assert watch.unready() == "", "calls go on without, and every line has lost the same one"
            readiness.append(replace(READY, media=False))
            await asyncio.sleep(LOOK_S)
            assert watch.unready() == "media"
            readiness.append(READY)
            await asyncio.sleep(LOOK_S)
            assert watch.unready() == ""
            running.cancel()
        changes = [(entry["event"], entry["before"], entry["state"], entry["log_level"]) for entry in logs]
        assert changes == [
            ("readiness.changed", "ready", "store", "warning"),
            ("readiness.changed", "store", "media", "warning"),
            ("readiness.changed", "media", "ready", "info"),
        ]
        assert told == ["ready", "store", "store", "media", "ready"]

    run(main())


def test_no_room_for_another_talker_is_a_reason() -> None:
    full = SpeechLoad(60, 60, 0.2, "60 callers at once, the most that are taken", True)
    readiness = replace(READY, speech=full)
    assert readiness.reasons == ("speech: 60 callers at once, the most that are taken",)
    assert readiness.to_json()["speech"]["talkers"] == 60


def test_data_that_stays_too_long_is_told_and_refuses_no_call() -> None:
    late = replace(READY, unpurged="database: away")
    assert late.ready and late.to_json()["retention"] == "database: away"
    assert READY.to_json()["retention"] == "ok"


async def test_a_part_that_died_is_told_and_the_line_goes_on() -> None:
    async def raises() -> None:
        raise KeyError("a fault of ours")

    async def lives() -> None:
        await asyncio.Event().wait()

    with capture_logs() as logs:
        async with Lifespan() as lifespan:
            lifespan.beside(raises(), "takeovers")
            lifespan.beside(lives(), "retention")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            readiness = replace(READY, died=lifespan.died)
    assert lifespan.died == ["takeovers"], "who was cancelled at the end has not died"
    assert [(line["event"], line["part"]) for line in logs] == [("service.part_died", "takeovers")]
    (warning,) = readiness.to_json()["warnings"]
    assert readiness.ready and warning.startswith("takeovers: it died") and "warnings" not in readiness.verdict()


def test_a_stale_vocabulary_is_a_warning_and_calls_are_served() -> None:
    readiness = replace(READY, stale={"products": "the service shop answered 503; 150 terms of before are used"})
    assert readiness.ready
    assert readiness.to_json()["warnings"] == [
        "vocabulary products: the service shop answered 503; 150 terms of before are used"
    ]
