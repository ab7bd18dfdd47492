"""The console's back end for words: texts searched, heard, rewritten in the flows' folder, and taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from ivr.company import company_of
from ivr.config import Config
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows.library import load_library
from ivr.dialogue.flows.source import read_directory
from ivr.errors import FlowError, UnavailableError
from ivr.media.wav import wav_file
from ivr.ports import AuditEvent, AuditLog, Clip
from ivr.release.candidate import Check
from ivr.release.live import aside
from ivr.release.releases import Releases
from ivr.speech.prompt_lengths import PromptLengths
from ivr.web.backend import WordsFound
from ivr.workshop.edits import EditConflict, digest_of, write
from ivr.workshop.words.catalogue import EARLIER, Catalogue, served
from ivr.workshop.words.changes import Change, planned
from ivr.workshop.words.examples import example
from ivr.workshop.words.review import Reviewed, Wanted, reviewed
from ivr.workshop.words.saving import checked, put
from ivr.workshop.words.sheet import exported, imported

MOST_RENDERED = 4  # at once: the voices are the callers'
LONGEST_LIST = 20  # of changes, in the audit log

Render = Callable[[str, str, str, str], Awaitable[Clip]]
"""(text, language, voice, recording)."""


class WordingDesk:
    """Implements ``ivr.web.backend.Words``. ``facts``: as the checker knows the line now. ``render``: as callers hear
    it."""

    def __init__(
        self,
        config: Config,
        facts: Callable[[], LineFacts],
        releases: Releases,
        render: Render,
        audit: AuditLog,
        check: Check | None = None,
    ) -> None:
        self._config, self._folder, self._facts = config, config.flows.directory, facts
        self._releases, self._render, self._audit, self._check = releases, render, audit, check
        self._company = company_of(config)
        self._lengths = PromptLengths(config.speech)
        self._known: tuple[Mapping[str, str], object, Catalogue] | None = None
        self._earlier: tuple[object, Sequence[Catalogue]] = (None, ())
        self._undo: dict[str, Mapping[str, tuple[str | None, str]]] = {}  # by whom: file -> before, digest after
        self._rendering = 0
        self._one_at_a_time = asyncio.Lock()

    async def search(self, wanted: Mapping[str, str], start: int, most: int) -> WordsFound:
        catalogue = await self._catalogue()
        rows = await aside(self._rows, catalogue, wanted)
        texts = catalogue.texts()
        return WordsFound(
            [_shown(row) for row in rows[start : start + most]],
            len(rows),
            tuple(dict.fromkeys(text.language for text in texts)),
            tuple(dict.fromkeys(text.persona for text in texts)),
            tuple(dict.fromkeys(text.unit.owner for text in texts)),
        )

    async def sheet(self, wanted: Mapping[str, str]) -> str:
        catalogue = await self._catalogue()
        return await aside(lambda: exported(self._rows(catalogue, wanted)))

    async def read_sheet(self, data: bytes) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
        catalogue = await self._catalogue()
        changes = await aside(imported, data)
        plan = await aside(planned, catalogue, changes)
        await aside(checked, catalogue.library.sources, plan, self._facts(), self._check)
        kept = [c for c in changes if any(told.startswith(f"{c.key}: ") for told in plan.told)]
        return [{name: getattr(c, name) for name in c.__slots__} for c in kept], plan.told

    async def save(self, by: str, changes: Sequence[Mapping[str, Any]]) -> Sequence[str]:
        async with self._one_at_a_time:
            catalogue = await self._catalogue()
            plan = await aside(planned, catalogue, [Change(**change) for change in changes])
            if not plan.edits:
                return ()
            before = catalogue.library.sources
            changed = await aside(checked, before, plan, self._facts(), self._check)
            await self._note(by, "words.changed", [edit.file for edit in plan.edits], plan.told)
            await aside(put, self._folder, plan, changed)
            self._undo[by] = {name: (before.get(name), digest_of(text)) for name, text in changed.items()}
            return plan.told

    async def undo(self, by: str) -> Sequence[str]:
        async with self._one_at_a_time:
            saved = self._undo.get(by)
            if not saved:
                raise FlowError("there is nothing of yours to take back")
            now = await aside(read_directory, self._folder)
            if changed := [name for name, (_, digest) in saved.items() if digest_of(now.get(name)) != digest]:
                raise EditConflict(f"{', '.join(changed)}: changed by somebody else since; nothing was taken back")
            await self._note(by, "words.taken_back", list(saved), ())
            await aside(self._put_back, {name: before for name, (before, _) in saved.items()})
            del self._undo[by]
            return tuple(saved)

    def _put_back(self, texts: Mapping[str, str | None]) -> None:
        try:
            write(self._folder, {name: text for name, text in texts.items() if text is not None})
            for name, text in texts.items():
                if text is None:
                    (self._folder / name).unlink()
        except OSError as error:
            raise FlowError(f"{error.filename}: {error.strerror}") from error

    async def sound(self, key: str, text: str) -> bytes | None:
        catalogue = await self._catalogue()
        found = next((each for each in catalogue.texts() if each.key == key), None)
        if found is None:
            return None
        if self._rendering >= MOST_RENDERED:
            raise UnavailableError("several texts are being spoken just now: try again in a moment")
        said = example(
            catalogue.library, found.unit.owner, text or found.text, found.said_in, self._company.examples
        )  # fmt: skip
        other = bool(text) and text != found.text
        language = found.language if other and found.status == "missing" else found.said_in
        self._rendering += 1
        try:
            clip = await self._render(said, language, found.voice, "" if other else found.audio)
        finally:
            self._rendering -= 1
        return wav_file(clip.pcm)

    # -- what there is -----------------------------------------------------------------------------------------------

    async def _catalogue(self) -> Catalogue:
        """Of the files as they are now. Raises FlowError where they can't be read as flows."""
        sources, head = await aside(self._read), await self._releases.head()
        if self._known is None or self._known[0] != sources or self._known[1] != head:
            earlier = await self._served(head)
            self._known = sources, head, await aside(self._made, sources, earlier)
        return self._known[2]

    def _read(self) -> Mapping[str, str]:
        try:
            return read_directory(self._folder)
        except OSError as error:
            raise FlowError(f"the flows can't be read: {error.strerror}") from error

    def _made(self, sources: Mapping[str, str], earlier: Sequence[Catalogue]) -> Catalogue:
        loaded = load_library(sources, self._company.all_signatures)
        if loaded.library is None:
            first = min(loaded.errors, key=lambda finding: finding.code != "syntax")  # of which the others come
            raise FlowError(f"the flow files can't be read: {first.file}:{first.line}: {first.why}; {first.remedy}")
        return Catalogue(loaded.library, earlier)

    async def _served(self, head: object) -> Sequence[Catalogue]:
        if self._earlier[0] != head:
            releases = await self._releases.earlier(EARLIER)
            self._earlier = head, await aside(served, releases, self._company.all_signatures)
        return self._earlier[1]

    def _rows(self, catalogue: Catalogue, wanted: Mapping[str, str]) -> list[Reviewed]:
        fits = Wanted(**wanted).fits
        return [row for row in reviewed(catalogue, self._lengths.of, self._company.examples) if fits(row)]

    async def _note(self, by: str, action: str, files: Sequence[str], told: Sequence[str]) -> None:
        after = {"changes": list(told[:LONGEST_LIST])} if told else None
        await self._audit.note(AuditEvent(by, action, ", ".join(files)[:200], after=after))


def _shown(row: Reviewed) -> Mapping[str, Any]:
    """What the page shows of a text."""
    text = row.text
    missing = text.status == "missing"
    return {
        "key": text.key, "flow": text.unit.owner, "state": text.unit.state, "what": text.what,
        "language": text.language, "persona": text.persona, "voice": text.voice_name,
        "text": "" if missing else text.text, "base": text.base or (text.text if missing else ""),
        "example": row.example if row.example != text.text else "", "seconds": row.length.seconds,
        "how": row.length.how, "status": row.status, "note": row.note, "place": row.place,
        "was": "" if missing else text.digest, "of": text.of, "said_in": text.said_in,
        "right": text.status == "out of date",
    }  # fmt: skip
