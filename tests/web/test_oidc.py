"""Log-in by an identity provider: who gets in, as what, and the ways in that must not be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from joserfc import jwt
from structlog.testing import capture_logs
from yarl import URL

from ivr.accounts import provider_client
from ivr.accounts.authentication import Authentication
from ivr.accounts.oidc import AGAIN_S, PENDING_S, SKEW_S, Oidc
from ivr.errors import AccountError
from ivr.ports import AuditSearch
from ivr.store import Store
from tests.web.fakes import serving
from tests.web.people import EVERYTHING, browser, log_in
from tests.web.provider import (
    CLIENT,
    EDWARDS,
    ELLIPTIC,
    SECRET,
    Provider,
    parameters,
    provider,
    rsa,
    unsigned,
    with_a_key_of_ones_own,
    with_the_clients_secret,
    with_the_public_key,
)
from tests.web.test_accounts import csrf_of

BROWSER = {"Accept": "text/html"}


@dataclass
class Office:
    base: str
    store: Store
    authentication: Authentication
    provider: Provider
    oidc: Oidc


@pytest.fixture(autouse=True)
def client_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIDC_SECRET", SECRET)


@asynccontextmanager
async def office(**changes: Any) -> AsyncIterator[Office]:
    made: list[Oidc] = []
    async with provider() as issuing:

        def oidc(home: str) -> Oidc:
            made.append(Oidc(issuing.config(**changes), home))
            return made[0]

        store = Store("sqlite+aiosqlite://")
        await store.upgrade()
        authentication = Authentication(store.accounts, store.tokens)
        async with serving(
            token="hunter2", people=EVERYTHING, authentication=authentication, audit=store.audit_log, oidc=oidc
        ) as (base, _):
            yield Office(base, store, authentication, issuing, made[0])
        await made[0].close()
        await store.close()


@pytest.fixture
async def line() -> AsyncIterator[Office]:
    async with office() as opened:
        yield opened


async def arrive(session: aiohttp.ClientSession, address: str) -> tuple[int, str, str]:
    """Status, where that leads, and what is shown; not followed."""
    async with session.get(address, headers=BROWSER, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location", ""), await answer.text()


async def led(session: aiohttp.ClientSession, line: Office, onwards: str = "") -> str:
    """The provider's answer: the address that it leads the browser back to."""
    status, there, page = await arrive(session, f"{line.base}/login/oidc{onwards}")
    assert status == 303, page
    status, back, _ = await arrive(session, there)
    assert status == 302 and back.startswith(f"{line.base}/login/oidc/callback")
    return back


async def enter(session: aiohttp.ClientSession, line: Office, onwards: str = "") -> tuple[int, str, str]:
    return await arrive(session, await led(session, line, onwards))


async def account(line: Office, name: str) -> Any:
    record = await line.store.accounts.find(name)
    assert record is not None
    return record


async def reasons(line: Office) -> list[str]:
    await line.authentication.settle()
    found = await line.store.audit_log.find(AuditSearch(what="account.login_refused"))
    return [row.event.result for row in found.rows]


async def test_the_way_in(line: Office) -> None:
    async with browser() as session:
        status, there, _ = await arrive(session, f"{line.base}/login/oidc?next=/account")
        asked = parameters(there)
        assert (asked["response_type"], asked["client_id"], asked["scope"]) == ("code", CLIENT, "openid profile email")
        assert asked["code_challenge_method"] == "S256" and len(asked["nonce"]) == 43
        status, there, _ = await enter(session, line, "?next=/account")
        assert (status, there) == (303, "/account")
        status, _, page = await arrive(session, f"{line.base}/account")
        assert status == 200 and "Rosa Diaz" in page
        made = await account(line, "rosa.diaz")
        assert made.account.roles == {"agent"} and made.issuer == line.provider.issuer and made.password == ""
        assert line.provider.forms[0]["redirect_uri"] == f"{line.base}/login/oidc/callback"
        rows = (await line.store.audit_log.find(AuditSearch(on="rosa.diaz"))).rows
        assert [(row.event.actor, row.event.action) for row in reversed(rows)] == [
            ("identity provider", "account.added"),
            ("rosa.diaz", "account.login"),
        ]


