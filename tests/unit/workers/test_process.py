"""A supervised worker in virtual time: deaths, silence, pauses of the whole machine, requests."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from enum import IntEnum

import pytest
import structlog

from ivr.errors import MediaUnavailable
from ivr.media.description import NoCommonCodec
from ivr.workers.frames import FIRST, Life, refusal
from ivr.workers.link import Link
from ivr.workers.process import Attention, Role, Worker
from tests.call.virtual import VirtualLoop, run

ROLE = Role("test", "the test worker", (), (MediaUnavailable, NoCommonCodec), "wait", start_s=15.0, hung_after_s=5.0)


class Kind(IntEnum):
    ECHO = FIRST
    MUTE = FIRST + 1
    REFUSE = FIRST + 2
    FAIL = FIRST + 3
    TOLD = FIRST + 4


class FakeChild:
    """A process on the same loop: answers pings while it isn't stopped."""

    def __init__(self, pid: int, end: socket.socket, ready: bool) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stopped = not ready
        self.setups: list[bytes] = []
        self.told: list[bytes] = []
        self.link = Link(self._received)
        self._end = end.dup()

    async def begin(self) -> None:
        await self.link.take(self._end)

    def _received(self, kind: int, number: int, body: bytes) -> None:
        if kind == Kind.TOLD:
            self.told.append(body)
        if self.stopped:
            return
        match kind:
            case Life.SETUP:
                self.setups.append(body)
                self.link.send(Life.READY, 0, b"here")
            case Life.PING:
                self.link.send(Life.PONG)
            case Kind.ECHO:
                self.link.send(Life.REPLY, number, body)
            case Kind.REFUSE:
                error = refusal(NoCommonCodec("nothing in common", remedy="offer PCMU"))
                self.link.send(Life.REFUSED, 0, body + error)
            case Kind.FAIL:
                self.link.send(Life.REFUSED, 0, body + refusal(RuntimeError("a bug")))

    def die(self, code: int) -> None:
        self.returncode = code
        self.link.close()

    def kill(self) -> None:
        self.die(-9)

    async def wait(self) -> int:
        while not self.link.ended.done():  # a closed socket is the end of it
            await self.link.ended
        self.returncode = self.returncode or 0
        return self.returncode


class House:
    """The owner of one worker, and the place where its processes are born."""

    def __init__(self) -> None:
        self.worker = Worker(ROLE, self, self._spawn)
        self.children: list[FakeChild] = []
        self.losses: list[tuple[str, float | None]] = []
        self.frames: list[tuple[int, int, bytes]] = []
        self.stillborn = 0  # processes that never get ready
        self.unable = 0  # times that nothing can be started

    async def _spawn(self, role: Role, end: socket.socket) -> FakeChild:
        if self.unable:
            self.unable -= 1
            raise OSError("no memory")
        child = FakeChild(100 + len(self.children), end, ready=not self.stillborn)
        self.stillborn = max(0, self.stillborn - 1)
        await child.begin()
        self.children.append(child)
        return child

    def setup(self) -> bytes:
        return b"settings"

    def ready(self, body: bytes) -> bool:
        return body == b"here"

    def received(self, kind: int, number: int, body: bytes) -> None:
        self.frames.append((kind, number, body))

    def lost(self, reason: str, restart_in_s: float | None) -> None:
        self.losses.append((reason, restart_in_s))


def in_house(test: Callable[[House], Awaitable[None]]) -> None:
    async def main() -> None:
        house = House()
        assert await house.worker.start() == ""
        try:
            await test(house)
        finally:
            await house.worker.stop()

    run(main())


