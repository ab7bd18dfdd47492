"""Accounts and sessions on both databases: shared by processes, ended by changes, told in the audit trail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from argon2 import PasswordHasher

from ivr.accounts.authentication import Authentication, Browser, LogIn, LogInRefused
from ivr.accounts.guesses import counted_as
from ivr.accounts.passwords import Hashing
from ivr.accounts.sessions import IDLE
from ivr.errors import AccountError
from ivr.limits.throttle import FIRST_WAIT_S, FORGOTTEN_AFTER_S, FREE_GUESSES
from ivr.ports import Account, Role
from ivr.store import Store
from tests.contract.store.conftest import Time
from tests.films import films_store

PASSWORD = "correct horse battery"
HERE = Browser("203.0.113.9", "a browser")
THERE = Browser("198.51.100.7", "another")


@dataclass
class Node:
    """One process on the database."""

    store: Store
    front: Authentication


@pytest.fixture
async def nodes(url: str, now: Time) -> AsyncIterator[tuple[Node, Node]]:
    stores = [films_store(url, timeout_s=10.0, now=now) for _ in range(2)]
    clock = lambda: now().timestamp()  # noqa: E731 - one that turns with the other
    one, two = (Node(store, Authentication(store.accounts, store.tokens, now=now, clock=clock)) for store in stores)
    await one.front.add(Account("rosa", frozenset(["supervisor"]), "Rosa Diaz"), "test", PASSWORD)
    await one.front.add(Account("sam", frozenset(["agent"])), "test", PASSWORD)
    yield one, two
    for store in stores:
        await store.close()


async def test_a_session_is_every_processs_and_survives_them(nodes: tuple[Node, Node], url: str, now: Time) -> None:
    one, two = nodes
    made = await one.front.log_in("ROSA ", PASSWORD, HERE)
    found = await two.front.sessions.find(made.secret)
    assert found is not None and found.account == Account("rosa", frozenset(["supervisor"]), "Rosa Diaz")
    assert (found.csrf, found.source, found.program) == (made.session.csrf, "203.0.113.9", "a browser")
    await one.store.close()
    again = films_store(url, now=now)
    assert await Authentication(again.accounts, again.tokens, now=now).sessions.find(made.secret) == found
    await again.close()


async def test_the_database_holds_no_secret(nodes: tuple[Node, Node]) -> None:
    one, _ = nodes
    made = await one.front.log_in("rosa", PASSWORD, HERE)
    secret = await one.front.set_one_time("sam", "rosa")

    async def everything(connection: object) -> str:
        rows = []
        for table in ("accounts", "sessions", "audit", "audit_log"):
            found = await connection.exec_driver_sql(f"SELECT * FROM {table}")  # type: ignore[attr-defined]
            rows += [str(tuple(row)) for row in found]
        return "\n".join(rows)

    kept = await one.store.database.read(everything)
    assert "rosa" in kept
    for told in (PASSWORD, made.secret, made.kept, secret):
        assert told not in kept


@pytest.mark.parametrize("change", ["password", "roles", "disable", "one-time", "remove", "log-out"])
async def test_a_change_ends_the_sessions_in_every_process(nodes: tuple[Node, Node], now: Time, change: str) -> None:
    one, two = nodes
    made, other = await two.front.log_in("sam", PASSWORD, HERE), await two.front.log_in("rosa", PASSWORD, HERE)
    assert await two.front.sessions.find(made.secret) is not None
    store = one.store.accounts
    match change:
        case "password":
            await one.front.set_password("sam", "some other words", "rosa")
        case "roles":
            await store.set_roles("sam", frozenset(["agent", "ops"]), "rosa")
        case "disable":
            await store.set_disabled("sam", True, "rosa")
        case "one-time":
            await one.front.set_one_time("sam", "rosa")
        case "remove":
            await store.remove("sam", "rosa")
        case _:
            assert await one.front.log_out_everywhere("sam", "rosa") == 1
    now.pass_(seconds=1)
    assert await two.front.sessions.find(made.secret) is None
    assert await two.front.sessions.find(other.secret) is not None
    last = (await store.trail(1))[0].event
    assert (last.actor, last.target) == ("rosa", "sam")
    if change == "roles":
        assert (last.before, last.after) == ({"roles": ["agent"]}, {"roles": ["agent", "ops"]})


async def test_wrong_and_unknown_names_are_refused_in_the_same_words(nodes: tuple[Node, Node]) -> None:
    one, _ = nodes
    words = set()
    for name, password in (
        ("rosa", "wrong words here"),
        ("nobody", PASSWORD),
        ("", ""),
        ("a/b", PASSWORD),
        ("sam", ""),
    ):
        with pytest.raises(LogInRefused) as refused:
            await one.front.log_in(name, password, HERE)
        words.add(str(refused.value))
    assert len(words) == 1
    await one.front.settle()
    refusals = [each for each in await one.store.accounts.trail() if each.event.action == "account.login_refused"]
    assert {each.event.target for each in refusals} == {"rosa", "sam", ""}, "what strangers typed is nobody's name"
    assert {each.event.result for each in refusals} == {"wrong name or password"}


async def test_the_disabled_are_told_so_once_they_showed_their_password(nodes: tuple[Node, Node]) -> None:
    one, _ = nodes
    await one.store.accounts.set_disabled("sam", True, "rosa")
    with pytest.raises(LogInRefused, match="disabled"):
        await one.front.log_in("sam", PASSWORD, HERE)
    with pytest.raises(LogInRefused, match="not the name"):
        await one.front.log_in("sam", "wrong words here", HERE)
    await one.store.accounts.set_disabled("sam", False, "rosa")
    await one.front.log_in("sam", PASSWORD, HERE)


async def test_a_one_time_password_lets_in_once_though_strangers_guess(nodes: tuple[Node, Node], now: Time) -> None:
    one, two = nodes
    secret = await one.front.set_one_time("sam", "rosa")
    for number in range(FREE_GUESSES * 3):
        with pytest.raises(LogInRefused):
            await two.front.log_in("sam", f"guess {number}", THERE)
    tries = await asyncio.gather(
        *(front.log_in("sam", secret.upper(), HERE) for front in (one.front, two.front, one.front)),
        return_exceptions=True,
    )
    entered = [each for each in tries if isinstance(each, LogIn)]
    assert len(entered) == 1 and entered[0].session.must_change
    with pytest.raises(AccountError, match="characters"):
        await one.front.change_own(entered[0].session, "", "short", HERE)
    made = await one.front.change_own(entered[0].session, "", "words of my own", HERE)
    assert not made.session.must_change
    await one.front.log_in("sam", "words of my own", replace(HERE, kept=made.kept))
    late = await one.front.set_one_time("sam", "rosa")
    now.pass_(hours=25)
    with pytest.raises(LogInRefused):
        await one.front.log_in("sam", late, Browser("192.0.2.1"))


async def test_guesses_at_an_account_count_in_every_process_and_outlive_them(
    nodes: tuple[Node, Node], url: str, now: Time
) -> None:
    one, two = nodes
    for name in ("sam", "nobody.at.all"):
        for number in range(FREE_GUESSES):
            front = (one, two)[number % 2].front
            with pytest.raises(LogInRefused, match="not the password"):
                await front.log_in(name, f"guess {number}", Browser(f"203.0.113.{number}"))
            await front.settle()
        again = films_store(url, now=now)
        fresh = Authentication(again.accounts, again.tokens, now=now)
        for front in (one.front, two.front, fresh):
            with pytest.raises(LogInRefused, match="too many") as refused:
                await front.log_in(name, PASSWORD, THERE)
            assert 0 < refused.value.wait_s <= FIRST_WAIT_S
        await again.close()
    now.pass_(seconds=FIRST_WAIT_S)
    await two.front.log_in("sam", PASSWORD, THERE)
    with pytest.raises(LogInRefused, match="not the password"):
        await one.front.log_in("sam", "guess again", HERE)
    await one.front.settle()
    with pytest.raises(LogInRefused, match="too many") as refused:
        await two.front.log_in("sam", PASSWORD, THERE)
    assert refused.value.wait_s > FIRST_WAIT_S, "longer each time"
    now.pass_(seconds=FORGOTTEN_AFTER_S + 1)
    await one.front.log_in("sam", PASSWORD, HERE)
    assert await one.store.accounts.guesses(counted_as("sam")) == (0, None)


async def test_somebody_can_always_manage_accounts(nodes: tuple[Node, Node]) -> None:
    store = nodes[0].store.accounts
    for attempt in (
        store.set_roles("rosa", frozenset(["agent"]), "rosa"),
        store.set_disabled("rosa", True, "rosa"),
        store.remove("rosa", "rosa"),
    ):
        with pytest.raises(AccountError, match="nobody would be left"):
            await attempt
    await store.set_roles("sam", frozenset(["supervisor"]), "rosa")
    outcomes = await asyncio.gather(
        nodes[0].store.accounts.remove("rosa", "sam"),
        nodes[1].store.accounts.remove("sam", "rosa"),
        return_exceptions=True,
    )
    assert sorted(isinstance(each, AccountError) for each in outcomes) == [False, True], "not both at once"
    (left,) = await store.all()
    await store.remove(left.account.name, "shell", last=True)
    assert not await store.exist()


async def test_the_first_account_is_made_once(nodes: tuple[Node, Node]) -> None:
    one, two = nodes
    for name in ("sam", "rosa"):
        await one.store.accounts.remove(name, "shell", last=True)
    printed = await one.front.first_secret()
    with pytest.raises(LogInRefused):
        await one.front.first("guessed", "ann", PASSWORD, HERE)
    with pytest.raises(AccountError):
        await one.front.first(printed, "ann", "short", HERE)
    made = await asyncio.gather(
        one.front.first(printed, "ann", PASSWORD, HERE),
        two.front.first(printed, "bob", PASSWORD, THERE),
        return_exceptions=True,
    )
    entered = [each for each in made if isinstance(each, LogIn)]
    assert len(entered) == 1 and len(await one.store.accounts.all()) == 1
    assert entered[0].session.account.may("supervisor")
    for front in (one.front, two.front):
        with pytest.raises(AccountError):
            await front.first(printed, "eve", PASSWORD, HERE)
        with pytest.raises(AccountError):
            await front.first_secret()


async def test_the_link_for_the_first_account_is_over_after_a_quarter_of_an_hour(
    nodes: tuple[Node, Node], now: Time
) -> None:
    one, two = nodes
    for name in ("sam", "rosa"):
        await one.store.accounts.remove(name, "shell", last=True)
    old = await one.front.first_secret()
    now.pass_(minutes=15, seconds=1)
    with pytest.raises(LogInRefused, match="ivr accounts link"):
        await two.front.first(old, "ann", PASSWORD, HERE)
    fresh = await one.front.first_secret()
    now.pass_(minutes=14)
    with pytest.raises(LogInRefused):
        await two.front.first(old, "ann", PASSWORD, HERE)
    assert (await two.front.first(fresh, "ann", PASSWORD, HERE)).session.account.name == "ann"


async def test_names_are_taken_once(nodes: tuple[Node, Node]) -> None:
    outcomes = await asyncio.gather(
        *(node.front.add(Account("Ann", frozenset(["agent"])), "rosa", PASSWORD) for node in nodes),
        return_exceptions=True,
    )
    assert sorted(isinstance(each, AccountError) for each in outcomes) == [False, True]
    with pytest.raises(AccountError, match="there is no account"):
        await nodes[0].store.accounts.set_disabled("eve", True, "rosa")


async def test_hashes_are_renewed_when_their_parameters_change(
    nodes: tuple[Node, Node], now: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = nodes
    before = await one.store.accounts.find("rosa")
    stronger = PasswordHasher(time_cost=3, memory_cost=20 * 1024, parallelism=1)
    front = Authentication(one.store.accounts, one.store.tokens, now=now, hashing=Hashing(stronger))
    made = await front.log_in("rosa", PASSWORD, HERE)
    after = await one.store.accounts.find("rosa")
    assert before is not None and after is not None
    assert "t=2" in before.password and "t=3" in after.password
    assert await front.sessions.find(made.secret) is not None
    await front.log_in("rosa", PASSWORD, HERE)
    assert await one.store.accounts.find("rosa") == after.__class__(
        after.account, after.password, False, False, after.created_at, now(), 0
    )


async def test_sessions_expire_and_are_swept(nodes: tuple[Node, Node], now: Time) -> None:
    one, two = nodes
    made = [await one.front.log_in("sam", PASSWORD, HERE) for _ in range(25)]
    assert len(await two.store.accounts.sessions("sam")) == 20, "the oldest make room"
    now.pass_(seconds=IDLE.total_seconds() + 1)
    assert await two.store.accounts.sessions("sam") == []
    assert await two.front.sessions.find(made[-1].secret) is None
    await one.front.log_in("sam", PASSWORD, HERE)
    sam = next(each for each in await two.store.accounts.all() if each.account.name == "sam")
    assert (sam.sessions, sam.entered_at) == (1, now())


async def test_whoever_a_provider_vouches_for_is_known_by_issuer_and_subject(
    nodes: tuple[Node, Node], now: Time
) -> None:
    one, two = (node.store.accounts for node in nodes)
    issuer, names = "https://login.example.com", ("rosa", "rosa-0a1b2c")
    assert await one.vouched(issuer, "s1", names, "Rosa", frozenset()) is None
    agent: frozenset[Role] = frozenset(["agent"])
    lead: frozenset[Role] = frozenset(["supervisor"])
    made = await asyncio.gather(*(each.vouched(issuer, "s1", names, "Rosa", agent) for each in (one, two)))
    assert {record.account.name for record in made if record is not None} == {"rosa-0a1b2c"}, "once"
    with pytest.raises(AccountError, match="somebody's"):
        await two.vouched(issuer, "s2", names, "Another", agent)
    other = await two.vouched("https://other.example.com", "s1", ("rosa", "s1"), "Another", agent)
    assert other is not None and other.account.name == "s1"
    found = await two.vouched(issuer, "s1", ("renamed",), "Rosa D.", lead)
    assert found is not None and found.account == Account("rosa-0a1b2c", lead, "Rosa D.")
    (last, *_) = await one.trail(1)
    assert (last.event.before, last.event.after) == ({"roles": ["agent"]}, {"roles": ["supervisor"]})
    until = now() + timedelta(minutes=10)
    firsts = await asyncio.gather(*(each.first_use("a" * 64, until) for each in (one, two, one)))
    assert sorted(firsts) == [False, False, True]
    now.pass_(minutes=11)
    assert await one.first_use("b" * 64, now() + timedelta(minutes=10))
    assert await two.first_use("a" * 64, now() + timedelta(minutes=10)), "it is remembered as long as it could count"