async def test_where_it_leads_is_a_page_of_ours(line: Office) -> None:
    async with browser() as session:
        for onwards in ("?next=https://evil.example/", "?next=//evil.example", "?next=/login/oidc"):
            assert (await enter(session, line, onwards))[1].startswith(("/account", "/desk"))


@pytest.mark.parametrize("key", [ELLIPTIC, EDWARDS])
async def test_other_algorithms(line: Office, key: Callable[[], Any]) -> None:
    line.provider.key = key()
    async with browser() as session:
        assert (await enter(session, line))[0] == 303


async def test_roles_are_the_providers_at_each_log_in(line: Office) -> None:
    async with browser() as first, browser() as second:
        await enter(first, line)
        line.provider.claims = {"groups": ["line-leads", "others"], "name": "Rosa Diaz-Lee"}
        assert (await enter(second, line))[0] == 303
        made = await account(line, "rosa.diaz")
        assert made.account.roles == {"supervisor", "ops"} and made.account.display == "Rosa Diaz-Lee"
        assert (await arrive(second, f"{line.base}/calls"))[0] == 200
        assert (await arrive(first, f"{line.base}/account"))[0] == 303, "the session of the old roles is over"
        line.provider.claims = {"groups": []}
        status, _, page = await enter(second, line)
        assert status == 403 and "no role here" in page
        assert (await account(line, "rosa.diaz")).account.roles == set()
        assert (await arrive(second, f"{line.base}/calls"))[0] == 303, "what they had is gone, too"


@pytest.mark.parametrize("groups", [None, [], "others", ["LINE-AGENTS"], {"line-agents": True}, [["line-agents"]], 7])
async def test_nobody_without_a_role_gets_in(line: Office, groups: Any) -> None:
    line.provider.claims = {"groups": groups}
    async with browser() as session:
        status, _, page = await enter(session, line)
    assert status == 403 and "no role here" in page
    assert await line.store.accounts.find("rosa.diaz") is None
    assert await reasons(line) == ["no role"]


async def test_an_account_of_ours_is_not_taken_over_by_its_name(line: Office) -> None:
    line.provider.claims = {"preferred_username": "rosa", "groups": ["line-leads"]}
    ours = await account(line, "rosa")
    async with browser() as session:
        assert (await enter(session, line))[0] == 303
    assert await account(line, "rosa") == ours
    (theirs,) = [each for each in await line.store.accounts.all() if each.issuer]
    assert theirs.account.name.startswith("rosa-") and theirs.account.roles == {"supervisor", "ops"}
    line.provider.claims |= {"sub": "subject-2"}
    async with browser() as session:
        assert (await enter(session, line))[0] == 303
    assert len([each for each in await line.store.accounts.all() if each.issuer]) == 2, "nor by another there"


@pytest.mark.parametrize(
    ("name", "kept"),
    [("José Núñez@example.com", "jose-nunez"), ("", "user"), ("../../etc", "etc"), ("api", "user"), ("名前", "user")],
)
async def test_names_become_ours(line: Office, name: str, kept: str) -> None:
    line.provider.claims = {"preferred_username": name, "name": None, "email": None}
    async with browser() as session:
        assert (await enter(session, line))[0] == 303
    assert await line.store.accounts.find(kept) is not None


