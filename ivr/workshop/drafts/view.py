"""A draft as it stands: the folder's files now, and what the draft makes of each, with what others did meanwhile."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from ivr.ports.drafts import DraftFile
from ivr.workshop.drafts.merge import Clash, merge3
from ivr.workshop.edits import digest_of


@dataclass(frozen=True, slots=True)
class DraftText:
    """One file. ``text``: as the draft has it, with ``clashes`` where the folder was changed at the same lines;
    ``folder``: as it lies there; None for no file."""

    name: str
    text: str | None
    folder: str | None
    kept: DraftFile | None = None
    clashes: tuple[Clash, ...] = ()

    @property
    def state(self) -> str:
        if self.text == self.folder:
            return "same"
        return "gone" if self.text is None else "new" if self.folder is None else "changed"

    @property
    def digest(self) -> str:
        return digest_of(self.text)


def text_of(name: str, folder: str | None, kept: DraftFile | None) -> DraftText:
    """``kept``: what the draft makes of it; None for nothing."""
    if kept is None or kept.text == folder:
        return DraftText(name, folder, folder, kept)
    if kept.base == folder:
        return DraftText(name, kept.text, folder, kept)
    text, clashes = together(kept.base, kept.text, folder)
    return DraftText(name, text, folder, kept, clashes)


def diverged(was: str | None, mine: str | None, theirs: str | None) -> bool:
    """Whether ``together`` has to merge lines, which takes a while for large texts and may take very long."""
    return len({was, mine, theirs}) == 3 and was is not None and mine is not None and theirs is not None


def together(was: str | None, mine: str | None, theirs: str | None) -> tuple[str | None, tuple[Clash, ...]]:
    """As ``merge3``, for files that come and go too: a file goes only where nobody changed it."""
    if mine == theirs or theirs == was:
        return mine, ()
    if mine == was:
        return theirs, ()
    if was is None or mine is None or theirs is None:
        return mine, (Clash(1, 1, was or "", mine or "", theirs or ""),)
    merged = merge3(was, mine, theirs)
    return merged.text, merged.clashes


def draft_texts(folder: Mapping[str, str], kept: Mapping[str, DraftFile]) -> dict[str, DraftText]:
    """All files of both, by name."""
    return {name: text_of(name, folder.get(name), kept.get(name)) for name in sorted({*folder, *kept})}


def sources_of(texts: Mapping[str, DraftText]) -> dict[str, str]:
    return {name: each.text for name, each in texts.items() if each.text is not None}


def digest_of_set(sources: Mapping[str, str]) -> str:
    """Of all files with their names."""
    whole = "\n".join(f"{digest_of(text)} {name}" for name, text in sorted(sources.items()))
    return hashlib.sha256(whole.encode("utf-8", "surrogateescape")).hexdigest()[:16]
