"""The page of words over real flow files: searched, heard, rewritten in place, taken back, exchanged as sheets."""

from __future__ import annotations

import csv
import io
import json
import re
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, Page, expect

from ivr.dialogue.flows.prompt import prompt_texts
from ivr.dialogue.flows.wording import Wordings
from ivr.ports import AuditSearch
from tests.web.accessibility import violations
from tests.web.browser import Window, window
from tests.web.console import FLOWS, Console, console
from tests.web.people import PASSWORD, Roles, browser, log_in
from tests.web.test_accounts import csrf_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
HELP = "main.ask.help@es-ES.neutral"
OURS = "Dígalo como quiera, por favor."
PEOPLE: Roles = {"rosa": ("supervisor",), "tina": ("translator",)}


def lines_changed(folder: Path, name: str) -> tuple[list[str], list[str]]:
    """Those of the file that the flows had, and those that stand there now."""
    old, new = ((each / name).read_text("utf-8").split("\n") for each in (FLOWS, folder))
    return [x for x in old if x not in new], [x for x in new if x not in old]


@asynccontextmanager
async def translator(served: Console) -> AsyncIterator[tuple[aiohttp.ClientSession, dict[str, str]]]:
    async with browser() as session:
        await log_in(session, served.base, "tina")
        yield session, {"X-CSRF-Token": await csrf_of(session, served.base), "Origin": served.base}


async def post(
    session: aiohttp.ClientSession, url: str, headers: dict[str, str], **sent: Any
) -> tuple[int, dict[str, Any]]:
    async with session.post(url, headers={**headers, "Accept": "application/json"}, **sent) as answer:
        return answer.status, await answer.json()


# --- for programs and pages ----------------------------------------------------------------------------------------


async def test_a_translator_rewrites_one_line_and_takes_it_back(tmp_path: Path) -> None:
    async with console(tmp_path, token="hunter2", people=PEOPLE) as served, translator(served) as (session, headers):
        changes = [{"key": HELP, "text": OURS}]
        status, saved = await post(session, f"{served.base}/words", headers, json={"changes": changes})
        assert status == 200 and OURS in saved["told"][0]
        gone, came = lines_changed(served.folder, "main.es-ES.yaml")
        assert len(gone) == len(came) == 1 and came[0].startswith(f'  ask.help: "{OURS}"  # of ')
        rows = (await served.store.audit_log.find(AuditSearch(what="words."))).rows
        assert [(row.event.actor, row.event.target) for row in rows] == [("tina", "main.es-ES.yaml")]
        status, told = await post(session, f"{served.base}/words/undo", headers)
        assert (status, told) == (200, {"files": ["main.es-ES.yaml"]})
        assert (served.folder / "main.es-ES.yaml").read_bytes() == (FLOWS / "main.es-ES.yaml").read_bytes()
        status, told = await post(session, f"{served.base}/words/undo", headers)
        assert status == 409 and "nothing of yours" in told["error"]


async def test_what_was_saved_goes_live(tmp_path: Path) -> None:
    async with console(tmp_path, token="hunter2", people=PEOPLE) as served, translator(served) as (session, headers):
        changes = [{"key": "main.ask/1.2@en-US.neutral", "text": "Now, what shall it be?"}]
        status, _ = await post(session, f"{served.base}/words", headers, json={"changes": changes})
        assert status == 200
        await served.flows.look()
        words = Wordings(served.serving.live, "en-US", "neutral")
        said = [text for text, _ in prompt_texts(words.prompt("main", "ask", None))]
        base = served.serving.live.flows["main"].states["ask"].prompt
        assert said == [] and "Now, what shall it be?" in [text for text, _ in prompt_texts(base)]


async def test_two_who_write_at_once_overwrite_nobody(tmp_path: Path) -> None:
    async with console(tmp_path, token="hunter2", people=PEOPLE) as served, translator(served) as (session, headers):
        async with session.get(f"{served.base}/words?owner=main&language=es-ES&text=Probemos") as answer:
            found = re.search(r'data-key="([^"]+)" data-was="(\w+)"', await answer.text())
        assert found is not None
        served.edit("main.es-ES.yaml", "Probemos otra vez.", "Una vez más.")
        changes = [{"key": found[1], "text": "No coinciden.", "was": found[2]}]
        status, told = await post(session, f"{served.base}/words", headers, json={"changes": changes})
        assert status == 409 and "Una vez más." in told["error"]
        assert "Una vez más." in (served.folder / "main.es-ES.yaml").read_text("utf-8")


