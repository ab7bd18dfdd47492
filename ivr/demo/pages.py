"""Every page of the console, looked at: pictures of those that the desk's scene does not pass, after it."""

from __future__ import annotations

from ivr.demo.agent_desk import Pictures
from ivr.demo.desk_scene import Desk
from ivr.demo.scenes import JUNE


async def look(at: Desk, see: Pictures) -> None:
    """As the supervisor, who may see them all; the story that was handed over, as its link shows it."""
    page, base = at.supervisor, at.line.http
    [(call, token)] = at.kept.rows("SELECT call_id, context FROM places WHERE number LIKE ?", f"%{JUNE}")
    shown = {
        "board-history": ("/board", ".u-wrap"),
        "calls": ("/calls", "h1"),
        "call": (f"/calls/{call}", "h1"),
        "flows": ("/flows", "h1"),
        "flow": ("/flows/human", "svg.graph, main svg"),
        "accounts": ("/accounts", "[data-account]"),
        "account": ("/account", "h1"),
        "handoff": (f"/handoff/{token}", "h1"),
    }
    for name, (address, there) in shown.items():
        await page.goto(base + address)
        await page.locator(there).first.wait_for()
        await see(page, name)
