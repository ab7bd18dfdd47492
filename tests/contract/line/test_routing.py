"""The store's pairing says what the desk's routing says: whom, and who takes them, over lines of chance."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from ivr.config import LineConfig, Relaxation
from ivr.desk.routing import Rules

from .conftest import OneLine

SKILLS = ("general", "discs", "retention", "billing")
AGENTS = ("ann", "bo", "cy", "di")
CONFIG = LineConfig(
    bound_s=200.0,
    named_s=60.0,
    relax=(Relaxation(skill="discs", after_s=90), Relaxation(skill="billing", to="retention", after_s=30)),
)


@pytest.mark.parametrize("seed", range(6))
async def test_both_pair_alike(desk: OneLine, seed: int) -> None:
    chance, rules = random.Random(seed), Rules.of(CONFIG)
    desk.line.apply(CONFIG)
    for name in chance.sample(AGENTS, len(AGENTS)):
        state = chance.choice(("idle", "idle", "away"))
        await desk.agent(name, *chance.sample(SKILLS, chance.randint(1, 2)), state=state)
    for n in range(10):
        named = chance.choice(("", "", "", *AGENTS))
        place = await desk.enter(f"member:{n}", chance.choice(SKILLS), chance.choice((3, 5, 9)), named=named)
        if chance.random() < 0.2:
            due = place.entered_at + timedelta(seconds=chance.choice((-10, 100)))
            await desk.line.call_back(place.id, f"+1503555{n:04}", due)
        await desk.age(chance.uniform(1, 45))
    paired = 0
    while True:
        now = await desk.line.snapshot()
        expected = rules.next_pair(now.places, now.agents, now.at)
        offer = await desk.line.pair()
        found = (offer.place.id, offer.agent) if offer is not None else None
        assert found == ((expected[0].id, expected[1].name) if expected is not None else None)
        if offer is None:
            break
        paired += 1
        if chance.random() < 0.5:
            await desk.line.answered(offer)
            await desk.line.finished(offer.place.id, offer.agent)
            await desk.line.set_state(offer.agent, "idle")
    assert paired
