"""The whole way in and out in Chromium, by an OpenID provider that nobody here wrote, on another site than the console:
the cookies that are set on the way back must come along on the redirect that follows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from oidc_provider_mock import run_server_in_thread
from playwright.async_api import Browser, Page, expect

from ivr.accounts.oidc import Oidc
from ivr.config import OidcConfig, Secret
from tests.web.accessibility import violations
from tests.web.browser import window
from tests.web.console import Console, console
from tests.web.people import EVERYTHING, PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROLES: Mapping[str, Any] = {"line-agents": ("agent",), "line-leads": ("supervisor",)}


@dataclass
class Company:
    """``issuer``: where its provider is, at another host than the console."""

    issuer: str
    served: Console
    oidc: Oidc
    stack: ExitStack

    async def hire(self, subject: str, *groups: str) -> None:
        told = {"groups": list(groups), "preferred_username": subject, "name": subject.title()}
        async with aiohttp.ClientSession() as session, session.put(f"{self.issuer}/users/{subject}", json=told) as done:
            assert done.status == 204

    def go_away(self) -> None:
        self.stack.close()

    def forget(self) -> None:
        """What was found an hour ago is looked for again."""
        self.oidc._found = None


@asynccontextmanager
async def company(folder: Path) -> AsyncIterator[Company]:
    with ExitStack() as stack:
        server = stack.enter_context(run_server_in_thread(require_nonce=True))
        issuer = f"http://localhost:{server.server_port}"
        oidc: list[Oidc] = []

        def made(home: str) -> Oidc:
            secret = Secret("env:OIDC_SECRET")
            config = OidcConfig(issuer=issuer, client_id="ivr", client_secret=secret, roles=ROLES, button="Films Inc.")
            oidc.append(Oidc(config, home))
            return oidc[0]

        async with console(folder, token="hunter2", people=EVERYTHING, oidc=made) as served:
            yield Company(issuer, served, oidc[0], stack)
        await oidc[0].close()


@pytest.fixture(autouse=True)
def client_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIDC_SECRET", "s3cret")


async def enter(page: Page, at: Company, subject: str, room: str = "/calls") -> None:
    await page.goto(f"{at.served.base}{room}")
    await page.get_by_role("link", name="Films Inc.").click()
    await page.get_by_placeholder("sub").fill(subject)
    await page.get_by_role("button", name="Authorize", exact=True).click()


async def test_in_and_out_by_another_site(tmp_path: Path, browser: Browser) -> None:
    async with company(tmp_path) as at, window(browser) as opened:
        page = opened.page
        await at.hire("rosa.diaz", "line-leads")
        await enter(page, at, "rosa.diaz")
        await expect(page.locator("h1")).to_contain_text("Live calls")
        assert page.url == f"{at.served.base}/calls", "where she wanted to go, without the code"
        await expect(page.get_by_role("link", name="Rosa.Diaz")).to_be_visible()
        await page.goto(f"{at.served.base}/accounts")
        row = page.locator('[data-account="rosa.diaz"]')
        await expect(row).to_contain_text("company account")
        await expect(row.get_by_role("button", name="Save roles")).to_have_count(0)
        assert await violations(page, "serious", "critical") == []
        await page.get_by_role("button", name="Log out", exact=True).click()
        await expect(page.locator("h1")).to_have_text("End Session")
        assert page.url.startswith(at.issuer)
        await page.get_by_role("button", name="End session").click()
        await expect(page.locator("h1")).to_have_text("Log in")
        await page.goto(f"{at.served.base}/calls")
        await expect(page.locator("h1")).to_have_text("Log in")
        ours = [told for told in opened.complaints if "Failed to load resource" not in told]  # its pages want fonts
        assert not ours


async def test_who_has_no_role_or_says_no_is_told_so(tmp_path: Path, browser: Browser) -> None:
    async with company(tmp_path) as at, window(browser) as opened:
        page = opened.page
        await at.hire("eve", "others")
        await enter(page, at, "eve")
        await expect(page.get_by_role("alert")).to_contain_text("no role here")
        assert await violations(page, "serious", "critical") == []
        await page.get_by_role("link", name="Films Inc.").click()
        await page.get_by_role("button", name="Deny").click()
        await expect(page.get_by_role("alert")).to_contain_text("did not work")
        await at.hire("eve", "line-agents")
        await enter(page, at, "eve", "/account")
        await expect(page.locator("main")).to_contain_text("company account")


async def test_roles_follow_and_a_provider_that_is_gone_leaves_the_other_way(tmp_path: Path, browser: Browser) -> None:
    async with company(tmp_path) as at, window(browser) as opened, window(browser) as other:
        page = opened.page
        await at.hire("sam", "line-agents")
        await enter(page, at, "sam", "/account")
        await page.goto(f"{at.served.base}/calls")
        await expect(page.locator("main")).to_contain_text("needs the role")
        await at.hire("sam", "line-leads")
        await enter(other.page, at, "sam")
        await expect(other.page.locator("h1")).to_contain_text("Live calls")
        at.go_away()
        await page.goto(f"{at.served.base}/calls")
        at.forget()
        await page.get_by_role("link", name="Films Inc.").click()
        await expect(page.get_by_role("alert")).to_contain_text("identity provider does not answer")
        await page.get_by_label("Name", exact=True).fill("rosa")
        await page.get_by_label("Password", exact=True).fill(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_contain_text("Live calls")
