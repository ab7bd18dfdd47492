"""Calling a company's own HTTP service from a flow, without code.

The service's place, headers, secrets and patience come from ``[[flows.services]]``; the flow gives method, path, JSON
body and what to take out of the answer. Nothing a caller says can change the host, add a header or leave the base path.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog
from yarl import URL

from ivr.actions import http_answer as answer
from ivr.actions.registry import ActionSet, Invocation
from ivr.config import HttpService
from ivr.dialogue.flows.signature import FAILED, NOT_VERIFIED, TIMEOUT, ActionSignature, Parameter
from ivr.dialogue.flows.uri_template import EmptyPart, expanded, part
from ivr.errors import ActionError, ConfigError, UnavailableError
from ivr.events import ActionResult, Term
from ivr.identity import Identity, IdentityLevel
from ivr.ports import ActionCall, HttpAnswered
from ivr.trace_context import Sampling

NAME = "http.call"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
LARGEST_ANSWER = 256 * 1024
LARGEST_VOCABULARY = 8 * 1024 * 1024
FIRST_PAUSE_S = 0.1
VOCABULARY_TIMES = 5  # nobody waits for one: it may take so many times what an answer may

_PATH = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*")

log = structlog.get_logger(__name__)


SIGNATURES = (
    ActionSignature(
        name=NAME,
        parameters=(
            Parameter("service", "text"),
            Parameter("method", "choice", required=False),
            Parameter("path", "text", required=False),
            Parameter("body", "object", required=False),
            Parameter("query", "object", required=False),
            Parameter("returns", "object", required=False),
            Parameter("refused", "object", required=False),
            Parameter("outcomes", "object", required=False),
            Parameter("facts", "object", required=False),
            Parameter("vocabularies", "object", required=False),
            Parameter("types", "object", required=False),
        ),
        outcomes=("ok", "refused"),
        risk="reversible",
        needs=IdentityLevel.UNKNOWN,  # the flow's ``needs`` and the service's say more
        about="Call the company's own service. {names} in path are filled from body and facts; returns: name -> "
        "place in the JSON answer; refused: the statuses that mean no (every 4xx when none are named).",
    ),
)


class AnswerTooLarge(ActionError):
    """The service sent more than LARGEST_ANSWER bytes."""


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A request as it was sent, and what was answered; status 0: nothing, in time."""

    service: str
    method: str
    url: URL
    body: bytes | None
    status: int
    content: bytes


