"""Drafts of flow files, as the store keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class DraftFile:
    """A file that a draft changes. ``base``: the folder's text that it was made of, None for a new file; ``text``:
    None where the file goes."""

    name: str
    base: str | None
    text: str | None
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """``files``: those that it changes, by name."""

    id: str
    owner: str
    created_at: datetime
    changed_at: datetime
    files: Mapping[str, DraftFile] = field(default_factory=dict)


class DraftStore(Protocol):
    """Methods raise StoreUnavailable. What changes a draft is audited, with digests of the texts."""

    async def begin(self, owner: str) -> str: ...
    async def all(self) -> Sequence[Draft]:
        """The newest change first."""

    async def find(self, draft: str) -> Draft | None: ...
    async def put(
        self, draft: str, name: str, by: str, *, base: str | None, text: str | None, known: DraftFile | None
    ) -> bool:
        """Keep ``text``; a text that is its base is no change, and is not kept. ``known``: the file as the draft was
        read. False, and nothing is done, when somebody changed it meanwhile, or there is no such draft."""

    async def drop(self, draft: str, by: str) -> bool:
        """False when there was none."""
