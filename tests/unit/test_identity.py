"""Identity levels: their order, their words, and who is known how surely after an action."""

from __future__ import annotations

import pytest

from ivr.identity import CALLER_TRUSTED, NOBODY, Identity, IdentityLevel, renewed

LIKELY = Identity(IdentityLevel.LIKELY, "number known")
CLAIMED = Identity(IdentityLevel.UNVERIFIED, "keyed number")
PROVEN = Identity(IdentityLevel.VERIFIED, "PIN")


def test_levels_are_ordered() -> None:
    assert [level.word for level in sorted(IdentityLevel)] == ["unknown", "unverified", "likely", "verified"]
    assert all(IdentityLevel.of_word(level.word) is level for level in IdentityLevel)


@pytest.mark.parametrize("word", ["", None, "VERIFIED", "sure", 3, True])
def test_what_is_no_word_is_unknown(word: object) -> None:
    assert IdentityLevel.of_word(word) is IdentityLevel.UNKNOWN


@pytest.mark.parametrize(
    ("identity", "told"),
    [
        (NOBODY, "unknown"),
        (CLAIMED, "unverified: keyed number"),
        (LIKELY, "likely: number known"),
        (PROVEN, "verified by PIN"),
        (Identity(IdentityLevel.VERIFIED), "verified"),
    ],
)
def test_it_is_told_and_comes_back_from_facts(identity: Identity, told: str) -> None:
    assert identity.told == told
    assert Identity.of(identity.facts) == identity


@pytest.mark.parametrize(
    ("before", "given", "after"),
    [
        (NOBODY, CLAIMED, CLAIMED),
        (NOBODY, None, NOBODY),
        (LIKELY, PROVEN, PROVEN),
        (PROVEN, LIKELY, PROVEN),
        (PROVEN, None, PROVEN),
        (LIKELY, CLAIMED, LIKELY),
    ],
)
def test_one_identity_keeps_its_highest_level(before: Identity, given: Identity | None, after: Identity) -> None:
    assert renewed({"caller.id": "1", **before.facts}, "1", given) == after


@pytest.mark.parametrize("given", [None, CLAIMED, LIKELY])
def test_another_identity_inherits_nothing(given: Identity | None) -> None:
    assert renewed({"caller.id": "1", **PROVEN.facts}, "2", given) == (given or NOBODY)


def test_a_number_that_nobody_vouches_for_makes_nobody_likely() -> None:
    facts = {CALLER_TRUSTED: False}
    assert renewed(facts, "1", LIKELY).level is IdentityLevel.UNVERIFIED
    assert renewed(facts, "1", PROVEN) == PROVEN