class HttpActions:
    """One client session for all services; ``aclose`` it.

    ``own``: the URL of this line's own HTTP server, for services whose url is a path; ``own_token`` opens it.
    ``observe`` is told, by the call's id, how each call of a service went; ``sampling``: which of these are traced.
    ``heard`` gets every exchange whole, for a recording of it."""

    def __init__(
        self,
        services: Sequence[HttpService],
        own: str = "",
        own_token: str = "",
        *,
        observe: Callable[[str, HttpAnswered], None] = lambda call_id, answered: None,
        sampling: Sampling = Sampling(),  # noqa: B008 - frozen
        heard: Callable[[Exchanged], None] = lambda exchanged: None,
    ) -> None:
        self._observe, self._sampling, self._heard = observe, sampling, heard
        self.apply(services)
        self._own, self._own_token = own, own_token
        self._session: aiohttp.ClientSession | None = None

    def apply(self, services: Sequence[HttpService]) -> None:
        """These services, from the next call of one on."""
        self._services = {service.name: service for service in services}

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def actions(self) -> ActionSet:
        return ActionSet(SIGNATURES, {NAME: self.call})

    async def call(self, invocation: Invocation) -> ActionResult:
        """ok: 2xx with everything that ``returns`` names. refused: the service said no. timeout, failed: it did not
        answer in time, or not sensibly. Raises ActionError for what a designer or operator must mend."""
        service = self._service(invocation["service"])
        if Identity.of(invocation.call.facts).level < IdentityLevel.of_word(service.needs):
            log.warning("http.refused", service=service.name, needs=service.needs)
            return ActionResult(NOT_VERIFIED)
        method = str(invocation.get("method", "POST")).upper()
        if method not in METHODS:
            raise ActionError(f"http.call: method must be one of {', '.join(METHODS)}", remedy="mend the flow's http")
        body: Mapping[str, Any] = invocation.get("body", {})
        base = service.url if URL(service.url).absolute else self._own + service.url
        url = _url(base, invocation.get("path", ""), {**invocation.call.facts, **body})
        query = _query(invocation.get("query", {}))
        request = _Request(
            method,
            url.update_query(query) if query else url,
            self._headers(service, invocation.call),
            None if method in ("GET", "DELETE") and not body else json.dumps(body, default=str).encode(),
        )
        began, status, content = time.monotonic(), 0, b""
        try:
            async with asyncio.timeout(service.timeout_s):
                status, content = await self._answer(service, request)
            payload = _decoded(status, content)
        except TimeoutError:
            log.warning("http.timeout", service=service.name, method=method)
            return ActionResult(TIMEOUT)
        except (aiohttp.ClientError, AnswerTooLarge, ValueError) as error:
            log.warning("http.failed", service=service.name, method=method, error=type(error).__name__)
            return ActionResult(FAILED)
        finally:
            answered = HttpAnswered(service.name, method, status, time.monotonic() - began, _span(invocation.call))
            self._observe(invocation.call.call_id, answered)
            self._heard(Exchanged(service.name, method, request.url, request.body, status, content))
        return result_of(invocation, service.name, status, payload)

    async def vocabulary(
        self, service_name: str, path: str, query: Mapping[str, str], places: Mapping[str, str], key: str
    ) -> tuple[Term, ...]:
        """What a service has callers say, at ``places`` of its answer. ``key``: of this one request. Raises
        UnavailableError, and ActionError for what a designer or operator must mend."""
        service = self._service(service_name)
        base = service.url if URL(service.url).absolute else self._own + service.url
        headers = self._headers(service, ActionCall(NAME, {}, key, "", {}))
        url = _url(base, path, {})
        request = _Request("GET", url.update_query(query) if query else url, headers, None)
        try:
            async with asyncio.timeout(VOCABULARY_TIMES * service.timeout_s):
                status, content = await self._answer(service, request, LARGEST_VOCABULARY)
            self._heard(Exchanged(service.name, request.method, request.url, None, status, content))
            if not 200 <= status < 300:
                raise UnavailableError(f"the service {service.name} answered {status}")
            return await asyncio.to_thread(lambda: answer.terms(_decoded(status, content), places))
        except (TimeoutError, aiohttp.ClientError, AnswerTooLarge, ValueError) as error:
            why = str(error) or type(error).__name__
            raise UnavailableError(f"the service {service.name} has no such vocabulary: {why}") from error

    def _headers(self, service: HttpService, call: ActionCall) -> dict[str, str]:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self._own_token and not URL(service.url).absolute:
            headers["Authorization"] = f"Bearer {self._own_token}"
        try:
            headers |= service.filled_headers()
        except ConfigError as error:
            raise ActionError(f"http.call: service {service.name}: {error}") from error
        if traceparent := self._sampling.traceparent(call.call_id, _span(call)):
            headers["traceparent"] = traceparent
        return headers | {"Idempotency-Key": call.key, "X-IVR-Call-ID": call.call_id}

    def _service(self, name: str) -> HttpService:
        if name not in self._services:
            raise ActionError(f"http.call: no service is called {name}", remedy="add it as [[flows.services]]")
        return self._services[name]

    async def _answer(
        self, service: HttpService, request: _Request, largest: int = LARGEST_ANSWER
    ) -> tuple[int, bytes]:
        """Tries again after connection faults and transient statuses: safe, since every request carries its key."""
        pause = FIRST_PAUSE_S
        for left in range(service.retries, -1, -1):
            try:
                status, content = await self._once(request, largest)
                if status not in answer.TRANSIENT or not left:
                    return status, content
            except aiohttp.ClientConnectionError:
                if not left:
                    raise
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause *= 2
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, request: _Request, largest: int) -> tuple[int, bytes]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=None), auto_decompress=True
            )
        async with self._session.request(
            request.method, request.url, data=request.body, headers=request.headers, allow_redirects=False
        ) as response:
            content = bytearray()
            async for piece in response.content.iter_any():
                content += piece
                if len(content) > largest:
                    raise AnswerTooLarge("the service's answer is too large")
            return response.status, bytes(content)


def result_of(invocation: Invocation, service: str, status: int, payload: Any) -> ActionResult:
    """What an answer of a service means."""
    if not 200 <= status < 300:
        values = answer.values_of(payload, invocation.get("returns", {}))
        outcome = answer.refusal(status, invocation.get("outcomes"), invocation.get("refused", ()))
        if outcome == FAILED:
            log.warning("http.failed", service=service, status=status)
        return ActionResult(outcome, values)
    try:
        return answer.read(payload, invocation)
    except answer.Incomplete as error:
        log.warning("http.incomplete", service=service, status=status, missing=error.missing)
        return ActionResult(FAILED, error.values)


def _span(call: ActionCall) -> str:
    return f"http {call.key}"


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes | None


def _query(values: Mapping[str, Any]) -> dict[str, str]:
    """Raises ActionError for a value that isn't there: a query without it would be about everything."""
    try:
        return {str(name): part(str(name), value) for name, value in values.items()}
    except EmptyPart as error:
        raise ActionError(f"http.call: {error} in the query", remedy="fill it before the flow comes here") from error


def _url(base: str, path: str, values: Mapping[str, Any]) -> URL:
    """The service's URL with ``path`` below it. Raises ActionError for a path that would lead elsewhere."""
    try:
        filled = expanded(path, values.get)
    except EmptyPart as error:
        raise ActionError(f"http.call: {error} in the path", remedy="fill it before the flow comes here") from error
    if filled and not filled.startswith("/"):
        filled = f"/{filled}"
    outside = any(part in (".", "..") for part in filled.lower().replace("%2e", ".").split("/"))
    if filled and (not _PATH.fullmatch(filled) or outside or "//" in filled):
        raise ActionError("http.call: not a path below the service's URL", remedy="mend the path in the flow's http")
    return URL(base.rstrip("/") + filled, encoded=True)


def _decoded(status: int, content: bytes) -> Any:
    """The JSON answer; None when empty. Only a success has to be JSON: errors often are pages for people."""
    if not content.strip():
        return None
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        if 200 <= status < 300:
            raise ValueError("the service's answer is not JSON") from None
        return None
