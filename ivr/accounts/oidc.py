"""OpenID Connect (Core 1.0): log-in by the company's identity provider, by code with PKCE (RFC 7636), state and nonce.

What a log-in under way needs goes along in a cookie that only the browser has that began it, sealed with a key made
from the client's secret: every process of the line can end what another began, and nobody fills a table. What the
provider says of somebody counts at the log-in; its tokens are not kept.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import structlog

from ivr.accounts.passwords import NAME, RESERVED
from ivr.accounts.provider_client import OidcRefused, ProviderClient
from ivr.config import OidcConfig
from ivr.errors import ConfigError, UnavailableError
from ivr.ports import ROLES, Role

if TYPE_CHECKING:
    from joserfc.jwk import Key, KeySet

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

ALGORITHMS = (
    "RS256",
    "ES256",
    "PS256",
    "EdDSA",
    "Ed25519",
)  # never "none"; of HS256 the key would be the client's secret
PENDING_S = 600
SKEW_S = 60
FRESH_S = 3600.0
AGAIN_S = 30.0  # so often keys are asked for once more because of one that is unknown
BACK = "/login/oidc/callback"
WELL_KNOWN = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom the provider vouches for. ``name``: what they are called there; ``onwards``: where they wanted to go."""

    issuer: str
    subject: str
    name: str
    display: str
    roles: frozenset[Role]
    onwards: str


@dataclass(frozen=True, slots=True)
class Begun:
    """``address``: where the browser goes; ``kept``: what it keeps until it is back."""

    address: str
    kept: str


@dataclass(frozen=True, slots=True)
class Pending:
    """A log-in under way; ``state`` comes back once."""

    state: str
    onwards: str


