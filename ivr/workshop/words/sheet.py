"""The sheet: spoken texts as CSV for translators, and what they wrote in it, read back.

UTF-8 with a byte order mark, so that spreadsheet programs read accents right. A cell that one would take for a formula
begins with an apostrophe, which is taken away again when it is read. CSV and no workbook: every spreadsheet opens and
saves it, Python writes it without another package, and two of them can be compared line by line.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

from ivr.workshop.words.changes import Change, ChangesRefused
from ivr.workshop.words.review import Reviewed

COLUMNS = (
    *("key", "language", "persona", "state", "what", "translates", "text", "still right", "status", "seconds"),
    *("length", "example", "place", "was", "of"),
)
NEEDED = ("key", "text")
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_YES = frozenset({"x", "yes", "y", "1", "true", "sí", "si", "ok", "✓"})
_MOST = 20_000_000  # bytes


def exported(rows: Sequence[Reviewed]) -> str:
    """Every row, text that a spreadsheet doesn't calculate with. Lines end as RFC 4180 has it."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        text = row.text
        cells = (
            *(text.key, text.language, text.persona, _state(row), text.what, text.base, _own(row), "", row.status),
            *(f"{row.length.seconds:.1f}", row.length.how, row.example, row.place, text_digest_of(row), text.of),
        )
        writer.writerow([guarded(str(cell)) for cell in cells])
    return "\ufeff" + out.getvalue()


def _state(row: Reviewed) -> str:
    unit = row.text.unit
    return f"{unit.owner}.{unit.state}" if unit.state else unit.owner


def _own(row: Reviewed) -> str:
    """Empty where a translator has to write it."""
    return "" if row.text.status == "missing" else row.text.text


def text_digest_of(row: Reviewed) -> str:
    return "" if row.text.status == "missing" else row.text.digest


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def imported(data: bytes) -> tuple[Change, ...]:
    """What stands in a sheet, whatever separates its columns. Raises ChangesRefused."""
    rows = list(_rows(_decoded(data)))
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    if lacking := [name for name in NEEDED if name not in header]:
        raise ChangesRefused(
            [f"the sheet has no column {' and '.join(lacking)}: keep the first line as it was exported"]
        )
    found, reasons = [], []
    for number, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) > len(header):
            reasons.append(
                f"line {number} of the sheet has more cells than columns: a text with commas stands in quotes"
            )
            continue
        cells = dict(zip(header, map(unguarded, row), strict=False))
        if not (key := cells.get("key", "").strip()):
            reasons.append(f"line {number} of the sheet has no key: rows can't be added in it")
            continue
        right = cells.get("still right", "").strip().lower() in _YES
        text = " ".join(cells.get("text", "").split())
        found.append(Change(key, text, cells.get("was", "").strip(), cells.get("of", "").strip(), right))
    if reasons:
        raise ChangesRefused(reasons)
    return tuple(found)


def _decoded(data: bytes) -> str:
    if len(data) > _MOST:
        raise ChangesRefused([f"the sheet is larger than {_MOST:,} bytes"])
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise ChangesRefused(["this is a workbook; save it as CSV UTF-8 and import that"])
    try:
        return data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except UnicodeDecodeError:
        raise ChangesRefused(["the sheet is not UTF-8; save it as CSV UTF-8"]) from None


def _rows(text: str) -> Iterator[list[str]]:
    """A spreadsheet in Spanish, say, separates by semicolons."""
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    except csv.Error as error:
        raise ChangesRefused([f"the sheet can't be read as CSV: {error}"]) from error
