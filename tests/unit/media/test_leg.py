"""A leg on the line's side: who hears whom, as the media process is told, and how much waits to be read."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from typing import Any

import pytest

from ivr.errors import MediaUnavailable
from ivr.events import MediaLost, PlayDone, Tapped
from ivr.media import wire
from ivr.media.clip import Clip, LegStats
from ivr.media.description import PCMU, MediaDescription, Resumption
from ivr.media.leg import ProcessMediaLeg
from ivr.media.wire import Kind

LOCAL = MediaDescription("127.0.0.1", 4000, (PCMU,))


class Told:
    """The engine, which writes down what its legs say."""

    versions = (4, 6)

    def __init__(self) -> None:
        self.all: list[tuple[Kind, int, object]] = []
        self.bound: list[tuple[MediaDescription | None, int, Any]] = []
        self.forgotten: list[int] = []
        self.port = 4000

    def send(self, kind: Kind, leg: int, value: object = None) -> None:
        self.all.append((kind, leg, value))

    async def request(self, kind: Kind, leg: int, value: object = None) -> Any:
        self.all.append((kind, leg, value))
        if kind is Kind.LEAVE:
            return [
                asdict(LegStats(packets_sent=5, packets_received=4)),
                wire.resumption(Resumption(stream=(7, 1), address=("192.0.2.7", 4002))),
            ]
        if kind is Kind.UPDATE:
            return wire.described(LOCAL)
        return asdict(LegStats())

    async def bind(
        self, leg: ProcessMediaLeg, remote: MediaDescription | None, port: int, resumed: Resumption
    ) -> MediaDescription:
        self.bound.append((remote, port, resumed))
        await self.binding()
        return replace(LOCAL, port=self.port)

    async def binding(self) -> None:
        """What happens meanwhile."""

    def send_play(self, leg: int, token: int, clips: Sequence[Clip], *, stop_on_key: bool, gap_ms: int) -> None:
        self.all.append((Kind.PLAY, leg, token))

    def forget_leg(self, leg: int) -> None:
        self.forgotten.append(leg)

    def candidates(self) -> list[str]:
        return []

    async def together(self, legs: Collection[ProcessMediaLeg]) -> None:
        return None

    def hears(self) -> dict[int, object]:
        """By leg, as told last."""
        return {leg: value for kind, leg, value in self.all if kind is Kind.HEAR}


async def legs(told: Told, count: int) -> list[ProcessMediaLeg]:
    made = [ProcessMediaLeg(told, number, f"leg-{number}", None) for number in range(1, count + 1)]
    for leg in made:
        await leg.open()
    return made


async def test_a_bridge_takes_both_out_of_every_conversation() -> None:
    told = Told()
    one, two, three, four = await legs(told, 4)
    await one.hear([two, three])
    await two.hear([one])
    await three.hear([one, two])
    await three.bridge(four)
    assert told.hears() == {1: [2], 2: [1], 3: [4], 4: [3]}
    await three.bridge(None)
    assert told.hears() == {1: [2], 2: [1], 3: [], 4: []}


async def test_who_closes_and_who_is_lost() -> None:
    told = Told()
    one, two, three = await legs(told, 3)
    for leg in (one, two, three):
        await leg.hear([other for other in (one, two, three) if other is not leg])
    await three.close()
    assert {leg: told.hears()[leg] for leg in (1, 2)} == {1: [2], 2: [1]}
    with pytest.raises(MediaUnavailable):
        await one.bridge(three)
    two.on_lost("killed")
    one.on_lost("killed")
    told.all.clear()
    await two.reopen()
    assert told.hears() == {2: [1]}, "who is not there yet tells it itself"
    told.all.clear()
    await one.reopen()
    assert told.hears() == {1: [2], 2: [1]}


async def test_taps_that_nobody_reads_are_bounded_and_counted() -> None:
    [leg] = await legs(Told(), 1)
    second = bytes(8000)
    for at in range(70):
        leg.on_tapped("PCMU", second, float(at))
    assert (await leg.stats()).tap_dropped_frames == 10 * 50
    await leg.close()
    kept = [event async for event in leg.events()]
    assert kept == [Tapped("PCMU", second, float(at)) for at in range(60)]


async def one_leg(told: Told) -> ProcessMediaLeg:
    [leg] = await legs(told, 1)
    return leg


async def events(leg: ProcessMediaLeg) -> list[object]:
    """All, once it is closed."""
    await leg.close()
    return [event async for event in leg.events()]


async def test_a_leg_that_is_moved_takes_everything_along() -> None:
    before, after = Told(), Told()
    one, two = await legs(before, 2)
    await one.listen(True)
    await one.tap(True)
    await one.play([Clip("a", b"")], token=1)
    await one.hear([two])
    await one.move(after)
    assert one.commands is after and before.forgotten == [1] and before.all[-1][0] is Kind.LEAVE
    assert after.bound == [(None, 4000, Resumption(1, None, (7, 1), ("192.0.2.7", 4002)))]
    assert after.all == [(Kind.LISTEN, 1, True), (Kind.TAP, 1, True), (Kind.PLAY, 1, 1), (Kind.HEAR, 1, [2])]
    stats = await one.close()
    assert (stats.packets_sent, stats.packets_received) == (5, 4), "what it counted over there, too"


async def test_what_is_said_while_a_leg_is_moved_is_done_once_it_is_there() -> None:
    before, after = Told(), Told()
    leg = await one_leg(before)
    await leg.play([Clip("a", b"")], token=1)
    remote = MediaDescription("192.0.2.9", 5000, (PCMU,))

    async def meanwhile() -> None:
        await leg.stop_playing(1)
        await leg.play([Clip("b", b"")], token=2)
        with pytest.raises(MediaUnavailable):
            await leg.update(remote)

    after.binding = meanwhile  # type: ignore[method-assign]
    await leg.move(after)
    assert [kind for kind, _, _ in after.all] == [Kind.PLAY, Kind.HEAR, Kind.UPDATE]
    assert after.all[0][2] == 2 and after.all[-1][2] == wire.described(remote)
    assert await events(leg) == [PlayDone(1, completed=False), PlayDone(2, completed=False)]


async def test_a_leg_that_is_closed_while_it_is_moved_leaves_nothing_behind() -> None:
    before, after = Told(), Told()
    leg = await one_leg(before)

    async def meanwhile() -> None:
        await leg.close()

    after.binding = meanwhile  # type: ignore[method-assign]
    await leg.move(after)
    assert [kind for kind, _, _ in after.all] == [Kind.CLOSE] and 1 in after.forgotten
    assert await events(leg) == []


async def test_a_port_that_is_taken_over_there_makes_it_lost() -> None:
    before, after = Told(), Told()
    leg = await one_leg(before)
    after.port = 4010
    await leg.move(after)
    assert [kind for kind, _, _ in after.all] == [Kind.CLOSE]
    assert (await leg.reopen()).port == 4010, "which its far end is told by whoever reads this"
    [lost] = await events(leg)
    assert isinstance(lost, MediaLost) and "could not be taken along" in lost.reason


async def test_a_lost_leg_is_moved_without_a_word_and_reopened_there() -> None:
    before, after = Told(), Told()
    leg = await one_leg(before)
    leg.on_lost("killed")
    await leg.move(after)
    assert not before.all and not after.bound
    await leg.reopen()
    assert [port for _, port, _ in after.bound] == [4000]


async def test_a_leg_that_is_closed_waits_for_no_garbage_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        one, two = await legs(Told(), 2)
        await one.bridge(two)
        gone = [weakref.ref(leg) for leg in (one, two)]
        for leg in (one, two):
            await leg.close()
        del one, two, leg
        assert [each() for each in gone] == [None, None]
    finally:
        gc.enable()
