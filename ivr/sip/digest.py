"""SIP digest authentication (RFC 8760, RFC 7616): we answer challenges, and we challenge."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import structlog
from aiosipua import (
    AuthChallenge,
    SipDigestAuth,
    build_credentials,
    parse_auth,
    stringify_auth,
)

from ivr.errors import ConfigError
from ivr.limits.throttle import Guesses, source_of
from ivr.sip.headers import BadHeader, Uri
from ivr.sip.message import SipRequest, SipResponse

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

ALGORITHMS = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}  # strongest first (RFC 8760 section 2.4)
NONCE_LIFE_S = 120.0
_PAIRS = {401: ("www-authenticate", "Authorization"), 407: ("proxy-authenticate", "Proxy-Authorization")}


# --- we answer challenges ----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Known:
    challenge: AuthChallenge
    count: int = 0


class DigestClient:
    """One account of ours. It remembers each server's last challenge, so that a refresh needs no round trip more."""

    def __init__(self, username: str, password: Callable[[], str], realm: str = "") -> None:
        self._username, self._password, self._realm = username, password, realm
        self._known: dict[tuple[str, str], _Known] = {}  # by header and server

    def authorise(self, request: SipRequest, server: str) -> None:
        """Add credentials for ``server``, where its challenge is known."""
        for _, header in _PAIRS.values():
            known = self._known.get((header, server))
            if known is None:
                continue
            known.count += 1
            try:
                password = self._password()
            except ConfigError as error:
                log.error("sip.credentials_missing", username=self._username, error=str(error))
                return
            credentials = build_credentials(
                SipDigestAuth(self._username, password),
                known.challenge,
                request.method,
                request.uri,
                nonce_count=known.count,
            )
            if credentials is not None:
                request.headers.set(header, stringify_auth(credentials))

    def learn(self, response: SipResponse, request: SipRequest, server: str) -> bool:
        """Take a 401/407; False when trying again is pointless: refused credentials, or nothing we can answer."""
        source, header = _PAIRS[response.status_code]
        used = _parameters(request.headers.first(header))
        parsed = [parse_auth(value) for value in response.headers.get(source)]
        offers = [AuthChallenge(p.scheme, {name.lower(): value for name, value in p.params.items()}) for p in parsed]
        for algorithm in ALGORITHMS:
            for offer in offers:
                offered = offer.params.get("algorithm", "MD5").upper()
                if offer.scheme.lower() != "digest" or offered != algorithm or not offer.params.get("nonce"):
                    continue
                if self._realm and offer.params.get("realm") != self._realm:
                    continue
                if "qop" in offer.params and "auth" not in offer.params["qop"].lower().replace(" ", "").split(","):
                    continue
                stale = offer.params.get("stale", "").lower() == "true"
                if used.get("nonce") == offer.params["nonce"] and not stale:
                    return False
                self._known[header, server] = _Known(offer)
                return True
        return False


def _parameters(value: str) -> dict[str, str]:
    if value[:7].lower() != "digest ":
        return {}
    return {name.lower(): text for name, text in parse_auth(value, credentials=True).params.items()}


# --- we challenge ------------------------------------------------------------------------------------------


class Verdict(StrEnum):
    PASSED = "passed"
    MISSING = "missing"
    STALE = "stale"
    WRONG = "wrong"
    LOCKED = "locked"  # too many wrong ones: not looked at


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may authenticate; ``name`` is the trunk's."""

    name: str
    username: str
    realm: str
    password: Callable[[], str]