def hold_up(seconds: float) -> None:
    """The machine, or our own process, stands still (SIGSTOP): time passes and nothing runs."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.hold_up(seconds)


def test_a_process_is_set_up_serves_and_ends() -> None:
    async def main() -> None:
        house = House()
        assert not await house.worker.wait_up(60.0)
        assert await house.worker.start() == ""
        assert house.worker.healthy and house.worker.pid == 100
        assert house.children[0].setups == [b"settings"]
        house.children[0].link.send(Kind.TOLD, 7, b"something")
        await asyncio.sleep(0.1)
        assert house.frames == [(Kind.TOLD, 7, b"something")]
        await house.worker.stop()
        assert house.losses == [("the service stops", None)]
        assert not house.worker.up and house.worker.pid is None
        with pytest.raises(MediaUnavailable, match="is not running"):
            await house.worker.request(Kind.ECHO)

    run(main())


def test_an_hour_of_answered_pings_changes_nothing() -> None:
    async def test(house: House) -> None:
        await asyncio.sleep(3600.0)
        assert house.worker.healthy and len(house.children) == 1

    in_house(test)


def test_requests_are_answered_refused_or_too_late() -> None:
    async def test(house: House) -> None:
        worker = house.worker
        answers = await asyncio.gather(*(worker.request(Kind.ECHO, 3, str(n).encode()) for n in range(5)))
        assert answers == [b"0", b"1", b"2", b"3", b"4"]
        with pytest.raises(NoCommonCodec, match="nothing in common"):
            await worker.request(Kind.REFUSE)
        with pytest.raises(MediaUnavailable, match="a bug"):
            await worker.request(Kind.FAIL)
        with pytest.raises(MediaUnavailable, match="did not answer in 2 s"):
            await worker.request(Kind.MUTE, timeout_s=2.0)

    in_house(test)


def test_a_death_fails_its_requests_and_is_followed_by_a_new_process() -> None:
    async def test(house: House) -> None:
        asking = asyncio.create_task(house.worker.request(Kind.MUTE))
        await asyncio.sleep(0.1)
        house.children[0].die(70)
        with pytest.raises(MediaUnavailable, match="the test worker died"):
            await asking
        assert await house.worker.wait_up(1.0)
        assert house.worker.pid == 101
        assert house.losses == [("the test worker died (70)", 0.0)]

    in_house(test)


def test_a_silent_process_is_killed_after_its_time() -> None:
    async def test(house: House) -> None:
        house.children[0].stopped = True
        await asyncio.sleep(4.0)
        assert house.worker.up
        with structlog.testing.capture_logs() as logs:
            await asyncio.sleep(3.0)
        assert house.losses == [("the test worker hung", 0.0)]
        assert house.children[0].returncode == -9 and house.worker.pid == 101
        assert logs == [{"event": "worker.hung", "role": "test", "pid": 100, "log_level": "error"}]

    in_house(test)


def test_a_machine_that_stood_still_kills_no_healthy_worker() -> None:
    async def test(house: House) -> None:
        for _ in range(20):
            hold_up(10.0)  # what the worker said meanwhile waits in the socket
            await asyncio.sleep(1.5)
            assert house.worker.healthy
        assert len(house.children) == 1

    in_house(test)


def test_a_worker_that_comes_back_later_than_the_line_has_its_full_time() -> None:
    async def test(house: House) -> None:
        house.children[0].stopped = True
        hold_up(10.0)
        await asyncio.sleep(4.0)
        assert house.worker.up
        house.children[0].stopped = False
        await asyncio.sleep(60.0)
        assert len(house.children) == 1

    in_house(test)


def test_a_worker_that_hangs_through_a_pause_is_still_found_out() -> None:
    async def test(house: House) -> None:
        house.children[0].stopped = True
        hold_up(10.0)
        await asyncio.sleep(8.0)
        assert house.losses == [("the test worker hung", 0.0)]

    in_house(test)


def test_nonsense_on_the_socket_is_as_good_as_a_death() -> None:
    async def test(house: House) -> None:
        house.children[0].link.send(Kind.TOLD, 0, b"x")
        transport = house.children[0].link._transport
        assert transport is not None
        transport.write(b"\xff" * 9)
        assert await house.worker.wait_until(lambda: house.worker.pid == 101, 5.0)
        assert "wrote nonsense" in house.losses[0][0]

    in_house(test)


def test_the_back_off_grows_with_short_lives_and_begins_anew_after_a_long_one() -> None:
    async def test(house: House) -> None:
        for _ in range(8):
            assert await house.worker.wait_up(60.0)
            house.children[-1].die(1)
            await house.worker.wait_changed()
        assert [pause for _, pause in house.losses] == [0.0, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 10.0]
        assert await house.worker.wait_up(60.0)
        await asyncio.sleep(31.0)
        house.children[-1].die(1)
        await house.worker.wait_changed()
        assert house.losses[-1][1] == 0.0

    in_house(test)


def test_a_worker_that_is_waited_for_pauses_no_longer_than_its_role_says() -> None:
    async def main() -> None:
        house = House()
        house.worker = Worker(replace(ROLE, longest_pause_s=1.0), house, house._spawn)
        assert await house.worker.start() == ""
        for _ in range(6):
            assert await house.worker.wait_up(60.0)
            house.children[-1].die(1)
            await house.worker.wait_changed()
        assert [pause for _, pause in house.losses] == [0.0, 0.25, 0.5, 1.0, 1.0, 1.0]
        await house.worker.stop()

    run(main())


def test_the_first_process_that_cannot_serve_says_why() -> None:
    async def main() -> None:
        house = House()
        house.unable = 1
        assert await house.worker.start() == "the test worker cannot be started: no memory"
        assert await house.worker.wait_up(1.0)  # it is tried again all the same
        await house.worker.stop()

        house = House()
        house.stillborn = 1
        assert await house.worker.start() == "the test worker did not start"
        await house.worker.stop()

    run(main())


def test_whoever_looks_in_time_has_looked_all_the_while() -> None:
    attention = Attention(100.0, 2.0)
    for second in range(60):
        attention.look(101.0 + second)
    assert attention.since == 100.0


def test_after_a_lapse_the_looking_begins_anew() -> None:
    attention = Attention(100.0, 2.0)
    attention.look(101.0)
    attention.look(111.0)
    assert attention.since == 111.0
    attention.look(112.0)
    assert attention.since == 111.0


def test_a_process_that_is_behind_is_known_by_what_it_has_not_come_to() -> None:
    async def test(house: House) -> None:
        worker = house.worker
        assert await worker.answers(0.3)
        house.children[0].stopped = True
        began = asyncio.get_running_loop().time()
        assert not await worker.answers(0.3)
        assert asyncio.get_running_loop().time() - began == pytest.approx(0.3)
        await worker.stop()
        assert await worker.answers(0.3), "a dead one has nothing to come to"

    in_house(test)
