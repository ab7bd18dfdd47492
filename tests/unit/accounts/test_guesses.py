"""Guessed passwords: who waits, and who does not have to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from ivr.accounts.guesses import PasswordGuesses, browser_of, known_browser
from ivr.limits.throttle import FREE_GUESSES, LAST_WAIT_S, Guesses
from ivr.ports import Account, AccountRecord

ROSA = AccountRecord(Account("rosa"), "$argon2id$hash", False, False, datetime(2026, 1, 1, tzinfo=UTC))


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def guesses() -> tuple[PasswordGuesses, Clock]:
    clock = Clock()
    return PasswordGuesses.beside(Guesses(clock), clock), clock


def test_many_sources_guess_one_account_no_faster() -> None:
    tried, _ = guesses()
    for number in range(FREE_GUESSES + 3):
        tried.failed("rosa", f"198.51.100.{number}", "", f"guess {number}")
    assert tried.wait_s("rosa", "203.0.113.9", "") > 0
    assert tried.wait_s("sam", "203.0.113.9", "") == 0.0, "nobody else waits"


def test_one_source_guesses_many_accounts_no_faster() -> None:
    tried, _ = guesses()
    for number in range(FREE_GUESSES + 1):
        tried.failed(f"name{number}", "198.51.100.1", "", "welcome2026")
    assert tried.wait_s("rosa", "198.51.100.1", "") > 0
    assert tried.wait_s("rosa", "198.51.100.2", "") == 0.0


def test_a_stranger_locks_nobody_out_of_their_own_browser() -> None:
    tried, _ = guesses()
    for number in range(500):
        tried.failed("rosa", "198.51.100.1", "", f"guess {number}")
    assert tried.wait_s("rosa", "198.51.100.1", "") > 0
    browser = browser_of(ROSA, known_browser(ROSA))
    assert browser
    assert tried.wait_s("rosa", "198.51.100.1", browser) == 0.0
    for number in range(FREE_GUESSES + 1):
        tried.failed("rosa", "198.51.100.1", browser, f"other {number}")
    assert tried.wait_s("rosa", "198.51.100.1", browser) > 0, "a stolen browser guesses no faster"


def test_waits_end() -> None:
    tried, clock = guesses()
    for number in range(100):
        tried.failed("rosa", "198.51.100.1", "", f"guess {number}")
    assert tried.wait_s("rosa", "198.51.100.1", "") == LAST_WAIT_S
    clock.now += LAST_WAIT_S
    assert tried.wait_s("rosa", "198.51.100.1", "") == 0.0


def test_what_a_browser_keeps_is_that_accounts_and_that_passwords() -> None:
    kept = known_browser(ROSA)
    assert browser_of(ROSA, kept)
    other = replace(ROSA, account=Account("sam"))
    for record in (None, other, replace(ROSA, password="$argon2id$new"), replace(ROSA, password="")):
        assert browser_of(record, kept) == ""
    nonce, _, seal = kept.partition(".")
    for forged in ("", ".", nonce, f"{nonce}.", f"x{nonce}.{seal}", f"{nonce}.{seal[:-1]}", f"{nonce}.ü"):
        assert browser_of(ROSA, forged) == ""
