"""Which passwords are good enough, and how they are kept."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from argon2 import PasswordHasher, Type, extract_parameters

from ivr.accounts import passwords
from ivr.accounts.passwords import AT_ONCE, HASHER, MOST_WAITING, Hashing, check, name_of, new_name, one_time
from ivr.errors import AccountError, UnavailableError


@pytest.mark.parametrize(
    "weak",
    ["", "short", "aaaaaaaaaaaaaa", "abababababab", "1234567890", "0987654321", "qwertyuiop", "Password2026!",
     "welcome12345", "rosa.diaz1", "Rosa Diaz 99", "2026-11-26", "x" * 200],
)  # fmt: skip
def test_what_is_easily_guessed_is_refused_with_a_remedy(weak: str) -> None:
    with pytest.raises(AccountError) as refused:
        check(weak, "rosa.diaz", "Rosa Diaz")
    assert refused.value.remedy
    assert not weak or weak not in str(refused.value)


@pytest.mark.parametrize("good", ["correct horse battery", "Tür-Schlüssel 9", "ñandú ñandú veloz", "4tFq-9zLm-22"])
def test_words_are_passwords(good: str) -> None:
    check(good, "rosa", "Rosa Diaz")


async def test_a_password_is_one_however_it_is_composed() -> None:
    hashing = Hashing()
    kept = await hashing.hash("schlu\u0308ssel im Korb")
    assert kept.startswith("$argon2id$v=19$")
    assert await hashing.verify("schl\u00fcssel im Korb", kept)
    assert not await hashing.verify("schlussel im Korb", kept)
    assert not await hashing.verify("x", "not a hash")
    assert await hashing.hash("the same words") != await hashing.hash("the same words"), "salted"


async def test_nobodys_password_takes_as_long() -> None:
    hashing = Hashing()
    kept = await hashing.hash("correct horse battery")
    await hashing.verify("warm", "")

    async def seconds(hashed: str) -> float:
        began = time.perf_counter()
        assert not await hashing.verify("wrong", hashed)
        return time.perf_counter() - began

    known = sorted([await seconds(kept) for _ in range(9)])[4]
    unknown = sorted([await seconds("") for _ in range(9)])[4]
    assert unknown > known / 3


def test_parameters_are_at_least_owasps_and_a_change_is_noticed() -> None:
    now = extract_parameters(HASHER.hash("x"))
    assert now.type is Type.ID
    assert (now.memory_cost, now.time_cost, now.parallelism) >= (19 * 1024, 2, 1)
    stronger = Hashing(PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1))
    assert stronger.stale(HASHER.hash("x"))
    assert not Hashing().stale(HASHER.hash("x"))


class Watched(PasswordHasher):
    """Counts who hashes at once, and where."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=64, parallelism=1)
        self.now = self.most = 0
        self.threads: set[int] = set()
        self._lock = threading.Lock()

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.threads.add(threading.get_ident())
        try:
            return super().hash(password, salt=salt)
        finally:
            with self._lock:
                self.now -= 1


async def test_passwords_are_hashed_off_the_loop_a_few_at_once_and_a_crowd_is_refused() -> None:
    watched = Watched()
    hashing = Hashing(watched)
    made = await asyncio.gather(
        *(hashing.hash("correct horse") for _ in range(MOST_WAITING + 5)), return_exceptions=True
    )
    assert sum(isinstance(each, UnavailableError) for each in made) == 5
    assert 1 <= watched.most <= AT_ONCE
    assert threading.get_ident() not in watched.threads
    assert await hashing.verify("correct horse", str(made[0])), "the crowd is gone"


def test_names() -> None:
    assert name_of(" Rosa.Diaz ") == "rosa.diaz"
    assert [name_of(wrong) for wrong in ("", "-a", "a b", "ä", "a/b", "a" * 41, "a\x00")] == [""] * 7
    with pytest.raises(AccountError):
        new_name("no spaces")
    with pytest.raises(AccountError, match="audits"):
        new_name("local")


def test_one_time_passwords_differ_and_can_be_read_out() -> None:
    many = {one_time() for _ in range(100)}
    assert len(many) == 100
    assert all(len(each) == 23 and not set(each) & set("01il o") for each in many)
    assert len(passwords.digest("x")) == 64
