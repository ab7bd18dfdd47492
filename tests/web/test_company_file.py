"""The company file on the page of flows: what designers and operators read of it, and that it fits every screen."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.web.accessibility import violations
from tests.web.browser import window
from tests.web.console import console

pytestmark = pytest.mark.asyncio(loop_scope="module")
COMPANY = """\
company: Riverside & Sons
about: "Films by post, since 1997 <at the mill>."
facts:
  parcel.place: {type: text, blank: true, about: "Where it was seen last."}
actions:
  parcel.find:
    service: deliveries
    method: GET
    path: "/parcels/{caller.id}"
    outcomes: {none: 404}
    facts: {parcel.place: /place}
vocabularies:
  genres: {terms: {noir: [film noir, dark films], western: [western]}}
"""


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_what_is_yours_stands_in_words_under_the_flows(
    tmp_path: Path, browser: Browser, width: int, theme: str
) -> None:
    async with window(browser, width, 900) as at, console(tmp_path) as served:
        await at.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        await at.page.goto(f"{served.base}/flows")
        company = at.page.locator("#company")
        await expect(company).to_have_count(0)
        (served.folder / "company.yaml").write_text(COMPANY, encoding="utf-8")
        await served.flows.look()  # of which the page hears
        about = "Riverside & Sons, the company. Films by post, since 1997 <at the mill>."
        await expect(company.locator("p")).to_have_text(about)
        told = await company.locator("li").all_text_contents()
        assert told[0] == "parcel.place: text, or blank, brought by parcel.find. Where it was seen last."
        assert told[1].startswith("parcel.find: GET /parcels/{caller.id} of the service deliveries;")
        assert "no state uses it" in told[1]
        assert told[2] == "genres: 2 of the company file (film noir, western)."
        assert await violations(at.page) == []
        assert await at.page.evaluate("document.documentElement.scrollWidth") <= width
