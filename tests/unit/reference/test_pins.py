"""Members' PINs: what a guess costs where they are kept, and where they are only an example."""

from __future__ import annotations

from datetime import UTC, datetime

from ivr.reference import pins
from ivr.reference.memory import MemoryFilms
from ivr.reference.seed_data import hash_of
from ivr.store.memory import MemoryLedger

ADA, PIN = "10001", "2401"
MEMORY = 1 << 24  # bytes that a guess takes, at the least


def cost(kept: str) -> int:
    _, rounds, block, *_ = kept.split("$")
    return 128 * int(rounds) * int(block)


async def test_a_guess_at_what_a_database_keeps_costs_as_much_as_it_must() -> None:
    for kept in (hash_of(PIN), pins.hashed("1234")):
        assert cost(kept) >= MEMORY
    assert await pins.fits(PIN, hash_of(PIN))
    assert not await pins.fits("0000", hash_of(PIN))


async def test_in_simulated_calls_the_same_pin_fits_and_is_tried_at_next_to_no_cost() -> None:
    films = MemoryFilms(lambda: datetime(2026, 3, 3, tzinfo=UTC), MemoryLedger())
    kept = await films.pin_hash(ADA)
    assert kept is not None and cost(kept) < MEMORY // 1000
    assert await pins.fits(PIN, kept)
    assert not await pins.fits("0000", kept)
    assert await films.pin_hash("99999") is None and not await pins.fits(PIN, None)
