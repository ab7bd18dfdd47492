"""API tokens on both databases: every process knows them, and the end of one."""

from __future__ import annotations

import pytest

from ivr.accounts.tokens import USED_S, Tokens
from ivr.errors import AccountError
from ivr.store import Store
from tests.contract.store.conftest import Time
from tests.films import films_store


async def test_every_process_knows_a_token_and_its_end(store: Store, url: str, now: Time) -> None:
    other = films_store(url, timeout_s=10.0, now=now)
    clock = lambda: now().timestamp()  # noqa: E731 - one that turns with the other
    here, there = (Tokens(each.tokens, now, clock) for each in (store, other))
    shown, made = await here.make("night  report", ["calls:read", "recordings:read"], 2, "rosa")
    assert made.label == "night report"
    found = await there.find(shown)
    assert found == made and found.scopes == {"calls:read", "recordings:read"}
    first = (await store.tokens.all())[0].used_at
    assert first == now()
    now.pass_(seconds=USED_S - 1)
    await there.find(shown)
    assert (await store.tokens.all())[0].used_at == first
    now.pass_(seconds=2)
    await there.find(shown)
    assert (await store.tokens.all())[0].used_at == now()
    assert await there.find(shown[:-1] + ("A" if shown[-1] != "A" else "B")) is None
    assert await there.find("ivr_" + "b" * 10 + shown[14:]) is None and await there.find("") is None
    await store.tokens.revoke(made.id, "rosa")
    with pytest.raises(AccountError):
        await store.tokens.revoke(made.id, "rosa")
    now.pass_(seconds=1)
    assert await there.find(shown) is None
    brief, _ = await here.make("brief", ["admin"], 1, "rosa")
    assert await there.find(brief) is not None
    now.pass_(days=1)
    assert await there.find(brief) is None, "over"
    await other.close()
