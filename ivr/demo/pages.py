"""Every page of the console, looked at: pictures of those that the desk's scene does not pass, after it."""

from __future__ import annotations

from ivr.demo.agent_desk import Pictures
from ivr.demo.desk_scene import Desk
from ivr.demo.scenes import JUNE

SHOWN = {
    "board-history": ("/board", ".u-wrap"),
    "calls": ("/calls", "h1"),
    "call": ("/calls/{call}", "h1"),
    "flows": ("/flows", "h1"),
    "flow": ("/flows/human", "#picture svg.flow-graph"),
    "words": ("/words", "[data-key]"),
    "workbench": ("/workbench", "#picture svg.flow-graph"),
    "accounts": ("/accounts", "[data-account]"),
    "account": ("/account", "h1"),
    "audit": ("/audit", "h1"),
    "tokens": ("/tokens", "h1"),
    "handoff": ("/handoff/{token}", "h1"),
}  # the address, and what is there once the page is


async def look(at: Desk, see: Pictures) -> None:
    """As the supervisor, who may see them all; the story that was handed over, as its link shows it."""
    page, base = at.supervisor, at.line.http
    [(call, token)] = at.kept.rows("SELECT call_id, context FROM places WHERE number LIKE ?", f"%{JUNE}")
    for name, (address, there) in SHOWN.items():
        await page.goto(base + address.format(call=call, token=token))
        await page.locator(there).first.wait_for()
        await see(page, name)
