"""The store's pairing says what the desk's routing says: whom, and who takes them, over lines of chance."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from ivr.config import LineConfig, Relaxation
from ivr.desk.routing import Rules
from tests.pairing import next_pair

from .conftest import OneLine, arrival, phone

SKILLS = ("general", "discs", "retention", "billing")
AGENTS = ("ann", "bo", "cy", "di")
PHONES = ("front", "back")  # without a console
CONFIG = LineConfig(
    bound_s=200.0,
    named_s=60.0,
    relax=(Relaxation(skill="discs", after_s=90), Relaxation(skill="billing", to="retention", after_s=30)),
)


@pytest.mark.parametrize("seed", range(12))
async def test_both_pair_alike(desk: OneLine, seed: int) -> None:
    chance, rules = random.Random(seed), Rules.of(CONFIG)
    desk.line.apply(CONFIG)
    for name in chance.sample(AGENTS, len(AGENTS)):
        state = chance.choice(("idle", "idle", "away"))
        await desk.agent(name, *chance.sample(SKILLS, chance.randint(1, 2)), state=state)
    telephones = [phone(name, *chance.sample(SKILLS, chance.randint(1, 2))) for name in PHONES]
    await desk.phones(*chance.sample(telephones, chance.randint(0, len(PHONES))))
    for n in range(10):
        named = chance.choice(("", "", "", *AGENTS))
        if chance.random() < 0.2:
            message = arrival(f"member:m{n}", chance.choice(SKILLS), chance.choice((3, 5, 9)), named=named)
            await desk.line.leave_message(message, "recording", "words")
        place = await desk.enter(f"member:{n}", chance.choice(SKILLS), chance.choice((3, 5, 9)), named=named)
        if chance.random() < 0.2:
            due = place.entered_at + timedelta(seconds=chance.choice((-10, 100)))
            await desk.line.call_back(place.id, f"+1503555{n:04}", due)
        await desk.age(chance.uniform(1, 45))
    paired = 0
    while True:
        now = await desk.line.snapshot()
        expected = next_pair(rules, now.places, now.agents, now.at)
        offer = await desk.line.pair()
        found = (offer.place.id, offer.agent) if offer is not None else None
        assert found == ((expected[0].id, expected[1].name) if expected is not None else None)
        if offer is None:
            break
        paired += 1
        if chance.random() < 0.5:
            await desk.line.answered(offer)
            await desk.line.finished(offer.place.id, offer.agent)
            if offer.agent in AGENTS:
                await desk.line.set_state(offer.agent, "idle")
    assert paired