async def test_what_is_wrong_is_refused_and_nothing_written(tmp_path: Path) -> None:
    async with console(tmp_path, token="hunter2", people=PEOPLE) as served, translator(served) as (session, headers):
        url = f"{served.base}/words"
        status, told = await post(
            session, url, headers, json={"changes": [{"key": HELP, "text": OURS}, {"key": "main.x@y.z", "text": "x"}]}
        )
        assert status == 409 and "there is no such text" in told["error"]
        wrongs: tuple[dict[str, Any], ...] = (
            {},
            {"changes": []},
            {"changes": [{"key": HELP}]},
            {"changes": [{"key": 1, "text": ""}]},
        )
        for wrong in wrongs:
            assert (await post(session, url, headers, json=wrong))[0] == 400
        assert (served.folder / "main.es-ES.yaml").read_bytes() == (FLOWS / "main.es-ES.yaml").read_bytes()
        assert (await post(session, url, {"Origin": served.base}, json={"changes": []}))[0] == 403, "no token of ours"


async def test_a_sheet_goes_out_and_comes_back(tmp_path: Path) -> None:
    async with console(tmp_path, token="hunter2", people=PEOPLE) as served, translator(served) as (session, headers):
        async with session.get(f"{served.base}/words/sheet?language=es-ES&owner=main") as answer:
            assert "attachment" in answer.headers["Content-Disposition"]
            sheet = (await answer.read()).decode()
        old = "No hay problema. Una persona puede buscarlo."
        edited = sheet.replace(old, "Descuide: alguien lo busca.", 1).encode()
        status, found = await post(session, f"{served.base}/words/sheet", headers, data=edited)
        assert status == 200, found
        assert len(found["changes"]) == len(found["told"]) == 1 and old in found["told"][0]
        status, _ = await post(session, f"{served.base}/words", headers, json={"changes": found["changes"]})
        assert status == 200
        gone, came = lines_changed(served.folder, "main.es-ES.yaml")
        assert len(gone) == len(came) == 1 and "Descuide" in came[0]
        status, told = await post(session, f"{served.base}/words/sheet", headers, data=b"PK\x03\x04")
        assert status == 409 and "CSV" in told["error"]


async def test_all_that_the_line_says_goes_out_and_comes_back(tmp_path: Path) -> None:
    """As the page gives it: much more than a form of the console holds."""
    async with console(tmp_path, token="hunter2", people=PEOPLE) as served, translator(served) as (session, headers):
        async with session.get(f"{served.base}/words/sheet") as answer:
            sheet = (await answer.read()).decode()
        edited = sheet.replace("Dígalo a su manera", "Dígalo como sea", 1).encode()
        assert len(edited) > 2 * 64 * 1024
        status, found = await post(session, f"{served.base}/words/sheet", headers, data=edited)
        assert status == 200 and len(found["changes"]) == 1, found
        listed = csv.DictReader(io.StringIO(sheet.removeprefix("\ufeff")))
        rows = [row for row in listed if row["key"].startswith("main.")]
        plain = [row for row in rows if row["language"] == "es-ES" and row["text"] and "{" not in row["text"]]
        changes = [{"key": row["key"], "text": row["text"] + " Y nada más." * 130} for row in plain]
        assert len(json.dumps(changes)) > 64 * 1024
        status, saved = await post(session, f"{served.base}/words", headers, json={"changes": changes})
        assert status == 200 and len(saved["told"]) == len(changes), saved
        for path in ("/words/sheet", "/words"):
            status, told = await post(session, f"{served.base}{path}", headers, data=b"k" * 2_000_001)
            assert status == 413, told


async def test_a_text_is_heard_as_it_stands_and_as_it_would_be(tmp_path: Path) -> None:
    async with console(tmp_path, token="hunter2", people=PEOPLE) as served, translator(served) as (session, _):
        for query, words in ({"key": HELP}, "Dígalo a su manera"), ({"key": HELP, "text": OURS}, OURS):
            async with session.get(f"{served.base}/words/sound", params=query) as answer:
                assert answer.status == 200 and answer.content_type == "audio/wav"
                with wave.open(io.BytesIO(await answer.read())) as file:
                    assert file.getframerate() == 8000 and file.getnframes() > 0
            language, text = served.speech.rendered[-1]
            assert language == "es-ES" and text.startswith(words)
        async with session.get(f"{served.base}/words/sound", params={"key": "x"}) as answer:
            assert answer.status == 404
        served.speech.mute = True
        async with session.get(f"{served.base}/words/sound", params={"key": HELP}) as answer:
            assert answer.status == 503


async def test_an_english_text_that_changed_leaves_its_translation_out_of_date(tmp_path: Path) -> None:
    async with console(tmp_path) as served, aiohttp.ClientSession() as session:
        address = f"{served.base}/words?language=es-ES&status=out+of+date"
        async with session.get(address, headers={"Accept": "text/html"}) as answer:
            assert "No text is like that." in await answer.text()
        served.edit("main.yaml", "Anything else?", "Is there anything else?")
        await served.flows.look()
        async with session.get(address, headers={"Accept": "text/html"}) as answer:
            text = await answer.text()
        assert "Is there anything else?" in text and "the text that it translates changed since" in text


