"""Text edits: what is to change in a folder's files, held against the very texts that somebody looked at.

One idea for whoever saves flow files, by hand or by a sheet: a ``FileEdit`` names the digest of the text that it was
made for; where the file is another one by now, nothing is changed at all. ``applied`` is pure, ``write`` puts files
into place whole.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ivr.errors import FlowError

ABSENT = ""
"""The digest of a file that isn't there."""


class EditConflict(FlowError):
    """Somebody else changed a file since it was looked at."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """``text`` instead of what stands from ``start`` up to ``end``, in characters."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class FileEdit:
    """What changes in one file. ``digest``: of the text that it is made for, ABSENT for a new file."""

    file: str
    digest: str
    replacements: tuple[Replacement, ...]


def digest_of(text: str | None) -> str:
    """Of a whole file as ``read_file`` has it; ABSENT for none."""
    return ABSENT if text is None else hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def replaced(text: str, replacements: Sequence[Replacement]) -> str:
    """Raises ValueError for replacements that overlap, or reach beyond the text."""
    parts, at = [], 0
    for each in sorted(replacements, key=lambda each: (each.start, each.end)):
        if not at <= each.start <= each.end <= len(text):
            raise ValueError("these edits overlap")
        parts += [text[at : each.start], each.text]
        at = each.end
    return "".join((*parts, text[at:]))


def applied(sources: Mapping[str, str], edits: Sequence[FileEdit]) -> dict[str, str]:
    """The texts of the files that change, by name; all of them or none. Raises EditConflict."""
    changed: dict[str, str] = {}
    for edit in edits:
        before = sources.get(edit.file)
        if digest_of(before) != edit.digest:
            now = "is gone" if before is None else "was changed by somebody else meanwhile"
            raise EditConflict(f"{edit.file} {now}; nothing was saved", remedy="load it again, then make your change")
        after = replaced(before or "", edit.replacements)
        if after != before:
            changed[edit.file] = after
    return changed


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Each file in place at once, never half of it; all are written before the first is put into place. Line ends, a
    byte order mark and permissions stay. Raises OSError."""
    ready: list[tuple[Path, Path]] = []
    try:
        for name, text in texts.items():
            path = (folder / name).resolve()  # a link stays one
            part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")  # hidden: no file of the library
            ready.append((part, path))
            _write_part(part, path, text)
        for part, path in ready:
            part.replace(path)
    finally:
        for part, _ in ready:
            part.unlink(missing_ok=True)


def _write_part(part: Path, path: Path, text: str) -> None:
    before = path.read_bytes() if path.is_file() else b""
    with part.open("w", encoding="utf-8", errors="surrogateescape", newline=_ends(before)) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if path.is_file():
        part.chmod(path.stat().st_mode & 0o777)


def _ends(before: bytes) -> str:
    return "\r\n" if b"\r\n" in before else "\n"
