"""What axe finds wrong with a page, by rules of the WCAG: in light colours and in dark ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playwright.async_api import Page

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text("utf-8")
OF_COLOURS = ["color-contrast", "link-in-text-block"]  # the only rules that another colour scheme can break
SERIOUS = ("serious", "critical")


async def violations(page: Page, *impacts: str) -> list[str]:
    """Those of ``impacts``, or all: by every rule in light colours, by those of colours in dark ones.
    The page is left in light ones, at rest."""
    await page.emulate_media(color_scheme="light", reduced_motion="reduce")
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE)
    found = await page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
    await page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    rules = "async (rules) => (await axe.run(document, {resultTypes: ['violations'], runOnly: rules})).violations"
    dark = await page.evaluate(rules, OF_COLOURS)
    await page.emulate_media(color_scheme="light", reduced_motion="reduce")
    told = [("", each) for each in found] + [("dark, ", each) for each in dark]
    return [scheme + _told(each) for scheme, each in told if not impacts or each["impact"] in impacts]


def _told(violation: Mapping[str, Any]) -> str:
    return f"{violation['impact']} {violation['id']}: {[node['html'][:160] for node in violation['nodes'][:4]]}"