async def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    async with console(tmp_path) as served, aiohttp.ClientSession() as session:
        served.edit("main.yaml", "flow: main", "flow: [main")
        async with session.get(f"{served.base}/words", headers={"Accept": "text/html"}) as answer:
            assert answer.status == 200 and "main.yaml:" in await answer.text()


# --- in a browser --------------------------------------------------------------------------------------------------


async def opened(served: Console, page: Page) -> None:
    await page.goto(f"{served.base}/login")
    await page.get_by_label("Name").fill("tina")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.locator("h1")).to_contain_text("Words")


async def test_a_translator_edits_listens_saves_and_takes_back(tmp_path: Path, shown: Window) -> None:
    page = shown.page
    async with console(tmp_path, token="hunter2", people=PEOPLE) as served:
        await opened(served, page)
        await page.get_by_label("Language").select_option("es-ES")
        await page.get_by_label("Flow").select_option("main")
        await page.get_by_label("In the texts").fill("a su manera")
        await page.keyboard.press("Enter")
        row = page.locator(f'[data-key="{HELP}"]')
        await expect(page.locator("#words > li")).to_have_count(1)
        text = row.get_by_role("textbox")
        await expect(text).to_have_value(re.compile("Dígalo a su manera"))
        await text.fill("x")
        await text.press("Escape")
        await expect(text).to_have_value(re.compile("Dígalo a su manera"))
        await expect(page.locator("#changed")).to_be_hidden()
        await text.fill(OURS)
        await expect(page.locator("#told")).to_have_text("1 text changed, not saved yet.")
        async with page.expect_response(re.compile("/words/sound")):
            await row.get_by_role("button", name=re.compile("Listen")).click()
        await expect(row.locator("[data-seconds]")).to_have_text(re.compile(r"^[0-9]+\.[0-9] s$"))
        assert served.speech.rendered[-1] == ("es-ES", OURS)
        await text.press("Control+s")
        await expect(page.locator("#told")).to_have_text("Saved: 1 text.")
        gone, came = lines_changed(served.folder, "main.es-ES.yaml")
        assert len(gone) == len(came) == 1 and OURS in came[0]
        await page.get_by_role("button", name="Take back what was saved").click()
        await expect(page.locator("#told")).to_have_text("Taken back: main.es-ES.yaml as before.")
        assert (served.folder / "main.es-ES.yaml").read_bytes() == (FLOWS / "main.es-ES.yaml").read_bytes()


async def test_what_is_refused_stays_on_the_page(tmp_path: Path, browser: Browser) -> None:
    async with window(browser) as at, console(tmp_path) as served:
        page = at.page
        await page.goto(f"{served.base}/words?text=main.welcome@es-ES")
        text = page.locator("#words textarea")
        await text.fill("Hola, {member.nombre}.")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("#reasons")).to_contain_text("there is no {member.nombre} in")
        await expect(text).to_have_value("Hola, {member.nombre}.")
        assert (served.folder / "main.es-ES.yaml").read_bytes() == (FLOWS / "main.es-ES.yaml").read_bytes()


async def test_a_sheet_is_read_before_it_is_saved(tmp_path: Path, shown: Window) -> None:
    page = shown.page
    async with console(tmp_path) as served:
        await page.goto(f"{served.base}/words")
        sheet = f'key,text\n{HELP},"{OURS}"\n'.encode()
        await page.locator("#sheet").set_input_files({"name": "es.csv", "mimeType": "text/csv", "buffer": sheet})
        await expect(page.locator("#told")).to_contain_text(f"es.csv changes 1 text: {HELP}: “Dígalo a su manera")
        assert (served.folder / "main.es-ES.yaml").read_bytes() == (FLOWS / "main.es-ES.yaml").read_bytes()
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("#told")).to_have_text("Saved: 1 text.")
        assert OURS in (served.folder / "main.es-ES.yaml").read_text("utf-8")


@pytest.mark.parametrize("width", [390, 1440])
async def test_axe_finds_nothing_and_it_fits(standing: Console, browser: Browser, width: int) -> None:
    async with window(browser, width, 900) as at:
        await at.page.goto(f"{standing.base}/words?language=es-ES")
        await at.page.locator("#words textarea").first.fill("Otra cosa.")
        await expect(at.page.locator("#changed")).to_be_visible()
        assert await violations(at.page) == []
        assert await at.page.evaluate("document.documentElement.scrollWidth") <= width
        assert not at.complaints
