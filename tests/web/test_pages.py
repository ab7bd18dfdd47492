"""The pages as a browser's parser reads them: nothing that somebody said becomes markup, and errors are pages too."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import aiohttp
import pytest
from yarl import URL

from ivr.web.formats import browser, duration, label, measure, moment, phone, told, value
from tests.web.fakes import FakeCalls, FakeFlows, serving

BROWSER = {"Accept": "text/html"}
SAID = "</p>\"'><script>alert(1)</script><img src=x onerror=alert(2)>&amp;"
CALL_ID = SAID.replace("/", "")
FINDING = {
    "file": SAID,
    "line": 3,
    "column": 4,
    "code": SAID,
    "why": SAID,
    "text": SAID,
    "path": [SAID],
    "remedy": SAID,
}
CALL: dict[str, Any] = {
    "call_id": CALL_ID,
    "caller": SAID,
    "called": SAID,
    "live": False,
    "state": f"main.{SAID}",
    "flow_version": SAID,
    "language": SAID,
    "started_at": SAID,
    "ended_at": SAID,
    "outcome": SAID,
    "facts": {SAID: SAID, "call.id": "hidden"},
    "slots": {SAID: [SAID]},
    "canonical": {SAID: SAID, "seconds": 61.4},
    "handoff": {"reason": SAID, "skill": SAID, "priority": 5, "tried": [SAID]},
    "entries": [
        {"kind": "heard", "text": SAID, "intent": SAID, "at": SAID},
        {"kind": "prompt", "text": SAID},
        {"kind": "key", "key": SAID},
        {"kind": "action", "action": SAID, "outcome": SAID},
        {"kind": "handoff", "reason": SAID, "destination": SAID},
        {"kind": "state", "to_state": SAID},
        {"kind": "error", "part": SAID, "detail": SAID},
        {"kind": SAID, "text": "nobody knows this kind"},
    ],
}
CONTEXT = {
    **dict.fromkeys(("call_id", "reason", "skill", "language", "flow", "state"), SAID),
    "priority": 9,
    "caller": {"number": SAID},
    "facts": {SAID: SAID},
    "transcript": CALL["entries"],
    "tried": [SAID],
}


class Document(HTMLParser):
    """What a browser would make of a page: its elements with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: shown or "" for name, shown in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def attributes(self, name: str) -> list[str]:
        return [found[name] for _, found in self.elements if name in found]

    def tags(self) -> list[str]:
        return [tag for tag, _ in self.elements]


async def opened(url: str | URL, session: aiohttp.ClientSession, status: int = 200) -> Document:
    async with session.get(url, headers=BROWSER) as answer:
        assert answer.status == status
        assert answer.content_type == "text/html"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        text = await answer.text()
    assert text.lower().startswith("<!doctype html>")
    page = Document(text)
    assert page.tags().count("h1") == 1 and page.tags().count("main") == 1
    assert page.attributes("href")[1:] and page.attributes("lang") == ["en"]
    for tag, found in page.elements:
        assert not [name for name in found if name.startswith("on")], "a handler in the markup"
        assert tag != "script" or found["src"].startswith("/static/"), "a script of somebody else"
        assert tag != "img"
    return page


async def test_what_people_say_is_text_on_every_page() -> None:
    flows = FakeFlows(about=SAID, findings=[FINDING], by=SAID)
    live = {**CALL, "call_id": "live", "live": True}
    async with serving(calls=FakeCalls(CALL, live), flows=flows, context=CONTEXT) as (base, session):
        page = await opened(f"{base}/calls", session)
        assert page.text.count(SAID) == 11, "five cells of a live call, five of a past one, its outcome in the totals"
        assert page.attributes("datetime").count(SAID) == 2
        page = await opened(URL(f"{base}/calls") / CALL_ID, session)
        assert page.attributes("data-call") == [CALL_ID]
        assert page.text.count(f"“{SAID}” ({SAID})") == 1
        assert page.text.count(SAID) >= 20 and "nobody knows" not in page.text and "hidden" not in page.text
        page = await opened(f"{base}/flows", session)
        assert page.text.count(SAID) == 8
        page = await opened(f"{base}/flows/main", session)
        assert "nonce" not in {name for _, found in page.elements for name in found}, "no style but in files"
        page = await opened(f"{base}/handoff/right", session)
        assert page.text.count(f"“{SAID}” ({SAID})") == 1


