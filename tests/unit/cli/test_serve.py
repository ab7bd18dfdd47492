"""`ivr serve`: what it says on standard error."""

from __future__ import annotations

from ivr.cli.serve import first_account


def test_the_first_account_is_made_at_an_address_that_opens() -> None:
    told = first_account("http://127.0.0.1:8080", "printed-once")
    assert told.splitlines() == [
        "nobody has an account yet. Make the first one at http://127.0.0.1:8080/login",
        "administrator token, told only now: printed-once",
    ]
