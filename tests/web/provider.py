"""An identity provider in our hand: it signs whatever a test says, may turn its keys, lie, or answer nothing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from ivr.config import OidcConfig, Secret

CLIENT, SECRET, ACCESS = "ivr", "s3cret of the client", "opens-user-info"
ROLES: Mapping[str, Any] = {"line-agents": ("agent",), "line-leads": ("supervisor", "ops")}


def rsa() -> RSAKey:
    return RSAKey.generate_key(2048, auto_kid=True)


@dataclass
class Provider:
    """``claims``: beside those of every token; ``sign``: how a token is made of them."""

    issuer: str = ""
    key: Any = field(default_factory=rsa)
    published: list[Any] = field(default_factory=list)
    claims: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, str] = field(default_factory=dict)  # parameters of the way back
    user_info: Any = None  # None: there is no such endpoint
    keys: list[Any] = field(default_factory=list)  # beside ours, as they stand in the set
    sign: Callable[[dict[str, Any]], str] | None = None
    asked: list[str] = field(default_factory=list)
    silent: asyncio.Event | None = None
    codes: dict[str, Mapping[str, str]] = field(default_factory=dict)
    forms: list[Mapping[str, str]] = field(default_factory=list)

    def config(self, **changes: Any) -> OidcConfig:
        told = {"issuer": self.issuer, "client_id": CLIENT, "client_secret": Secret("env:OIDC_SECRET"), "roles": ROLES}
        return OidcConfig(**{**told, **changes})

    def signed(self, claims: dict[str, Any]) -> str:
        algorithm = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA", "oct": "HS256"}[self.key.key_type]
        return jwt.encode({"alg": algorithm, "kid": self.key.kid}, claims, self.key, algorithms=[algorithm])

    async def discovery(self, _: web.Request) -> web.Response:
        self.asked.append("discovery")
        if self.silent is not None:
            await self.silent.wait()
        base = self.issuer
        return web.json_response(
            {
                "issuer": base,
                "authorization_endpoint": f"{base}/authorize",
                "token_endpoint": f"{base}/token",
                "jwks_uri": f"{base}/jwks",
                **({"userinfo_endpoint": f"{base}/me"} if self.user_info is not None else {}),
                **self.metadata,
            }
        )

    async def jwks(self, _: web.Request) -> web.Response:
        self.asked.append("jwks")
        keys = self.published or [self.key]
        return web.json_response({"keys": [*self.keys, *(key.as_dict(private=False) for key in keys)]})

    async def me(self, request: web.Request) -> web.Response:
        self.asked.append("me")
        assert request.headers["Authorization"] == f"Bearer {ACCESS}"
        return web.json_response(self.user_info)

    async def authorize(self, request: web.Request) -> web.Response:
        self.asked.append("authorize")
        asked = request.query
        code = f"code-{len(self.codes)}"
        self.codes[code] = dict(asked)
        back = {"code": code, "state": asked["state"], **self.answer}
        raise web.HTTPFound(f"{asked['redirect_uri']}?{'&'.join(f'{k}={v}' for k, v in back.items() if v)}")

    async def token(self, request: web.Request) -> web.Response:
        self.asked.append("token")
        form = await request.post()
        told = {name: value for name, value in form.items() if isinstance(value, str)}
        self.forms.append(told)
        asked = self.codes.pop(told["code"], None)
        if asked is None:
            return web.json_response({"error": "invalid_grant"}, status=400)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(told["code_verifier"].encode()).digest()).rstrip(b"=")
        assert asked["code_challenge"].encode() == challenge and asked["code_challenge_method"] == "S256"
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "subject-1",
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "preferred_username": "Rosa.Diaz",
            "name": "Rosa Diaz",
            "groups": ["line-agents"],
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        access = {"access_token": ACCESS} if self.user_info is not None else {}
        return web.json_response({"id_token": (self.sign or self.signed)(claims), "token_type": "Bearer", **access})


def unsigned(claims: dict[str, Any]) -> str:
    """alg none (RFC 7519, section 6)."""
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims)}."


def with_the_clients_secret(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET), algorithms=["HS256"])


def with_the_public_key(key: RSAKey) -> Callable[[dict[str, Any]], str]:
    """HS256 whose secret is the provider's public key, as text: what libraries were fooled by."""

    def sign(claims: dict[str, Any]) -> str:
        told = f"{_part({'alg': 'HS256', 'kid': key.kid})}.{_part(claims)}"
        made = hmac.new(key.as_pem(private=False), told.encode(), hashlib.sha256).digest()
        return f"{told}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"

    return sign


def _part(told: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=").decode()


def with_a_key_of_ones_own(kid: str | None) -> Callable[[dict[str, Any]], str]:
    def sign(claims: dict[str, Any]) -> str:
        own = rsa()
        header = {"alg": "RS256", **({"kid": kid} if kid else {"jwk": own.as_dict(private=False)})}
        return jwt.encode(header, claims, own, algorithms=["RS256"])

    return sign


ELLIPTIC: Callable[[], Any] = lambda: ECKey.generate_key("P-256", auto_kid=True)  # noqa: E731
EDWARDS: Callable[[], Any] = lambda: OKPKey.generate_key("Ed25519", auto_kid=True)  # noqa: E731


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    served = Provider()
    app = web.Application()
    app.add_routes(
        [
            web.get("/.well-known/openid-configuration", served.discovery),
            web.get("/jwks", served.jwks),
            web.get("/authorize", served.authorize),
            web.post("/token", served.token),
            web.get("/me", served.me),
        ]
    )
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield served
    finally:
        await runner.cleanup()


def parameters(address: str) -> Mapping[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
