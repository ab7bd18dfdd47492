"""A subject access file: what is kept about one person as a folder or ZIP of JSON, readable transcripts and WAV files.

``index.json`` says what is in it, how much, and what of it ivr forget deletes; ``tables/`` has the rows, ``calls/``
each call's words as text, ``recordings/`` the sound.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ivr.errors import ConfigError, RecordingUnreadable
from ivr.ports.data_subject import KeptRows
from ivr.record import Entry, Keyed, Prompted, Spoken, Understood
from ivr.recording.archive import Archive

DELETES = "ivr forget deletes these"
ZIP = ".zip"
_SAID = {Prompted: "line", Understood: "caller", Keyed: "caller (key)"}


async def write(
    target: Path, whose: Mapping[str, Any], kept: Sequence[KeptRows], archive: Archive, by: str, at: datetime
) -> Sequence[str]:
    """Make ``target``, a ZIP where it is called so, else a folder: all of it or nothing. The recordings that can't be
    read, and why. Raises ConfigError where there is something already, OSError, StoreUnavailable."""
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise ConfigError(f"{target} is there already", remedy="name a new folder, or a new file that ends in .zip")
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))  # for this user only
    try:
        unread = await _filled(made, whose, kept, archive, by, at)
        if target.suffix.lower() == ZIP:
            packed = made.with_suffix(".part")
            try:
                _packed(made, packed)
                packed.replace(target)
            finally:
                packed.unlink(missing_ok=True)
        else:
            made.replace(target)
        return unread
    finally:
        shutil.rmtree(made, ignore_errors=True)


async def _filled(
    folder: Path, whose: Mapping[str, Any], kept: Sequence[KeptRows], archive: Archive, by: str, at: datetime
) -> Sequence[str]:
    rows = {each.table: each.rows for each in kept}
    unread = [problem for row in rows.get("recordings", ()) if (problem := await _sound(folder, row, archive, by))]
    for table, listed in rows.items():
        if listed:
            _json(folder / "tables" / f"{table}.json", listed)
    for call in rows.get("calls", ()):
        entries = [row["entry"] for row in rows.get("call_entries", ()) if row["call_id"] == call["call_id"]]
        _text(folder / "calls" / f"{_named(call['call_id'])}.txt", _transcript(call, entries))
    index = {
        "whose": dict(whose),
        "exported_at": at.isoformat(),
        "tables": {each.table: {"rows": len(each.rows), "stays": each.stays or DELETES} for each in kept if each.rows},
        "recordings_that_can_not_be_read": unread,
    }
    _json(folder / "index.json", index)
    return unread


async def _sound(folder: Path, row: Mapping[str, Any], archive: Archive, by: str) -> str:
    """Why it can't be read; "" for a recording that is written."""
    name = str(row["name"])
    try:
        player = await archive.open(name, by)
        if player is None:
            return f"{name}: it was deleted just now"
        try:
            data = b"".join([piece async for piece in player.read(0, player.size)])
        finally:
            await player.close()
    except RecordingUnreadable as error:
        return f"{name}: {error}"
    path = folder / "recordings" / f"{name}.wav"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return ""


def _transcript(call: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> str:
    lines = [f"Call {call['call_id']} from {call['caller'] or 'a withheld number'} to {call['called']}"]
    lines.append(f"began {call['started_at']}, ended {call['ended_at']}: {call['outcome']}")
    for entry in map(Entry.from_json, entries):
        what = entry.what
        who = what.by if isinstance(what, Spoken) else _SAID.get(type(what), "")
        said = what.key if isinstance(what, Keyed) else getattr(what, "text", "")
        if who and said:
            lines.append(f"{entry.at:%H:%M:%S}  {who}: {said}")
    return "\n".join(lines) + "\n"


def _named(text: str) -> str:
    """A file's name that stays in its folder."""
    return "".join(each if each.isalnum() or each in "-_" else "_" for each in text) or "_"


def _json(path: Path, value: object) -> None:
    _text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _packed(folder: Path, target: Path) -> None:
    target.touch(mode=0o600, exist_ok=False)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.rglob("*")):
            packed.write(path, path.relative_to(folder))