async def test_the_disabled_stay_out_and_a_password_opens_nothing(line: Office) -> None:
    store, authentication = line.store.accounts, line.authentication
    async with browser() as session:
        await enter(session, line)
        await store.set_disabled("rosa.diaz", True, "rosa")
        assert (await arrive(session, f"{line.base}/account"))[0] == 303
        status, _, page = await enter(session, line)
        assert status == 403 and "disabled" in page
        await store.set_disabled("rosa.diaz", False, "rosa")
        for password in ("", SECRET, "None"):
            assert (await log_in(session, line.base, "rosa.diaz", password)).status == 401
    for refused in (
        authentication.set_password("rosa.diaz", "words of my own", "rosa"),
        authentication.set_one_time("rosa.diaz", "rosa"),
        store.set_roles("rosa.diaz", frozenset(["ops"]), "rosa"),
    ):
        with pytest.raises(AccountError, match="vouched for"):
            await refused


ATTACKS: dict[str, tuple[Callable[[Provider], object], str]] = {
    "no signature": (lambda p: setattr(p, "sign", unsigned), "token is not good"),
    "the client's secret": (lambda p: setattr(p, "sign", with_the_clients_secret), "token is not good"),
    "the public key as a secret": (lambda p: setattr(p, "sign", with_the_public_key(p.key)), "token is not good"),
    "a key of one's own": (lambda p: setattr(p, "sign", with_a_key_of_ones_own(p.key.kid)), "bad_signature"),
    "a key in the header": (lambda p: setattr(p, "sign", with_a_key_of_ones_own(None)), "token is not good"),
    "an unknown key": (lambda p: setattr(p, "sign", with_a_key_of_ones_own("nobody's")), "invalid_key_id"),
    "no token at all": (lambda p: setattr(p, "sign", lambda _: "ha"), "token is not good"),
    "another client": (lambda p: p.claims.update(aud="other"), "(aud)"),
    "another client among ours": (lambda p: p.claims.update(aud=[CLIENT, "other"]), "(azp)"),
    "authorised for another": (lambda p: p.claims.update(azp="other"), "(azp)"),
    "another issuer": (lambda p: p.claims.update(iss="https://evil.example"), "invalid_claim"),
    "another nonce": (lambda p: p.claims.update(nonce="n" * 43), "(nonce)"),
    "no nonce": (lambda p: p.claims.update(nonce=None), "(nonce)"),
    "nobody": (lambda p: p.claims.update(sub=None), "missing_claim"),
    "a name too long": (lambda p: p.claims.update(sub="s" * 256), "names nobody"),
    "nobody's name": (lambda p: p.claims.update(sub=""), "token is not good"),
    "a number": (lambda p: p.claims.update(sub=7), "invalid_claim"),
    "over": (lambda p: p.claims.update(exp=int(time.time()) - SKEW_S - 5), "expired_token"),
    "no end": (lambda p: p.claims.update(exp=None), "missing_claim"),
    "of tomorrow": (lambda p: p.claims.update(iat=int(time.time()) + 86400), "invalid_claim"),
    "another provider's answer": (lambda p: p.answer.update(iss="https://evil.example"), "another provider's"),
    "an error": (lambda p: p.answer.update(error="access_denied"), "access_denied"),
    "no code": (lambda p: p.answer.update(code=""), "the provider says nothing"),
    "an invented code": (lambda p: p.answer.update(code="invented"), "invalid_grant"),
    "no issuer where it is promised": (
        lambda p: p.metadata.update(authorization_response_iss_parameter_supported=True),
        "another provider's",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_what_is_not_right_lets_nobody_in(line: Office, attack: str) -> None:
    change, why = ATTACKS[attack]
    change(line.provider)
    async with browser() as session:
        status, _, page = await enter(session, line)
        assert status == 403 and "did not work" in page and why not in page, "strangers are told no more"
        assert (await arrive(session, f"{line.base}/account"))[0] == 303
    assert len(await line.store.accounts.all()) == 1
    (told,) = await reasons(line)
    assert why in told


async def test_clocks_may_differ_a_little(line: Office) -> None:
    line.provider.claims = {"iat": int(time.time()) + SKEW_S - 5, "exp": int(time.time()) - SKEW_S + 5}
    async with browser() as session:
        assert (await enter(session, line))[0] == 303


async def test_the_answer_must_come_to_the_browser_that_asked(line: Office) -> None:
    """Log-in CSRF: somebody else is not logged in as me, and nobody who reads the address logs in at all."""
    async with browser() as mine, browser() as other, browser() as third:
        back = await led(mine, line)
        assert (await arrive(other, back))[0] == 403
        await led(third, line)
        assert (await arrive(third, back))[0] == 403, "also one that asked for something itself"
        for kept in ("", ".", "a.b", "=.=", "Ä.Ä", "W10."):
            third.cookie_jar.update_cookies({"ivr_oidc": kept}, URL(line.base))
            assert (await arrive(third, back))[0] == 403
        assert "token" not in line.provider.asked, "the code was not even shown"
        assert (await arrive(mine, back))[0] == 303
    assert set(await reasons(line)) == {"identity provider: an answer that this browser did not ask for"}


async def test_an_answer_counts_once_and_not_for_ever(line: Office) -> None:
    async with browser() as session:
        back = await led(session, line)
        kept = session.cookie_jar.filter_cookies(URL(line.base))["ivr_oidc"].value
        assert (await arrive(session, back))[0] == 303
        assert not session.cookie_jar.filter_cookies(URL(line.base)).get("ivr_oidc")
        session.cookie_jar.update_cookies({"ivr_oidc": kept}, URL(line.base))
        line.provider.codes["code-0"] = parameters(back)
        asked = len(line.provider.asked)
        assert (await arrive(session, back))[0] == 403
        assert len(line.provider.asked) == asked, "nothing was asked for it"
        back = await led(session, line)
        now = line.oidc._now
        line.oidc._now = lambda: now() + PENDING_S + 1
        assert (await arrive(session, back))[0] == 403
    told = await reasons(line)
    assert "identity provider: an answer that came before" in told


async def test_new_keys_are_fetched_once_and_not_for_everybody(line: Office) -> None:
    now = 1000.0
    line.oidc._clock = lambda: now
    async with browser() as session:
        assert (await enter(session, line))[0] == 303
        line.provider.key = rsa()
        assert (await enter(session, line))[0] == 403, "they were fetched a moment ago"
        now += AGAIN_S
        assert (await enter(session, line))[0] == 303
        assert line.provider.asked.count("jwks") == 2 and line.provider.asked.count("discovery") == 1
        line.provider.sign = with_a_key_of_ones_own("nobody's")
        for _ in range(3):
            assert (await enter(session, line))[0] == 403
        assert line.provider.asked.count("jwks") == 2


async def test_a_key_that_was_replaced_without_a_name_of_its_own(line: Office) -> None:
    """A provider with one key need not name it (Core, section 10.1)."""
    now = 1000.0
    line.oidc._clock = lambda: now

    def signed(claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256"}, claims, line.provider.key, algorithms=["RS256"])

    line.provider.sign = signed
    async with browser() as session:
        assert (await enter(session, line))[0] == 303
        line.provider.key = rsa()
        now += AGAIN_S
        assert (await enter(session, line))[0] == 303


async def test_keys_of_unknown_kinds_keep_nobody_out(line: Office) -> None:
    line.provider.keys = [{"kty": "AKP", "alg": "ML-DSA-44", "pub": "eA"}, {"kty": "EC", "crv": "P-0"}, "key", {}]
    async with browser() as session:
        assert (await enter(session, line))[0] == 303


async def test_what_stands_in_no_id_token_is_asked_for_once(line: Office) -> None:
    """Beside an access token the claims of scopes are at the UserInfo endpoint (Core, section 5.4)."""
    line.provider.claims = dict.fromkeys(("groups", "name", "preferred_username"))
    line.provider.user_info = {"sub": "subject-1", "groups": ["line-leads"], "name": "Rosa D", "aud": "other"}
    async with browser() as session:
        assert (await enter(session, line))[0] == 303
        record = await account(line, "rosa-d")
        assert (record.account.display, record.account.roles) == ("Rosa D", frozenset(["supervisor", "ops"]))
        line.provider.claims = {"groups": ["line-agents"]}
        assert (await enter(session, line))[0] == 303
        assert (await account(line, "rosa-d")).account.roles == frozenset(["agent"])
        assert line.provider.asked.count("me") == 1, "the token says it all"


@pytest.mark.parametrize("told", [{"sub": "somebody-else", "groups": ["line-leads"]}, {"groups": ["line-leads"]}, []])
async def test_what_is_told_of_somebody_else_gives_no_role(line: Office, told: Any) -> None:
    line.provider.claims, line.provider.user_info = {"groups": None}, told
    async with browser() as session:
        assert (await enter(session, line))[0] == 403
    assert len(await line.store.accounts.all()) == 1


async def test_while_the_provider_is_away_passwords_still_work(line: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_client, "TIMEOUT_S", 0.3)
    line.provider.silent = asyncio.Event()
    async with browser() as session:
        with capture_logs() as logs:
            status, _, page = await arrive(session, f"{line.base}/login/oidc?next=/account")
            assert status == 503 and "identity provider does not answer" in page and 'name="password"' in page
            assert (await arrive(session, f"{line.base}/login/oidc"))[0] == 503
        assert line.provider.asked == ["discovery"], "the second one did not wait"
        assert [each["error"] for each in logs if each["event"] == "oidc.unavailable"] == ["TimeoutError"]
        assert (await log_in(session, line.base)).status == 303
        assert (await arrive(session, f"{line.base}/account"))[0] == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"authorization_endpoint": None},
        {"jwks_uri": 7},
    ],
)
async def test_a_provider_that_says_what_it_may_not_is_not_asked(wrong: dict[str, Any]) -> None:
    async with office() as line, browser() as session:
        if "token_endpoint" in wrong:  # by TLS, as the issuer is
            monkey = line.provider.config(issuer="https://127.0.0.1")
            line.oidc.apply(monkey)
            assert not line.oidc._trusted("http://127.0.0.1/token") and line.oidc._trusted("https://127.0.0.1/token")
            return
        line.provider.metadata = wrong
        status, _, page = await arrive(session, f"{line.base}/login/oidc")
        assert status == 502 and "does not work" in page and 'name="password"' in page


