"""The agents' console served for a real Chromium: a desk in memory, and a page that plays the line's media."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.async_api import Browser, Page, expect

from ivr.accounts.authentication import Authentication
from ivr.clock import SystemClock
from ivr.demo.chromium import PHONE
from ivr.ports import Arrival, EarlierCall
from ivr.store import Store
from ivr.web.app import HttpServer, application, bound, port_of
from ivr.web.backend import Backend
from ivr.web.live import Feed
from tests.recordings import archived, wav
from tests.seats import FakePhone, Floor, floor
from tests.web.browser import Window
from tests.web.fakes import FakeCalls, FakeFlows, ready
from tests.web.people import Roles, hire

FLAGS = (*PHONE, "--disable-features=WebRtcHideLocalIpsWithMdns")
FAR_END = """
async (sdp) => {
  window.legs?.close();
  const leg = window.legs = new RTCPeerConnection();
  const audio = new AudioContext(), tone = audio.createOscillator(), out = audio.createMediaStreamDestination();
  tone.connect(out); tone.start();
  leg.addTrack(out.stream.getAudioTracks()[0], out.stream);
  window.heard = null;
  leg.ontrack = ({track}) => { window.heard = track; };
  await leg.setRemoteDescription({type: "offer", sdp});
  await leg.setLocalDescription();
  await new Promise((done) => {
    if (leg.iceGatheringState === "complete") return done();
    leg.onicegatheringstatechange = () => { if (leg.iceGatheringState === "complete") done(); };
  });
  return leg.localDescription.sdp;
}
"""


@dataclass
class Desk:
    base: str
    floor: Floor
    runs: HttpServer
    left: str  # the name of a message that was recorded

    def waits(self, name: str, reason: str, waited_s: float, *, priority: int = 5, skill: str = "general") -> None:
        arrival = Arrival(f"tel:{name}", f"call-{name}", skill, priority, reason=reason, name=name)
        self.floor.line.arrive(arrival, waited_s=waited_s)


@asynccontextmanager
async def desk(
    *,
    token: str = "",
    earlier: Sequence[EarlierCall] = (),
    calls: Sequence[Mapping[str, Any]] = (),
    people: Roles | None = None,
) -> AsyncIterator[Desk]:
    feed = Feed()
    ground = floor(SystemClock(), feed.touch, earlier)

    async def context(secret: str) -> Mapping[str, Any] | None:
        return None

    stack = AsyncExitStack()
    folder = Path(stack.enter_context(TemporaryDirectory()))
    store = Store("sqlite+aiosqlite://")
    await store.upgrade()
    stack.push_async_callback(store.close)
    recordings = await stack.enter_async_context(archived(folder, store=store))
    left = await recordings.keep("call-left", wav())
    backend = Backend(
        FakeCalls(*calls),
        FakeFlows(),
        ready,
        context,
        store.audit_log,
        mask=False,
        seats=ground.seats,
        recordings=recordings,
    )
    authentication = Authentication(store.accounts, store.tokens)
    await hire(authentication, people or {})
    sockets = bound("127.0.0.1", 0)
    server = HttpServer(application(backend, feed, authentication=authentication, token=token), sockets)
    await server.start()
    try:
        yield Desk(f"http://127.0.0.1:{port_of(sockets)}", ground, server, left)
    finally:
        await ground.stop()
        await server.stop()
        await stack.aclose()


@asynccontextmanager
async def far_end(browser: Browser, served: Desk, agent: str = "local") -> AsyncIterator[Page]:
    """The line's media for the agent's phone: a page that answers its offers, and whose ``heard`` is what it says."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{served.base}/healthz")

    async def answer(sdp: str) -> Any:
        return await page.evaluate(FAR_END, sdp)

    served.floor.phones[agent] = FakePhone(answer)
    try:
        yield page
    finally:
        await context.close()


async def seated(opened: Window, served: Desk) -> Page:
    """At the desk, available, with a phone that stands."""
    page = opened.page
    await page.goto(f"{served.base}/desk")
    await page.get_by_role("button", name="Available").click()
    await expect(page.locator(".me .state")).to_contain_text("Available")
    await expect(page.locator(".phone-state")).to_have_text("Phone ready")
    return page


def ago(**before: float) -> datetime:
    return datetime.now(UTC) - timedelta(**before)


EARLIER = (
    EarlierCall("e1", ago(days=3), "resolved", "a disc came damaged", 140.0),
    EarlierCall("e2", ago(days=20), "with agent", "thinking of cancelling", 410.0),
)
