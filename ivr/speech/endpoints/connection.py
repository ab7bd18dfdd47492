"""An HTTP connection to an endpoint: one base URL with its key, answers of bounded size, failures told in words.

Neither the key nor what a caller said, nor what the endpoint says of either, is ever part of a failure's text.
"""

from __future__ import annotations

from typing import Any, Protocol

import aiohttp

from ivr.config import Secret
from ivr.errors import ConfigError
from ivr.speech.endpoints.failure import EndpointFailed

_WAIT_S = 30.0  # that an endpoint which says "later" is left alone for, where it doesn't say how long
_LONGEST_WAIT_S = 3600.0


class AskedConfig(Protocol):
    """What is configured of every endpoint."""

    @property
    def url(self) -> str: ...
    @property
    def api_key(self) -> Secret: ...


def authorization(key: Secret) -> dict[str, str]:
    """Headers that show the key; none where none is configured. Raises EndpointFailed when it isn't there any more."""
    try:
        shown = key.reveal()
    except ConfigError as error:
        raise EndpointFailed(str(error), refused=True) from error
    if not (shown.isascii() and shown.isprintable()):
        raise EndpointFailed("the key holds what no header can carry", refused=True, remedy="mend what api_key names")
    return {"Authorization": f"Bearer {shown}"} if shown else {}


def session() -> aiohttp.ClientSession:
    """One that sends nothing anywhere but where it is configured to go: no cookies, no redirects followed."""
    straight = aiohttp.TraceConfig()
    straight.on_request_redirect.append(_redirected)
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=None), trace_configs=[straight]
    )


async def _redirected(_: object, __: object, redirected: aiohttp.TraceRequestRedirectParams) -> None:
    check_status(redirected.response.status)


def check_status(status: int, retry_after: str = "") -> None:
    """Raises EndpointFailed for anything but a success (2xx, or 101)."""
    if status == 101 or 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise EndpointFailed(f"it redirects ({status})", refused=True, remedy="set url to the address it leads to")
    if status in (401, 403):
        raise EndpointFailed(f"it refuses the key ({status})", refused=True, remedy="check api_key")
    if status == 429:
        asked = float(retry_after) if retry_after.isdecimal() and retry_after.isascii() else _WAIT_S
        raise EndpointFailed("it was asked too often (429)", wait_s=min(asked, _LONGEST_WAIT_S))
    if status == 404:
        raise EndpointFailed("it has no such path or model (404)", refused=True, remedy="check url and model")
    if 400 <= status < 500 and status != 408:
        raise EndpointFailed(f"it refuses the request ({status})", refused=True, remedy="check model; see its log")
    raise EndpointFailed(f"it fails ({status})", remedy="see its log")


def unasked(error: Exception) -> EndpointFailed:
    """The failure that an exception of the connection means."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            remedy = "name its authority's certificate in SSL_CERT_FILE and start again, or have it one that is trusted"
            return EndpointFailed("its certificate is not trusted", refused=True, remedy=remedy)
        case aiohttp.ClientSSLError():
            return EndpointFailed("it speaks no TLS there", refused=True, remedy="check url: is it http: or ws:?")
        case aiohttp.ClientConnectorDNSError():
            return EndpointFailed("its host is not known", remedy="check url, and the DNS")
        case aiohttp.ClientConnectorError() if error.strerror:
            return EndpointFailed(f"it can't be reached ({error.strerror})", remedy="is it running?")
        case aiohttp.ClientPayloadError() | aiohttp.ServerDisconnectedError() | OSError():
            return EndpointFailed("it broke off", remedy="see its log; is url rightly http: or https:?")
    return EndpointFailed(f"it can't be asked ({type(error).__name__})", remedy="is it running? check url")


class HttpConnection:
    """One endpoint's. ``largest``: bytes of an answer. ``aclose`` it."""

    def __init__(self, config: AskedConfig, largest: int) -> None:
        self._base = config.url.rstrip("/")
        self._key = config.api_key
        self._largest = largest
        self._session: aiohttp.ClientSession | None = None

    async def post(self, path: str, body: aiohttp.FormData | dict[str, Any]) -> bytes:
        """The answer to a form, or to JSON. Raises EndpointFailed."""
        if self._session is None:
            self._session = session()
        form = {"json": body} if isinstance(body, dict) else {"data": body}
        try:
            async with self._session.post(f"{self._base}{path}", headers=authorization(self._key), **form) as response:
                check_status(response.status, response.headers.get("Retry-After", ""))
                content = bytearray()
                async for piece in response.content.iter_any():
                    content += piece
                    if len(content) > self._largest:
                        raise EndpointFailed("its answer is too large", remedy="check url")
                return bytes(content)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise unasked(error) from error

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