class DigestGuard:
    """It challenges requests and checks their credentials. Nonces carry their own time and proof; only those that
    authenticated somebody are remembered, with the highest nonce-count seen, so that nothing is taken twice."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._secret = secrets.token_bytes(32)
        self._counts: dict[str, int] = {}
        self._guesses = Guesses(now)

    def challenge(self, response: SipResponse, realms: Iterable[str], source: str, *, stale: bool) -> None:
        """Add WWW-Authenticate to a 401, SHA-256 before MD5 (RFC 8760 section 2.4)."""
        for realm in dict.fromkeys(realms):
            for algorithm in ALGORITHMS:
                parameters = {"realm": realm, "nonce": self._nonce(source), "qop": "auth", "algorithm": algorithm}
                if stale:
                    parameters["stale"] = "true"
                response.headers.add("WWW-Authenticate", stringify_auth(AuthChallenge("Digest", parameters)))

    def wait_s(self, request: SipRequest, accounts: Sequence[Account], source: str) -> float:
        """Seconds until credentials for the account that ``request`` names are looked at again."""
        given = (_parameters(value) for value in request.headers.get("authorization"))
        return max((self._guesses.wait_s(_guesser(g, accounts, source)) for g in given), default=0.0)

    def check(self, request: SipRequest, accounts: Sequence[Account], source: str) -> tuple[Verdict, str]:
        """Return the verdict and the name of the account that passed. The digest is compared in constant time."""
        given = [_parameters(value) for value in request.headers.get("authorization")]
        credentials = next((g for g in given if g.get("realm") in {a.realm for a in accounts}), None)
        if credentials is None:
            return Verdict.MISSING, ""
        nonce = credentials.get("nonce", "")
        age = self._age(nonce, source)
        if age is None:
            return Verdict.STALE, ""  # not ours, or made for another source: let them start over
        count = credentials.get("nc", "")
        algorithm = credentials.get("algorithm", "MD5").upper()
        counted = re.fullmatch("[0-9a-fA-F]{8}", count)
        guesser = _guesser(credentials, accounts, source)
        if self._guesses.wait_s(guesser):
            return Verdict.LOCKED, ""
        if algorithm not in ALGORITHMS or credentials.get("qop", "").lower() != "auth" or not counted:
            return Verdict.WRONG, ""
        if not _names(credentials.get("uri", ""), request.uri):
            return Verdict.WRONG, ""  # made for another request, perhaps for another server (RFC 7616 section 3.4.6)
        name = ""
        for account in accounts:
            wanted = _digest(algorithm, account, request.method, credentials)
            same = hmac.compare_digest(wanted.encode(), credentials.get("response", "").lower().encode())
            if same and account.username == credentials.get("username") and account.realm == credentials["realm"]:
                name = account.name
        if not name:
            self._guesses.failed(guesser, credentials.get("response", ""))
            return Verdict.WRONG, ""
        self._guesses.passed(guesser)
        if age > NONCE_LIFE_S or int(count, 16) <= self._counts.get(nonce, 0):
            return Verdict.STALE, ""
        self._counts = {n: c for n, c in self._counts.items() if self._seconds_since(n) <= NONCE_LIFE_S}
        self._counts[nonce] = int(count, 16)
        return Verdict.PASSED, name

    def _nonce(self, source: str) -> str:
        stamp = f"{int(self._now() * 1000):x}-{secrets.token_hex(8)}"
        return f"{stamp}-{self._proof(stamp, source)}"

    def _proof(self, stamp: str, source: str) -> str:
        return hmac.new(self._secret, f"{stamp}|{source}".encode(), hashlib.sha256).hexdigest()[:24]

    def _age(self, nonce: str, source: str) -> float | None:
        """Return the seconds since we made ``nonce`` for ``source``; None when we didn't, or long ago."""
        stamp, _, proof = nonce.rpartition("-")
        if not hmac.compare_digest(self._proof(stamp, source).encode(), proof.encode()):
            return None
        age = self._seconds_since(nonce)
        return age if -1 <= age <= 10 * NONCE_LIFE_S else None

    def _seconds_since(self, nonce: str) -> float:
        return self._now() - int(nonce.partition("-")[0], 16) / 1000


def _guesser(credentials: dict[str, str], accounts: Sequence[Account], source: str) -> str:
    """Who is guessing: a source, at one account. Accounts that don't exist are one."""
    username = credentials.get("username", "")
    return f"{source_of(source)} {username if username in {a.username for a in accounts} else ''}"


def _names(uri: str, requested: str) -> bool:
    """Whether the URI that a digest was made over is the request's."""
    if uri == requested:
        return True
    try:
        return Uri.parse(uri).same(Uri.parse(requested))
    except BadHeader:
        return False


def _digest(algorithm: str, account: Account, method: str, credentials: dict[str, str]) -> str:
    def h(text: str) -> str:
        return ALGORITHMS[algorithm](text.encode()).hexdigest()

    first = h(f"{account.username}:{account.realm}:{account.password()}")
    second = h(f"{method}:{credentials.get('uri', '')}")
    nonce, count, own = (credentials.get(name, "") for name in ("nonce", "nc", "cnonce"))
    return h(f"{first}:{nonce}:{count}:{own}:auth:{second}")
