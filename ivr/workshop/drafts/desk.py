"""The workbench's back end: drafts of the flows' folder, saved without overwriting anybody, and brought to callers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from ivr.company import company_of
from ivr.config import Config
from ivr.dialogue.flows.library import load_library
from ivr.dialogue.flows.signature import ActionSignature
from ivr.dialogue.flows.source import is_of_library, read_directory
from ivr.dialogue.flows.yaml_tree import MAX_BYTES
from ivr.errors import FlowError
from ivr.ports.drafts import Draft, DraftStore
from ivr.release.checker import Checker
from ivr.release.live import LiveFlows, aside
from ivr.release.published import FilesChanged
from ivr.release.serving import ServingVersions
from ivr.web.backend import DraftConflict, NoDraft
from ivr.workshop.compare.diff import compare
from ivr.workshop.drafts.view import DraftText, digest_of_set, diverged, draft_texts, sources_of, together
from ivr.workshop.edits import digest_of, write

TRIES = 5  # at a file that others save at the same moment
SEEN = "the draft is another one than you looked at; look at what changes once more"


class DraftDesk:
    """Implements ``ivr.web.backend.Drafts``."""

    def __init__(
        self,
        config: Config,
        store: DraftStore,
        live: LiveFlows,
        serving: ServingVersions,
        checker: Checker,
    ) -> None:
        self._folder, self._store = config.flows.directory, store
        self._live, self._serving, self._checker = live, serving, checker
        self._signatures = company_of(config).all_signatures

    async def all(self) -> Sequence[Mapping[str, Any]]:
        return [_named(draft) | {"files": list(draft.files)} for draft in await self._store.all()]

    async def begin(self, by: str) -> str:
        return await self._store.begin(by)

    async def drop(self, draft: str, by: str) -> None:
        if not await self._store.drop(draft, by):
            raise NoDraft(draft)

    async def get(self, draft: str) -> Mapping[str, Any]:
        found, texts = await self._read(draft)
        files = [_told(each) for each in texts.values()]
        return {**_named(found), "digest": digest_of_set(sources_of(texts)), "files": files}

    async def file(self, draft: str, name: str) -> Mapping[str, Any]:
        found, folder = await self._found(draft), await aside(_files, self._folder)
        shown = await self._text_of(name, folder, found)
        if shown.kept is None and shown.folder is None:
            raise FlowError(f"there is no file {name}")
        return _whole(shown)

    async def save(
        self, draft: str, name: str, by: str, text: str | None, *, digest: str, was: str | None, settles: str
    ) -> Mapping[str, Any]:
        """``digest``: of what was edited, and ``was`` that text. ``settles``: the digest of the folder's text that
        ``text`` takes account of, where the two had clashed."""
        _fit(name, text)
        for _ in range(TRIES):
            found, folder = await self._found(draft), await aside(_files, self._folder)
            there = await self._text_of(name, folder, found)
            new = text
            if digest != there.digest:
                if digest_of(was) != digest:
                    raise DraftConflict(f"{name} was changed by somebody else meanwhile", _whole(there))
                apart = diverged(was, text, there.text)
                new, clashes = await (self._checker.run if apart else aside)(together, was, text, there.text)
                if clashes:
                    told = {**_whole(there), "together": new, "clashes": [asdict(clash) for clash in clashes]}
                    raise DraftConflict(f"{name} was changed by somebody else at the same lines", told)
            base = there.folder
            if there.clashes and there.kept is not None and settles != digest_of(there.folder):
                base = there.kept.base
            _fit(name, base)
            if await self._store.put(draft, name, by, base=base, text=new, known=there.kept):
                return await self.file(draft, name) if new is not None or base is not None else {"name": name}
        raise DraftConflict(f"{name} is being saved by others: try again", {})

    async def sources(self, draft: str) -> Mapping[str, str] | None:
        try:
            return sources_of((await self._read(draft))[1])
        except NoDraft:
            return None

    async def check(self, draft: str, unsaved: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        """What the checker finds, with ``unsaved`` texts instead of the draft's."""
        for name, text in unsaved.items():
            _fit(name, text)
        _, texts = await self._read(draft)
        findings = await self._live.checked({**sources_of(texts), **unsaved})
        return [finding.as_json() for finding in findings]

    async def diff(self, draft: str) -> Mapping[str, Any]:
        """What callers would notice, beside what is live. Raises FlowError where the files can't be read as flows."""
        _, texts = await self._read(draft)
        sources, live = sources_of(texts), self._serving.live
        changes, text = await self._checker.run(_compared, dict(live.sources), sources, self._signatures)
        return {"digest": digest_of_set(sources), "against": live.version, "changes": changes, "text": text}

    async def publish(self, draft: str, by: str, why: str, digest: str) -> Mapping[str, Any]:
        """For everybody. ``digest``: of the diff that was looked at."""
        sources, folder = await self._looked_at(draft, digest)
        try:
            done = await self._live.publish(sources, by, why, made_of=folder, write=partial(write, self._folder))
        except FilesChanged as error:
            raise DraftConflict(SEEN, {}) from error
        if not done.unwritten:  # where it has it, the draft is the folder
            await self._store.drop(draft, by)
        return asdict(done)

    async def try_out(
        self, draft: str, by: str, why: str, digest: str, percent: int, numbers: Sequence[str]
    ) -> Mapping[str, Any]:
        """For some callers; the draft goes on."""
        sources, _ = await self._looked_at(draft, digest)
        return {"version": await self._live.try_out(sources, by, why, percent, numbers)}

    async def end_canary(self, by: str, why: str) -> str | None:
        return await self._live.end_canary(by, why)

    async def _looked_at(self, draft: str, digest: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """All files of the draft and of the folder."""
        found, folder = await self._found(draft), await aside(_files, self._folder)
        texts = await self._texts(folder, found)
        sources = sources_of(texts)
        if digest_of_set(sources) != digest:
            raise DraftConflict(SEEN, {})
        if clashing := [name for name, each in texts.items() if each.clashes]:
            raise DraftConflict(
                f"{', '.join(clashing)}: the folder was changed at the same lines; settle that first", {}
            )
        return sources, folder

    async def _read(self, draft: str) -> tuple[Draft, Mapping[str, DraftText]]:
        found, folder = await self._found(draft), await aside(_files, self._folder)
        return found, await self._texts(folder, found)

    async def _text_of(self, name: str, folder: Mapping[str, str], found: Draft) -> DraftText:
        return (await self._texts({name: folder[name]} if name in folder else {}, found, (name,)))[name]

    async def _texts(
        self, folder: Mapping[str, str], found: Draft, names: Collection[str] | None = None
    ) -> Mapping[str, DraftText]:
        """All files, or those of ``names``. What has to be merged is where it can be ended."""
        kept = {name: each for name, each in found.files.items() if names is None or name in names}
        apart = any(diverged(each.base, each.text, folder.get(name)) for name, each in kept.items())
        texts = await (self._checker.run if apart else aside)(draft_texts, folder, kept)
        return {name: DraftText(name, None, None) for name in names or ()} | texts

    async def _found(self, draft: str) -> Draft:
        found = await self._store.find(draft)
        if found is None:
            raise NoDraft(draft)
        return found


def _compared(
    before: Mapping[str, str], after: Mapping[str, str], signatures: Mapping[str, ActionSignature]
) -> tuple[list[dict[str, object]], str]:
    """In the checker's process. ``before`` serves."""
    old, new = load_library(before, signatures), load_library(after, signatures)
    if old.library is None or new.library is None:
        why = "\n".join(finding.render() for finding in new.errors)
        raise FlowError(f"the draft can't be read as flows\n{why}")
    comparison = compare(old.library, new.library, proof=False)
    return [change.as_json() for change in comparison.changes], comparison.render()


def _files(folder: Path) -> Mapping[str, str]:
    try:
        return read_directory(folder)
    except OSError as error:
        raise FlowError(f"the flows can't be read: {error.strerror}") from error


def _fit(name: str, text: str | None) -> None:
    if "/" in name or "\\" in name or not is_of_library(name) or not name.isprintable():
        raise FlowError(f"{name} is no name of a flow file", remedy="end it in .yaml, or .csv for a vocabulary")
    if text is None:
        return
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise FlowError(f"{name} is no UTF-8 text", remedy="mend it in the folder first") from error
    if size > MAX_BYTES:
        raise FlowError(f"{name} is larger than {MAX_BYTES:,} bytes")


def _named(draft: Draft) -> dict[str, Any]:
    return {
        "id": draft.id, "owner": draft.owner,
        "created_at": draft.created_at.isoformat(), "changed_at": draft.changed_at.isoformat(),
    }  # fmt: skip


def _told(each: DraftText) -> dict[str, Any]:
    by = each.kept.by if each.kept is not None and each.state != "same" else ""
    clashes = [asdict(clash) for clash in each.clashes]
    return {"name": each.name, "digest": each.digest, "state": each.state, "by": by, "clashes": clashes}


def _whole(each: DraftText) -> dict[str, Any]:
    return {**_told(each), "text": each.text, "folder": each.folder, "folder_digest": digest_of(each.folder)}
