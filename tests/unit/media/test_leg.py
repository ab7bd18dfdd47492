"""A leg on the line's side: who hears whom, as the media process is told, and how much waits to be read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

import pytest

from ivr.errors import MediaUnavailable
from ivr.events import Tapped
from ivr.media.clip import Clip, LegStats
from ivr.media.description import PCMU, MediaDescription, Resumption
from ivr.media.leg import ProcessMediaLeg
from ivr.media.wire import Kind


class Told:
    """The engine, which writes down what its legs say."""

    versions = (4, 6)

    def __init__(self) -> None:
        self.all: list[tuple[Kind, int, object]] = []

    def send(self, kind: Kind, leg: int, value: object = None) -> None:
        self.all.append((kind, leg, value))

    async def request(self, kind: Kind, leg: int, value: object = None) -> Any:
        return asdict(LegStats())

    async def bind(
        self, leg: ProcessMediaLeg, remote: MediaDescription | None, port: int, resumed: Resumption
    ) -> MediaDescription:
        return MediaDescription("127.0.0.1", 4000, (PCMU,))

    def send_play(self, leg: int, token: int, clips: Sequence[Clip], *, stop_on_key: bool, gap_ms: int) -> None:
        raise NotImplementedError

    def forget_leg(self, leg: int) -> None:
        return None

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
