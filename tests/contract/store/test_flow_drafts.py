"""Drafts of flow files, on both databases."""

from __future__ import annotations

import asyncio

from ivr.ports import AuditSearch
from ivr.ports.drafts import DraftFile
from ivr.store import Store

from .conftest import Time


async def test_only_what_changes_is_kept(store: Store, now: Time) -> None:
    drafts = store.drafts
    draft = await drafts.begin("dana")
    began = now()
    now.pass_(minutes=1)
    assert await drafts.put(draft, "main.yaml", "dana", base="a\n", text="b\n", known=None)
    assert await drafts.put(draft, "new.yaml", "dana", base=None, text="n\n", known=None)
    assert await drafts.put(draft, "old.yaml", "dana", base="o\n", text=None, known=None)
    found = await drafts.find(draft)
    assert found is not None
    assert (found.owner, found.created_at, found.changed_at) == ("dana", began, now())
    assert {name: (file.base, file.text) for name, file in found.files.items()} == {
        "main.yaml": ("a\n", "b\n"), "new.yaml": (None, "n\n"), "old.yaml": ("o\n", None),
    }  # fmt: skip
    assert await drafts.put(draft, "main.yaml", "eli", base="a\n", text="a\n", known=found.files["main.yaml"])
    listed = await drafts.all()
    assert [sorted(each.files) for each in listed] == [["new.yaml", "old.yaml"]]
    assert await drafts.drop(draft, "eli")
    assert await drafts.find(draft) is None
    assert not await drafts.drop(draft, "eli")


async def test_who_writes_over_what_they_have_not_seen_is_refused(store: Store) -> None:
    drafts = store.drafts
    draft = await drafts.begin("dana")
    told = await asyncio.gather(
        *(drafts.put(draft, "main.yaml", who, base="a", text=who, known=None) for who in ("dana", "eli", "fay"))
    )
    assert sorted(told) == [False, False, True]
    found = await drafts.find(draft)
    assert found is not None
    stale = DraftFile("main.yaml", "a", "something else", "dana", found.changed_at)
    assert not await drafts.put(draft, "main.yaml", "dana", base="a", text="mine", known=stale)
    assert await drafts.put(draft, "main.yaml", "dana", base="a", text="mine", known=found.files["main.yaml"])
    assert not await drafts.put("none", "main.yaml", "dana", base="a", text="mine", known=None)


async def test_every_change_is_in_the_audit_log_without_its_words(store: Store) -> None:
    drafts = store.drafts
    draft = await drafts.begin("dana")
    await drafts.put(draft, "main.yaml", "eli", base="secret words", text="other words", known=None)
    await drafts.drop(draft, "fay")
    rows = (await store.audit_log.find(AuditSearch(what="draft."))).rows
    assert [(row.event.actor, row.event.action) for row in rows] == [
        ("fay", "draft.dropped"), ("eli", "draft.changed"), ("dana", "draft.begun"),
    ]  # fmt: skip
    changed = rows[1].event
    assert changed.before and changed.after
    assert changed.before["digest"] != changed.after["digest"]
    assert "words" not in f"{[row.event for row in rows]}"