class Oidc:
    """``config``: None for no provider. ``home``: the console's address, as browsers know it. ``clock``: monotonic;
    ``now``: seconds since 1970.

    Methods raise OidcRefused, and UnavailableError where the provider does not answer."""

    def __init__(
        self,
        config: OidcConfig | None,
        home: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        _prepare(config)
        self._redirect, self._home = f"{home}{BACK}", f"{home}/login"
        self._clock, self._now = clock, now
        self._provider = ProviderClient(clock)
        self._found: tuple[Mapping[str, Any], float] | None = None
        self._keys: tuple[KeySet, float] | None = None

    def apply(self, config: OidcConfig | None) -> None:
        """What counts from now on."""
        if config != self.config:
            _prepare(config)
            self.config, self._found, self._keys = config, None, None
            self._provider.forgive()

    async def close(self) -> None:
        await self._provider.close()

    async def begin(self, onwards: str) -> Begun:
        config, found = self._configured(), await self._discover()
        state = secrets.token_urlsafe(32)
        challenge = _base64(hashlib.sha256(self._derived("verifier", state).encode()).digest())
        query = {
            "response_type": "code",
            "client_id": config.client_id,
            "redirect_uri": self._redirect,
            "scope": " ".join(dict.fromkeys(("openid", *config.scopes))),
            "state": state,
            "nonce": self._derived("nonce", state),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        address = found["authorization_endpoint"]
        told = json.dumps([state, int(self._now()) + PENDING_S, onwards]).encode()
        kept = _base64(told)
        return Begun(f"{address}{'&' if '?' in address else '?'}{urlencode(query)}", f"{kept}.{self._seal(kept)}")

    def pending(self, query: Mapping[str, str], kept: str) -> Pending:
        """What ``kept`` says was begun, where the answer in ``query`` belongs to it."""
        body, _, seal = kept.partition(".")
        if not hmac.compare_digest(seal.encode(errors="replace"), self._seal(body).encode()):
            raise OidcRefused("an answer that this browser did not ask for")
        state, until, onwards = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        if not hmac.compare_digest(query.get("state", "").encode(errors="replace"), state.encode()):
            raise OidcRefused("an answer that this browser did not ask for")
        if until < self._now():
            raise OidcRefused("an answer that came too late")
        return Pending(state, onwards)

    async def finish(self, query: Mapping[str, str], pending: Pending) -> Vouched:
        """Whom the provider's answer vouches for; ``pending`` must not have been used before."""
        config, found = self._configured(), await self._discover()
        asks_issuer = found.get("authorization_response_iss_parameter_supported") is True  # RFC 9207
        if query.get("iss", "" if asks_issuer else config.issuer) != config.issuer:
            raise OidcRefused("the answer is another provider's")
        if "error" in query or not query.get("code"):
            raise OidcRefused(f"the provider says {query.get('error', 'nothing')[:60]}")
        token, access = await self._exchanged(query["code"], pending.state)
        claims = await self._claims(token)
        nonce = self._derived("nonce", pending.state)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(errors="replace"), nonce.encode()):
            raise OidcRefused("the token is of another log-in (nonce)")
        if config.claim not in claims:
            claims = {**await self._user_info(access, claims["sub"]), **claims}
        return Vouched(
            config.issuer,
            str(claims["sub"]),
            str(claims.get("preferred_username") or claims.get("email") or claims.get("name") or ""),
            str(claims.get("name") or claims.get("preferred_username") or ""),
            self._roles(claims.get(config.claim)),
            pending.onwards,
        )

    async def end_of_session(self) -> str:
        """Where the provider ends its own session (RP-Initiated Logout 1.0), and leads back; "" for nowhere."""
        try:
            address = (await self._discover()).get("end_session_endpoint")
        except (UnavailableError, OidcRefused):
            return ""
        if not isinstance(address, str) or not self._trusted(address):
            return ""
        query = urlencode({"client_id": self._configured().client_id, "post_logout_redirect_uri": self._home})
        return f"{address}{'&' if '?' in address else '?'}{query}"

    # -- what the provider says -------------------------------------------------------------------------------------

    def _roles(self, given: object) -> frozenset[Role]:
        values = [given] if isinstance(given, str) else given if isinstance(given, list) else []
        mapping = self._configured().roles
        wanted = {role for value in values if isinstance(value, str) for role in mapping.get(value, ())}
        return frozenset(role for role in ROLES if role in wanted)

    async def _user_info(self, access: object, subject: str) -> Mapping[str, Any]:
        """What an ID token need not have beside an access token (Core, sections 5.3 and 5.4); {} where there is nobody
        to ask."""
        address = (await self._discover()).get("userinfo_endpoint")
        if not isinstance(access, str) or not self._trusted(address):
            return {}
        told = await self._provider.told("GET", str(address), headers={"Authorization": f"Bearer {access}"})
        if told.get("sub") != subject:
            raise OidcRefused("what the provider tells is of somebody else (sub)")
        return told

    async def _exchanged(self, code: str, state: str) -> tuple[str, object]:
        """The ID token, and the access token where there is one."""
        config, found = self._configured(), await self._discover()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "code_verifier": self._derived("verifier", state),
        }
        headers = {"Accept": "application/json"}
        secret = self._secret()
        ways = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if "client_secret_basic" in ways:  # RFC 6749, section 2.3.1
            both = f"{quote(config.client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(both.encode()).decode()}"
        else:
            form |= {"client_id": config.client_id, "client_secret": secret}
        told = await self._provider.told("POST", found["token_endpoint"], data=form, headers=headers)
        token = told.get("id_token")
        if not isinstance(token, str):
            raise OidcRefused("there is no ID token in the answer")
        return token, told.get("access_token")

    async def _claims(self, token: str) -> Mapping[str, Any]:
        """Of an ID token that the provider signed for us, and that counts now (Core, section 3.1.3.7)."""
        from joserfc import jwt
        from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError

        config = self._configured()
        registry = jwt.JWTClaimsRegistry(
            now=lambda: int(self._now()),
            leeway=SKEW_S,
            iss={"essential": True, "value": config.issuer},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            try:
                decoded = jwt.decode(token, await self._key_set(), algorithms=ALGORITHMS)
            except (InvalidKeyIdError, BadSignatureError):  # a key that is unknown, or another, may be a new one
                decoded = jwt.decode(token, await self._key_set(fresh=True), algorithms=ALGORITHMS)
            registry.validate(decoded.claims)
        except JoseError as error:
            raise OidcRefused(f"the token is not good: {error.error}") from error
        except (ValueError, TypeError, KeyError) as error:
            raise OidcRefused(f"the token can't be read: {type(error).__name__}") from error
        claims = decoded.claims
        audience = claims.get("aud")
        those = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
        if config.client_id not in those:
            raise OidcRefused("the token is for another client (aud)")
        if claims.get("azp", None if len(those) > 1 else config.client_id) != config.client_id:
            raise OidcRefused("the token is for another client (azp)")
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
            raise OidcRefused("the token names nobody")
        return claims

    async def _key_set(self, *, fresh: bool = False) -> KeySet:
        clock = self._clock()
        if self._keys is None or clock - self._keys[1] >= (AGAIN_S if fresh else FRESH_S):
            told = await self._provider.told("GET", (await self._discover())["jwks_uri"])
            if not (keys := list(_readable(told.get("keys")))):
                raise OidcRefused("the provider's keys can't be read")
            from joserfc.jwk import KeySet

            self._keys = (KeySet(keys), clock)
        return self._keys[0]

    async def _discover(self) -> Mapping[str, Any]:
        config, clock = self._configured(), self._clock()
        if self._found is None or clock - self._found[1] >= FRESH_S:
            found = await self._provider.told("GET", config.issuer.rstrip("/") + WELL_KNOWN)
            if found.get("issuer") != config.issuer:
                raise OidcRefused("what is found at the issuer's address is another issuer's")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if not self._trusted(found.get(name)):
                    raise OidcRefused(f"the provider's {name} is no https address")
            self._found = (found, clock)
        return self._found[0]

    def _trusted(self, address: object) -> bool:
        """By TLS, unless the issuer itself is not (on this machine)."""
        ours = urlsplit(self._configured().issuer).scheme
        return isinstance(address, str) and urlsplit(address).scheme in ("https", ours)

    # -- secrets ------------------------------------------------------------------------------------------------------

    def _configured(self) -> OidcConfig:
        if self.config is None:
            raise OidcRefused("no identity provider is configured")
        return self.config

    def _secret(self) -> str:
        try:
            return self._configured().client_secret.reveal()
        except ConfigError as error:
            log.error("oidc.secret_missing", error=str(error))
            raise OidcRefused("the client's secret is missing") from error

    def _derived(self, what: str, state: str) -> str:
        """43 characters that only this line can know of ``state``."""
        key = hashlib.sha256(f"ivr log-in\n{self._secret()}".encode()).digest()
        return _base64(hmac.new(key, f"{what}\n{state}".encode(errors="replace"), hashlib.sha256).digest())

    def _seal(self, kept: str) -> str:
        return self._derived("kept", kept)


def _prepare(config: OidcConfig | None) -> None:
    """Most lines know no provider and start without what reads its tokens; with one, no log-in waits for that."""
    if config is not None:
        import_module("joserfc.jwt")


def _readable(keys: object) -> Iterator[Key]:
    """Keys of kinds that we don't know are somebody else's (RFC 7517, section 5)."""
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry

    for told in keys if isinstance(keys, list) else ():
        try:
            yield JWKRegistry.import_key(told)
        except (JoseError, ValueError, TypeError, KeyError):
            continue


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def names_of(vouched: Vouched) -> tuple[str, str]:
    """What the account may be called: as there, or with some of a hash that is nobody else's. Whose it is, issuer and
    subject say and no name: one that somebody has already stays theirs."""
    plain = unicodedata.normalize("NFKD", vouched.name.partition("@")[0]).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9._-]+", "-", plain)[:33].strip("._-")
    if not NAME.fullmatch(name) or name in RESERVED:
        name = "user"
    theirs = hashlib.sha256(f"{vouched.issuer}\n{vouched.subject}".encode(errors="replace")).hexdigest()
    return name, f"{name}-{theirs[:6]}"