async def test_what_a_browser_asks_for_is_text_too() -> None:
    async with serving(token="hunter2") as (base, session):
        onwards = "/calls?" + SAID
        page = await opened(URL(f"{base}/login").with_query(next=onwards), session)
        assert [found["value"] for tag, found in page.elements if found.get("name") == "next"] == [onwards]
    async with serving() as (base, session):
        page = await opened(URL(base) / "nowhere" / SAID, session, 404)
        assert "There is nothing at /nowhere/" in page.text and "Calls" in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/nowhere/",
        "/calls/none",
        "/calls/none/",
        "/flows/none",
        "/handoff/wrong",
        "/static/none",
        "/favicon.ico",
    ],
)
async def test_what_is_not_there_is_a_page_for_people_and_json_for_programs(path: str) -> None:
    async with serving() as (base, session):
        page = await opened(base + path, session, 404)
        assert "Not found" in page.text
        assert ("Flows" in page.text) is not path.startswith(("/handoff", "/static")), "agents see no console"
        for address, headers in ((base + path, {}), (f"{base}/api{path}", BROWSER)):
            async with session.get(address, headers=headers) as answer:
                assert (answer.status, answer.content_type) == (404, "application/json")
                assert list(await answer.json()) == ["error"]


async def test_failures_are_pages_too() -> None:
    async with serving(token="hunter2", calls=FakeCalls(broken=True)) as (base, session):
        session.headers["Authorization"] = "Bearer hunter2"
        page = await opened(f"{base}/calls", session, 503)
        assert "The store does not answer." in page.text and "stopped" not in page.text
        page = await opened(f"{base}/handoff/boom", session, 500)
        assert "bug" not in page.text
        async with session.post(f"{base}/calls", headers=BROWSER) as answer:
            assert answer.status == 405 and "GET" in answer.headers["Allow"]


async def test_tables_name_their_columns() -> None:
    call = {**CALL, "call_id": "c1", "caller": "5035550101"}
    async with serving(calls=FakeCalls(call, {**call, "live": True})) as (base, session):
        for path, count in (("/calls", 2), ("/flows", 1)):
            page = await opened(base + path, session)
            headers = [found for tag, found in page.elements if tag == "th"]
            assert page.tags().count("table") == count
            assert len(headers) >= 5 and all(found["scope"] == "col" for found in headers)
            assert page.elements[page.tags().index("body") + 1][1] == {"class": "skip", "href": "#main"}


@pytest.mark.parametrize(
    ("program", "shown"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/129.0 Safari/537.36", "Chrome on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64) Chrome/129.0 Safari/537.36 Edg/129.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) Version/17.6 Safari/604.1", "Safari on an iPhone"),
        ("Mozilla/5.0 (Android 14; Mobile; rv:130.0) Gecko/130.0 Firefox/130.0", "Firefox on Android"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", ""),
    ],
)
def test_a_browser_is_named_as_people_know_it(program: str, shown: str) -> None:
    assert browser(program) == shown


def test_numbers_moments_and_names() -> None:
    assert phone("5035550101", mask=True) == "••••••••01" and phone("5035550101", mask=False) == "5035550101"
    assert phone("", mask=True) == phone(None, mask=False) == "withheld"
    assert [duration(s) for s in (4, 61.4, 3725, None)] == ["0:04", "1:01", "1:02:05", ""]
    assert duration(32.96) == duration(round(32.96, 1)), "one call lasts as long as all of one call together"
    assert moment("2026-01-02T03:04:05+00:00") == "2026-01-02 03:04:05 UTC" and moment("soon") == "soon"
    assert [value(v) for v in (True, 1942, None, {"é": 1}, "x")] == ["yes", "1942", "", '{"é": 1}', "x"]
    assert [value(v) for v in (["é", "b"], [], [1])] == ["é, b", "none", "[1]"]
    assert measure(12.25, "seconds_to_human") == "12.2 s" and measure(1.375, "jitter_ms") == "1.4 ms"
    assert measure(5.54, "waited_s") == "5.5 s" and label("waited_s") == "Waited"
    assert measure(5301, "packets_sent") == "5,301" and measure(True, "answered") == "yes"
    assert label("seconds_to_human") == "Seconds to human" and label("jitter_ms") == "Jitter"
    assert label("agent_encryption") == "Agent encryption" and measure("none", "encryption") == "none"
    reached = {"kind": "handoff", "destination": "desk", "reason": "asked"}
    assert told(reached | {"encryption": "DTLS"}) == "asked → desk (encrypted: DTLS)"
    assert told(reached | {"encryption": "none"}) == told(reached) == "asked → desk"
    assert told({"kind": "key", "key": "0"}) == told({"kind": "key", "text": "0"}) == "pressed 0"
    assert told({"kind": "heard", "text": "yes"}) == "“yes”" and told({"kind": "decision", "choice": "yes"}) == ""
