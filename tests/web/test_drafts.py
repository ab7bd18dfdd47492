"""Drafts over HTTP: real files, the real line's flows; two designers never overwrite each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ivr.ports import AuditSearch
from ivr.workshop.edits import digest_of
from tests.release.test_checker import PAUSE_S, longest_pause
from tests.web.console import Console, console

BEARER = {"Authorization": "Bearer hunter2"}
WHY = "callers asked for it"


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Console]:
    async with console(tmp_path, token="hunter2") as running:
        yield running


class Api:
    def __init__(self, base: str, session: aiohttp.ClientSession) -> None:
        self._base, self._session = base, session

    async def __call__(self, method: str, path: str, body: Any = None, expect: int = 200) -> Any:
        async with self._session.request(method, self._base + path, json=body, headers=BEARER) as answer:
            told = await answer.json()
            assert answer.status == expect, told
            return told

    async def edit(self, draft: str, name: str, old: str, new: str, expect: int = 200) -> Any:
        """As a page does that loads and saves."""
        there = await self("GET", f"{draft}/files/{name}")
        assert old in there["text"]
        text = there["text"].replace(old, new, 1)
        return await self(
            "PUT", f"{draft}/files/{name}", {"text": text, "digest": there["digest"], "was": there["text"]}, expect
        )


@pytest.fixture
async def api(guarded: Console) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as session:
        yield Api(guarded.base, session)


async def begun(api: Api) -> str:
    return f"/api/drafts/{(await api('POST', '/api/drafts', {}))['id']}"


def line_of(console: Console, name: str = "main.yaml") -> tuple[str, str]:
    """Two lines of comment at the ends of a file, far apart."""
    path = console.folder / name
    text = path.read_text("utf-8")
    path.write_text(f"# the beginning\n{text}# the end\n", encoding="utf-8")
    return "# the beginning", "# the end"


async def test_from_the_first_edit_to_callers(guarded: Console, api: Api) -> None:
    draft = await begun(api)
    shown = await api("GET", draft)
    assert {file["state"] for file in shown["files"]} == {"same"}
    before = (guarded.folder / "hold.yaml").read_text("utf-8")
    about = next(line for line in before.splitlines() if line.startswith("about:"))
    saved = await api.edit(draft, "hold.yaml", about, "about: Days off  # never far")
    assert (saved["state"], saved["by"]) == ("changed", "api")
    assert (guarded.folder / "hold.yaml").read_text("utf-8") == before, "callers have nothing of it yet"
    assert [f["code"] for f in (await api("POST", f"{draft}/check", {}))["findings"] if f["severity"] == "error"] == []
    seen = await api("GET", f"{draft}/diff")
    assert any("hold" in change["section"] for change in seen["changes"]), seen["text"]
    await api("POST", f"{draft}/publish", {"why": WHY, "digest": "of something else"}, 409)
    await api("POST", f"{draft}/publish", {"why": " ", "digest": seen["digest"]}, 400)
    done = await api("POST", f"{draft}/publish", {"why": WHY, "digest": seen["digest"]})
    assert done == {"version": guarded.serving.live.version, "unwritten": ""}
    expected = before.replace(about, "about: Days off  # never far")
    assert (guarded.folder / "hold.yaml").read_text("utf-8") == expected, "comments and layout as they were"
    await api("GET", draft, None, 404)
    newest = (await api("GET", "/api/flows"))["history"][0]
    assert (newest["version"], newest["by"], newest["why"]) == (done["version"], "api", WHY)
    rows = (await guarded.store.audit_log.find(AuditSearch(what="draft."))).rows
    assert [row.event.action for row in rows] == ["draft.dropped", "draft.changed", "draft.begun"]


async def test_two_at_once_in_one_draft(guarded: Console, api: Api) -> None:
    first, last = line_of(guarded)
    draft = await begun(api)
    there = await api("GET", f"{draft}/files/main.yaml")
    body = {"digest": there["digest"], "was": there["text"]}
    path = f"{draft}/files/main.yaml"
    await api("PUT", path, {**body, "text": there["text"].replace(first, "# dana")})
    both = await api("PUT", path, {**body, "text": there["text"].replace(last, "# eli")})
    assert "# dana\n" in both["text"] and "# eli\n" in both["text"], "both are put together"
    refused = await api("PUT", path, {**body, "text": there["text"].replace(first, "# fay")}, 409)
    assert refused["there"]["text"] == both["text"]
    assert [(clash["mine"], clash["theirs"]) for clash in refused["there"]["clashes"]] == [("# fay\n", "# dana\n")]
    assert (await api("GET", path))["text"] == both["text"], "nothing was overwritten"
    await api("PUT", path, {"text": "x", "digest": there["digest"], "was": "no such text"}, 409)


async def test_a_draft_goes_along_with_the_folder_or_says_where_it_cannot(guarded: Console, api: Api) -> None:
    first, last = line_of(guarded)
    mine, theirs = await begun(api), await begun(api)
    await api.edit(mine, "main.yaml", first, "# mine")
    await api.edit(theirs, "main.yaml", last, "# theirs")
    seen = await api("GET", f"{theirs}/diff")
    await api("POST", f"{theirs}/publish", {"why": WHY, "digest": seen["digest"]})
    text = (await api("GET", f"{mine}/files/main.yaml"))["text"]
    assert text.startswith("# mine\n") and text.endswith("# theirs\n")

    guarded.edit("main.yaml", first, "# by hand")
    there = await api("GET", f"{mine}/files/main.yaml")
    assert [(clash["mine"], clash["theirs"]) for clash in there["clashes"]] == [("# mine\n", "# by hand\n")]
    digest = (await api("GET", mine))["digest"]
    refused = await api("POST", f"{mine}/publish", {"why": WHY, "digest": digest}, 409)
    assert "main.yaml" in refused["error"] and "settle" in refused["error"]
    settled = {
        "text": there["text"].replace("# mine", "# mine by hand"),
        "digest": there["digest"],
        "was": there["text"],
    }
    still = await api("PUT", f"{mine}/files/main.yaml", settled)
    assert still["clashes"], "who doesn't say that they saw the folder's has not settled it"
    again = {"text": still["text"], "digest": still["digest"], "settles": there["folder_digest"]}
    assert (await api("PUT", f"{mine}/files/main.yaml", again))["clashes"] == []
    digest = (await api("GET", f"{mine}/diff"))["digest"]
    await api("POST", f"{mine}/publish", {"why": WHY, "digest": digest})
    assert (guarded.folder / "main.yaml").read_text("utf-8").startswith("# mine by hand\n")


async def test_files_come_and_go_and_names_are_names(guarded: Console, api: Api) -> None:
    draft = await begun(api)
    made = await api("PUT", f"{draft}/files/late.yaml", {"text": "flow: late\n", "digest": "", "was": None})
    assert made["state"] == "new"
    told = await api("PUT", f"{draft}/files/late.yaml", {"text": None, "digest": made["digest"], "was": made["text"]})
    assert told == {"name": "late.yaml"}
    assert "late.yaml" not in [file["name"] for file in (await api("GET", draft))["files"]]
    there = await api("GET", f"{draft}/files/human.yaml")
    gone = await api(
        "PUT", f"{draft}/files/human.yaml", {"text": None, "digest": there["digest"], "was": there["text"]}
    )
    assert (gone["state"], gone["text"]) == ("gone", None)
    for name in ("..%2Fconfig.yaml", ".hidden.yaml", "notes.txt", "main.test.yaml"):
        await api("PUT", f"{draft}/files/{name}", {"text": "a: b\n", "digest": "", "was": None}, 409)
    assert sorted(p.name for p in guarded.folder.parent.iterdir() if p.suffix == ".yaml") == []


async def test_a_large_file_is_taken_and_a_huge_one_is_not(api: Api) -> None:
    draft = await begun(api)
    large = "# " + "x" * 400_000 + "\n"
    made = await api("PUT", f"{draft}/files/large.yaml", {"text": large, "digest": digest_of(None), "was": None})
    assert made["text"] == large
    huge = {"text": "x" * 5_000_000, "digest": made["digest"], "was": large}
    await api("PUT", f"{draft}/files/large.yaml", huge, 413)
    assert "larger" in (await api("PUT", f"{draft}/files/a.yaml", {"text": "é" * 600_000, "digest": ""}, 409))["error"]


async def test_findings_of_what_is_not_saved_yet(api: Api) -> None:
    draft = await begun(api)
    found = (await api("POST", f"{draft}/check", {"files": {"human.yaml": "flow: human\nstart: nowhere\n"}}))[
        "findings"
    ]
    assert any(f["file"] == "human.yaml" and f["severity"] == "error" for f in found)
    wrongs: tuple[Any, ...] = ({"files": []}, {"files": {"a.yaml": 1}})
    for wrong in wrongs:
        await api("POST", f"{draft}/check", wrong, 400)
    await api("POST", "/api/drafts/none/check", {}, 404)


async def test_a_canary_of_a_draft_and_its_end(guarded: Console, api: Api) -> None:
    draft = await begun(api)
    await api.edit(draft, "hold.yaml", "about: Hold", "about: Now hold")
    digest = (await api("GET", f"{draft}/diff"))["digest"]
    body = {"why": WHY, "digest": digest, "percent": 10}
    await api("POST", f"{draft}/canary", {**body, "percent": True}, 400)
    await api("POST", f"{draft}/canary", {**body, "percent": 0}, 409)
    told = await api("POST", f"{draft}/canary", body)
    assert guarded.serving.canary is not None and guarded.serving.canary.library.version == told["version"]
    await api("GET", draft)
    assert await api("DELETE", "/api/flows/canary", {"why": "no better"}) == told
    assert guarded.serving.canary is None


async def test_a_check_over_its_time_answers_with_the_words(tmp_path: Path) -> None:
    async with console(tmp_path, token="hunter2", check_limit_s=0.001) as guarded, aiohttp.ClientSession() as session:
        api = Api(guarded.base, session)
        draft = await begun(api)
        told = await api("POST", f"{draft}/check", {"files": {"more.yaml": "flow: more\n"}}, 503)
        assert "the check took longer than 0.001 s" in told["error"] and "smaller files" in told["error"]


async def test_two_huge_texts_are_put_together_in_bounded_time_or_not_at_all(tmp_path: Path) -> None:
    """As long as a file may be, every line like the next: a difference of lines takes minutes."""
    async with console(tmp_path, token="hunter2", check_limit_s=3.0) as guarded, aiohttp.ClientSession() as session:
        api = Api(guarded.base, session)
        draft = await begun(api)
        was = "".join(f"# {n % 3}\n" for n in range(100_000))
        there = await api("PUT", f"{draft}/files/long.yaml", {"text": was, "digest": digest_of(None), "was": None})
        theirs = "".join(f"# {n % 4}\n" for n in range(100_000))
        await api("PUT", f"{draft}/files/long.yaml", {"text": theirs, "digest": there["digest"], "was": was})
        mine = "".join(f"# {n % 5}\n" for n in range(100_000))
        over = asyncio.Event()
        beside = asyncio.create_task(longest_pause(over))
        body = {"text": mine, "digest": there["digest"], "was": was}
        told = await api("PUT", f"{draft}/files/long.yaml", body, 503)
        over.set()
        assert "took longer than 3 s" in told["error"]
        assert await beside < PAUSE_S
        assert (await api("GET", f"{draft}/files/long.yaml"))["text"] == theirs, "nothing is overwritten"
