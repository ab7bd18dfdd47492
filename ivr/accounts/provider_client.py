"""HTTP client of an identity provider: JSON objects, within bounds; who is away is left alone for a while."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import structlog

from ivr.errors import IvrError, UnavailableError

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

AWAY_S = 15.0  # so long a provider that did not answer is not asked again
TIMEOUT_S = 5.0
MOST_BYTES = 256 * 1024


class OidcRefused(IvrError):
    """Why, for the log; whoever logs in only hears that it did not work."""


class ProviderClient:
    """``clock``: monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._http: aiohttp.ClientSession | None = None
        self._away_until = float("-inf")

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    def forgive(self) -> None:
        """It is another one: that the one before was away counts no more."""
        self._away_until = float("-inf")

    async def told(self, method: str, url: str, **more: Any) -> Mapping[str, Any]:
        """A JSON object. Nobody waits long for a provider that is away, and the next ones not at all. Raises
        UnavailableError, OidcRefused."""
        if self._clock() < self._away_until:
            raise UnavailableError("the identity provider did not answer a moment ago")
        if self._http is None:
            self._http = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(TIMEOUT_S), cookie_jar=aiohttp.DummyCookieJar()
            )
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                self._http.request(method, url, allow_redirects=False, **more) as got,
            ):
                body = await got.content.read(MOST_BYTES + 1)
                while len(body) <= MOST_BYTES and (piece := await got.content.read(MOST_BYTES)):
                    body += piece
                status = got.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._away(url, type(error).__name__)
            raise UnavailableError("the identity provider does not answer") from error
        if status >= 500:
            self._away(url, str(status))
            raise UnavailableError("the identity provider does not answer")
        try:
            told = json.loads(body) if len(body) <= MOST_BYTES else None
        except (ValueError, RecursionError):
            told = None
        if status != 200 or not isinstance(told, dict):
            why = str(told.get("error", ""))[:60] if isinstance(told, dict) else "no JSON object"
            raise OidcRefused(f"{urlsplit(url).path} answers {status} {why}".rstrip())
        return told

    def _away(self, url: str, why: str) -> None:
        self._away_until = self._clock() + AWAY_S
        log.warning("oidc.unavailable", host=urlsplit(url).hostname, path=urlsplit(url).path, error=why)