async def test_where_only_company_accounts_count() -> None:
    async with office(local=False, button="Log in with <Films>") as line, browser() as session:
        _, _, page = await arrive(session, f"{line.base}/login")
        assert 'name="password"' not in page and "Log in with &lt;Films&gt;" in page
        assert (await log_in(session, line.base)).status == 403
        assert (await enter(session, line))[0] == 303


async def test_who_logs_out_is_led_to_the_provider(line: Office) -> None:
    line.provider.metadata = {"end_session_endpoint": f"{line.provider.issuer}/end"}
    async with browser() as session:
        await enter(session, line)
        form = {"csrf": await csrf_of(session, line.base)}
        async with session.post(f"{line.base}/logout", data=form, headers=BROWSER, allow_redirects=False) as answer:
            page = await answer.text()
            assert answer.status == 200 and f"{line.provider.issuer}/end?client_id={CLIENT}&amp;post_logout" in page
        assert (await arrive(session, f"{line.base}/account"))[0] == 303
        await log_in(session, line.base)
        form = {"csrf": await csrf_of(session, line.base)}
        async with session.post(f"{line.base}/logout", data=form, headers=BROWSER, allow_redirects=False) as answer:
            assert answer.status == 303, "who came by a password has nothing there"


async def test_guessing_answers_waits_as_guessing_passwords_does(line: Office) -> None:
    stands = line.authentication.guesses
    stands._now = lambda: 1000.0
    async with browser() as session:
        statuses = [
            (await arrive(session, f"{line.base}/login/oidc/callback?state=s{n}&code=c"))[0] for n in range(120)
        ]
    assert statuses[0] == 403 and statuses[-1] == 429
