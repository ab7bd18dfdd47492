"""What scanners, broken programs and attackers send to every route: refused, with no traceback in answer or log."""

from __future__ import annotations

import asyncio
import gzip
import logging
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio
import structlog
from structlog.testing import CapturingLoggerFactory
from yarl import URL

from ivr.accounts.authentication import Authentication
from ivr.limits.throttle import Budgets
from ivr.store import Store
from ivr.web import api, live, pages
from tests.web.fakes import resources, serving
from tests.web.people import EVERYTHING, PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOMES = ["/desk", "/board", "/calls"]

TOKEN = b"hunter2"
BEARER = b"Authorization: Bearer hunter2\r\n"
ROUTES = [
    (route.method, route.path)
    for route in (
        *api.ROUTES,
        *pages.ROUTES,
        *resources(),
        aiohttp.web.get("/events", live.stream),
        aiohttp.web.get("/nowhere", live.stream),
    )
]
HTML = b"Accept: text/html\r\n"
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"


def part(*lines: bytes) -> bytes:
    """A multipart body of one part: its header lines and ``a``."""
    return b"\r\n".join((b"--x", *lines, b"", b"a", b"--x--", b""))


NAMED = b'Content-Disposition: form-data; name="csrf"'
MULTIPART = b"Content-Type: multipart/form-data; boundary=x\r\n"
JSON = b"Content-Type: application/json\r\n"
DEEP = b"[" * 30000
HEADERS = {
    "a token that is no text": b"Authorization: Bearer \xff\xfe\r\n",
    "a token of surrogates": b"Authorization: Bearer \xed\xa0\x80\r\n",
    "a kind that is no text": b"Authorization: \xff \xff\r\n",
    "basic rubbish": b"Authorization: Basic \xff\xff:::\r\n",
    "no token": b"Authorization: Bearer\r\n",
    "a cookie of rubbish": b'Cookie: ivr_session=\xff\xfe; =;;; "\\\r\n',
    "a host that is none": b"Host: [\r\n",
    "a host of bytes": b"Host: \xff\xfe\r\n",
    "an origin that is none": b"Host: h\r\nOrigin: http://[\r\n",
    "accepts bytes": b"Accept: text/html;q=\xff, \xed\xa0\x80\r\n",
    "a range of nothing": b"Range: bytes=z-\xff\r\nIf-Range: \xff\r\nIf-Modified-Since: \xff\r\n",
    "a csrf of bytes": b"X-CSRF-Token: \xff\r\n",
    "forwarded rubbish": b"X-Forwarded-Proto: \xff\r\nX-Forwarded-For: \xff\r\n",
    "half a web socket": b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: \xff\r\nOrigin: null\r\n",
    "an old web socket": b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 99\r\n",
    "expects the impossible": b"Expect: \xff\r\n",
}
# What is only looked at, and is posted to: to everybody, to who may enter, and where nothing is.
NOT_POSTED_TO = [("POST", "/healthz"), ("POST", "/calls"), ("POST", "/api/calls"), ("POST", "/nowhere")]
BODIES = {
    "unknown charset": (b"Content-Type: application/x-www-form-urlencoded; charset=klingon\r\n", b"a=b"),
    "a charset with NUL": (b'Content-Type: application/json; charset="a\\\x80b"\r\n', b"{}"),
    "a charset that is no text's": (b"Content-Type: application/json; charset=hex\r\n", b"{}"),
    "utf-16 that is none": (b"Content-Type: application/x-www-form-urlencoded; charset=utf-16\r\n", b"a"),
    "bytes for a form": (FORM, b"\xff=\xfe&\xed\xa0\x80=%ED%A0%80&%00=%ff"),
    "bytes for JSON": (JSON, b"\xff\xfe\x00"),
    "a form with NUL": (FORM, b"csrf=%00&name=%00&password=%00&version=%00&next=%00"),
    "multipart without a boundary": (b"Content-Type: multipart/form-data\r\n", b"--x\r\n\r\n"),
    "multipart that ends at once": (MULTIPART, b"--x"),
    "multipart without a name": (MULTIPART, b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n"),
    "multipart of something else": (MULTIPART, b"nothing at all"),
    "multipart with bad headers": (MULTIPART, b"--x\r\n: \xff\r\n\xff\r\n\r\na\r\n--x--\r\n"),
    "multipart of an unknown encoding": (MULTIPART, part(NAMED, b"Content-Transfer-Encoding: base65")),
    "multipart in an unknown charset": (MULTIPART, part(NAMED, b"Content-Type: text/plain; charset=klingon")),
    "multipart of base64 that is none": (MULTIPART, part(NAMED, b"Content-Transfer-Encoding: base64")),
    "multipart in multipart": (
        MULTIPART,
        b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\na\r\n--y--\r\n--x--\r\n",
    ),
    "a boundary too long": (b"Content-Type: multipart/form-data; boundary=" + b"x" * 300 + b"\r\n", b"--x"),
    "a type that is none": (b"Content-Type: \xff/\xff;;;=\r\n", b"{}"),
    "gzip that is none": (JSON + b"Content-Encoding: gzip\r\n", b"not gzip"),
    "packed well": (JSON + b"Content-Encoding: gzip\r\n", gzip.compress(b"{}")),
    "deflated rubbish": (FORM + b"Content-Encoding: deflate\r\n", b"\xff" * 40),
    "brotli that is none": (FORM + b"Content-Encoding: br\r\n", b"\xff" * 40),
    "packed twice": (JSON + b"Content-Encoding: gzip, gzip\r\n", gzip.compress(b"{}")),
    "an unknown encoding": (JSON + b"Content-Encoding: klingon\r\n", b"{}"),
    "deep lists": (JSON, DEEP),
    "deep objects": (JSON, b'{"version":' * 5000 + b"1" + b"}" * 5000),
    "half of a pair": (JSON, b'{"version": "\\ud800"}'),
    "half of a pair as a name": (JSON, b'{"\\udfff": "v1"}'),
    "half of a pair, encoded": (JSON, b'{"version": "\xed\xa0\x80"}'),
    "NUL in JSON": (JSON, b'{"version": "v\\u0000"}'),
    "a huge number": (JSON, b'{"version": ' + b"9" * 9000 + b"}"),
    "a huge exponent": (JSON, b'{"version": 1e999999}'),
    "not a number": (JSON, b'{"version": NaN}'),
    "an unknown number beside": (JSON, b'{"version": "v1", "more": -Infinity}'),
    **{
        f"version {wrong.decode()}": (JSON, b'{"version": ' + wrong + b"}")
        for wrong in (b"1", b"true", b"null", b"[]", b'["v1"]', b"{}", b'{"a": 1}')
    },
    **{f"JSON {wrong.decode()}": (JSON, wrong) for wrong in (b"[]", b"null", b'"v1"', b"1", b"{", b"{}{}", b"")},
}
QUERIES = (
    *(
        f"?limit={v}"
        for v in ("²", "٣x", "9" * 5000, "-1", "0", "1e3", "NaN", "", "%00", "%ff", "%ed%a0%80", "1&limit=x")
    ),
    *(f"?live={v}" for v in ("%00", "%ff", "1", "TRUE", "%f0%9f")),
    "?next=%ed%a0%80%00",
    "?%00=%00&&&===",
    "?" + "a=b&" * 2000,
)
TAILS = ("%00", "%ff", "%ed%a0%80", "a%00b", "%f0%9f%98%80", "..%2f..%2fetc", "a" * 6000, "%", "%zz", "\udcff", "'")


class Asked:
    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body


async def ask(base: str, head: bytes, body: bytes = b"") -> Asked:
    """One request as bytes; what came back, with status 0 where the connection was just closed."""
    place = urlsplit(base)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    length = b"" if b"Transfer-Encoding" in head else b"Content-Length: %d\r\n" % len(body)
    writer.write(head + length + b"Connection: close\r\n\r\n" + body)
    try:
        async with asyncio.timeout(30):
            first = await reader.readline()
            streaming = False
            while (line := await reader.readline()) not in (b"\r\n", b""):
                streaming |= b"text/event-stream" in line
            rest = b"" if streaming else await reader.read()
    except ConnectionError:
        return Asked(0, b"")
    finally:
        writer.close()
    return Asked(int(first.split()[1]) if first else 0, rest)


@pytest.fixture
def written(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """Every line of the log that tells of a failure of ours."""
    factory = CapturingLoggerFactory()
    structlog.configure(processors=[structlog.processors.format_exc_info], logger_factory=factory)
    lines: list[str] = []
    caplog.set_level(logging.INFO)
    yield lines
    structlog.reset_defaults()
    lines += [str(call) for call in factory.logger.calls]
    lines += [record.getMessage() + (" Traceback" if record.exc_info else "") for record in caplog.get_records("call")]
    failures = [line for line in lines if "Traceback" in line or "http.failed" in line or "exc_info" in line]
    assert not failures, failures[:5]


@dataclass(frozen=True, slots=True)
class Asker:
    """``heads``: the ways in which programs and browsers ask the server at ``base``, each another path through it; the
    first is that of a program which may."""

    base: str
    heads: tuple[bytes, ...]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["hunter2", ""], ids=["token", "open"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Asker]:
    """Guarded by a token; or open to this machine, where a token says nothing."""
    heads = (BEARER, b"", HTML + BEARER) if request.param else (b"", HTML)
    generous = Budgets(1e6, 1e6, time.monotonic)  # whoever asks so much is made to wait a second each time
    async with serving(token=request.param, people=EVERYTHING if request.param else None, budgets=generous) as (
        base,
        _,
    ):
        yield Asker(base, heads)


@pytest.fixture
def asker(server: Asker, written: list[str]) -> Asker:
    return server


@pytest.fixture
def base(asker: Asker) -> str:
    return asker.base


def line(method: str, path: str, tail: str = "") -> bytes:
    for name in ("{call_id}", "{flow}", "{token}", "{number}", "{name}", "{change}"):
        path = path.replace(name, tail or "main")
    return f"{method if method != '*' else 'GET'} {path} HTTP/1.1\r\n".encode(errors="surrogateescape")


def refused_plainly(answer: Asked) -> None:
    assert answer.status < 500 or (answer.status == 503 and b"store" in answer.body), answer.body[:300]
    assert b"Traceback" not in answer.body and b'File "' not in answer.body


@pytest.mark.parametrize("kind", HEADERS)
async def test_headers_of_rubbish(asker: Asker, kind: str) -> None:
    for method, path in ROUTES:
        host = b"" if b"Host:" in HEADERS[kind] else b"Host: 127.0.0.1\r\n"
        for more in (head for head in asker.heads if HTML not in head):
            refused_plainly(await ask(asker.base, line(method, path) + host + HEADERS[kind] + more))


@pytest.mark.parametrize("kind", BODIES)
async def test_bodies_of_rubbish(asker: Asker, kind: str) -> None:
    head, body = BODIES[kind]
    for method, path in (*ROUTES, *NOT_POSTED_TO):
        for more in asker.heads:
            answer = await ask(asker.base, line(method, path) + b"Host: 127.0.0.1\r\n" + head + more, body)
            refused_plainly(answer)
            if path == "/api/flows/rollback" and more == asker.heads[0]:
                assert answer.status in (400, 403, 415, 503), (kind, answer.body)


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
async def test_queries_of_rubbish(base: str, query: str) -> None:
    for method, path in ROUTES:
        for more in (b"", HTML):
            refused_plainly(await ask(base, line(method, path + query) + b"Host: 127.0.0.1\r\n" + BEARER + more))


@pytest.mark.parametrize("tail", TAILS, ids=range(len(TAILS)))
async def test_addresses_of_rubbish(asker: Asker, tail: str) -> None:
    for method, path in (*ROUTES, ("GET", "/{flow}"), ("GET", "/static/{flow}"), ("GET", "//{flow}")):
        for more in dict.fromkeys((*asker.heads, HTML)):
            answer = await ask(asker.base, line(method, path, tail) + b"Host: 127.0.0.1\r\n" + more)
            refused_plainly(answer)
            if answer.status == 404 and b"Accept" in more and not path.startswith("/api/"):
                assert answer.body.lower().startswith(b"<!doctype html>"), (path, answer.body)


async def test_what_is_no_http(base: str) -> None:
    for raw in (
        b"\x16\x03\x01\x02\x00\x01\x00\xfc\x03\x03",
        b"\x00" * 100,
        b"GET / HTTP/9.9\r\n",
        b"GET  HTTP/1.1\r\n",
        b"\xff\xff / HTTP/1.1\r\n",
        b"GET http://[::1/ HTTP/1.1\r\nHost: h\r\n",
        b"GET * HTTP/1.1\r\nHost: h\r\n",
        b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n",
        b"GET / HTTP/1.1\r\nHost h\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n folded\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n",
        b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 20000 + b"\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 3000,
        b"POST /login HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n",
        b"POST /login HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n",
        b"POST /login HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n" + FORM + b"\r\nzz\r\n",
        b"POST /login HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n" + FORM + b"\r\n5\r\nab",
    ):
        refused_plainly(await ask(base, raw + b"\r\n"))


async def test_a_body_that_goes_wrong_on_the_way(base: str) -> None:
    """After its head was taken, and perhaps answered."""
    place = urlsplit(base)
    for begun, then in (
        (b"", b"zz\r\n"),
        (b"5\r\na", b"bcdefg\r\n\xff"),
        (b"1\r\na\r\n", b"-1\r\n\r\n"),
        (b"5\r\nab", b""),
    ):
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        head = b"POST /login HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n" + FORM
        writer.write(head + b"\r\n")
        assert (await reader.readline()).split()[1] == b"100"
        await reader.readline()
        writer.write(begun + then)
        writer.write_eof()
        async with asyncio.timeout(30):
            answer = await reader.read()
        assert not answer or int(answer.split()[1]) in (400, 401), answer
        writer.close()


async def test_too_much_is_413(base: str) -> None:
    for path, kind in ((b"/login", FORM), (b"/flows/rollback", FORM), (b"/api/flows/rollback", JSON)):
        head = b"POST " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nX-CSRF-Token: x\r\n" + kind + BEARER
        answer = await ask(base, head, b"password=" + b"a" * 70_000)
        assert answer.status == 413 or (answer.status == 403 and path != b"/login"), "only who has no right to ask"


@dataclass(slots=True)
class Entrance:
    """A server to log in at, on another day each time: guesses of the day before are forgotten."""

    base: str = ""
    day: int = 0

    def next_day(self) -> str:
        self.day += 1
        return self.base

    def clock(self) -> float:
        return self.day * 86_400.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=self.day)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def entrance() -> AsyncIterator[Entrance]:
    found = Entrance()
    store = Store("sqlite+aiosqlite://", now=found.now)
    await store.upgrade()
    authentication = Authentication(store.accounts, store.tokens, now=found.now, clock=found.clock)
    async with serving(token="hunter2", people=EVERYTHING, authentication=authentication) as (found.base, _):
        yield found
    await store.close()


@pytest.mark.parametrize(
    "onwards",
    [
        "/%09/evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r/evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\\/evil.example",
        "https:evil.example",
        "https://evil.example",
        "HtTp:/evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "/calls/..//evil.example",
        "/..//evil.example",
        "/.//evil.example",
        "/calls/%2e%2e//evil.example",
        "/calls//evil.example",
        "/%2f/evil.example",
        "/%5cevil.example",
        "/%2509/evil.example",
        " //evil.example",
        "\t//evil.example",
        "/\x00/evil.example",
        "/\u2028/evil.example",
        "/calls\\..\\..\\evil",
        "/calls\t/x",
        "/calls@evil.example",
        ".evil.example",
        "@evil.example",
        "/callsevil",
        "/calls/.",
        "/calls/..",
        "/calls/a/../..//evil",
        "/login?next=//evil",
        "/logout",
        "/static/x",
        "/api/calls",
        "//127.0.0.1@evil.example",
        "/\ufeff/evil",
        "／／evil.example",
        "/／evil.example",
        "",
    ],
)
async def test_a_log_in_leads_to_our_own_pages_only(entrance: Entrance, onwards: str) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    base = entrance.next_day()
    async with aiohttp.ClientSession(cookie_jar=jar) as browser:
        async with browser.post(f"{base}/login", data={"name": "rosa", "password": "wrong", "next": onwards}) as answer:
            assert "\x00" in onwards or 'name="next" value=""' in await answer.text()
        form = {"name": "rosa", "password": PASSWORD, "next": onwards}
        async with browser.post(f"{base}/login", data=form, allow_redirects=False) as answer:
            assert answer.headers.get("Location", "") in (HOMES if "\x00" not in onwards else [""])
        async with browser.get(f"{base}/login", params={"next": onwards}, allow_redirects=False) as answer:
            assert answer.headers.get("Location", "/calls") in HOMES


@pytest.mark.parametrize(
    "onwards", ["/calls", "/flows/main", "/calls/a%40b", "/calls?q=503+555&from=2026-03-01T10%3A00"]
)
async def test_a_log_in_leads_where_one_wanted_to_go(entrance: Entrance, onwards: str) -> None:
    base = entrance.next_day()
    async with aiohttp.ClientSession() as session:
        form = {"name": "rosa", "password": PASSWORD, "next": onwards}
        async with session.post(f"{base}/login", data=form, allow_redirects=False) as answer:
            assert URL(answer.headers["Location"]) == URL(onwards)


JUNK = (
    "", "[", "[1", "null", "1", "{}", "[]", "NaN", '{"line": 1}', '{"line": null}', '{"call": 1}', '{"call": []}',
    '{"call": {"caller": NaN}}', '{"line": "\\ud800"}', '{"call": {"caller": "\\udc00"}}', '{"line": "\\u0000"}',
    '{"call": {"caller": {"a": 1}}}', '{"call": {"language": [1]}}', '{"call": {"caller": 5035550101}}',
    "[" * 2000, '{"a":' * 600 + "1" + "}" * 600, '{"line": ' + "9" * 3000 + "}", '{"line": "/time \\u200b"}',
)  # fmt: skip


async def test_junk_over_the_simulators_web_socket(base: str) -> None:
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer hunter2"}) as session:
        address = f"{base}/flows/main/simulator"
        async with session.ws_connect(address) as ws:
            for junk in JUNK:
                await ws.send_str(junk)
                assert "error" in await ws.receive_json(timeout=30), junk
        for kind, frame in (
            (aiohttp.WSMsgType.BINARY, b"\xff\x00"),
            (aiohttp.WSMsgType.TEXT, b"a" * 5000),
            (aiohttp.WSMsgType.TEXT, b"\xff\xfe"),
            (aiohttp.WSMsgType.PING, b"a" * 200),
            (aiohttp.WSMsgType.CONTINUATION, b"x"),
            (aiohttp.WSMsgType.CLOSE, b"\x03"),
        ):
            async with session.ws_connect(address, autoclose=False) as ws:
                await ws._writer.send_frame(frame, kind)
                assert (await ws.receive(timeout=30)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


@pytest.mark.parametrize(
    "shown", [b"Bearer \xff", b"Bearer \xed\xa0\x80", b"Bearer hunter2\xff", b"\xff hunter2", b"Bearer"]
)
async def test_a_token_that_is_no_text_is_just_wrong(shown: bytes) -> None:
    async with serving(token="hunter2") as (base, _):
        for path in ("/api/calls", "/api/flows", "/calls", "/events"):
            answer = await ask(base, line("GET", path) + b"Host: h\r\nAuthorization: " + shown + b"\r\n")
            assert answer.status == 401
