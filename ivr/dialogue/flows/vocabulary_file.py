"""Vocabulary files: CSV (RFC 4180) as spreadsheets write it, one term a row: ``id``, ``label``, ``spoken``.

Columns are told by the header, in any order, separated by commas, semicolons or tabs. Without ``id`` a term is known by
its label. Other ways to say it stand in ``spoken``, separated by ``|``, or in more columns that begin with ``spoken``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.yaml_tree import MAX_BYTES, MAX_FAULTS
from ivr.events import Term

SUFFIX = ".csv"
MOST_TERMS = 20_000
_SEPARATORS = (",", ";", "\t")
_COLUMNS = "write id,label,spoken above the first row"


@dataclass(frozen=True, slots=True)
class VocabularyFile:
    """``terms`` are what could be read where there are findings."""

    terms: tuple[Term, ...]
    findings: tuple[Finding, ...] = ()


def read_vocabulary(name: str, text: str) -> VocabularyFile:
    """Never raises. ``text`` as ``source.read_file`` has it."""
    reader = _Reader(name)
    reader.read(text)
    return VocabularyFile(tuple(reader.terms.values()), tuple(reader.findings[:MAX_FAULTS]))


class _Reader:
    def __init__(self, name: str) -> None:
        self.name = name
        self.terms: dict[str, Term] = {}
        self.findings: list[Finding] = []

    def add(self, code: str, line: int, text: str, why: str, remedy: str) -> None:
        self.findings.append(Finding(code, "error", self.name, line, 1 if line else 0, text, why, remedy))

    def read(self, text: str) -> None:
        if len(text) > MAX_BYTES:
            why, remedy = f"the file is larger than {MAX_BYTES:,} bytes", "let a service: have it, or split it"
            self.add("too-large", 0, "", why, remedy)
            return
        text = text.removeprefix("\ufeff")
        if stray := next((number for number, line in enumerate(text.split("\n"), 1) if _garbled(line)), 0):
            why, remedy = "this is no UTF-8", "save it as CSV UTF-8: callers' names would be said wrong"
            self.add("not-utf8", stray, "", why, remedy)
            return
        header = next((line for line in text.split("\n") if line.strip()), "")
        separator = max(_SEPARATORS, key=header.count)
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        try:
            self._rows(_numbered(rows))
        except csv.Error as error:
            self.add("bad-csv", rows.line_num, "", f"this row cannot be read: {error}", "close every quote")

    def _rows(self, rows: Iterator[tuple[int, list[str]]]) -> None:
        number, header = next(rows, (1, []))
        columns = [column.strip().lower() for column in header]
        if "label" not in columns:
            why = "there is no column label" if header else "the file is empty"
            self.add("no-label-column", number, ",".join(header), why, _COLUMNS)
            return
        for column in columns:
            if columns.count(column) > 1 or not (column in ("id", "label") or column.startswith("spoken")):
                why = f"there is no column {column}" if columns.count(column) == 1 else f"{column} is there twice"
                self.add("unknown-column", number, column, why, _COLUMNS)
                return
        for number, row in rows:
            if len(row) > len(columns) and any(cell.strip() for cell in row[len(columns) :]):
                why = f"this row has {len(row)} cells and the header {len(columns)}"
                self.add("bad-row", number, row[len(columns)], why, 'quote a name that has the separator: "Hart, Ada"')
                continue
            self._term(number, dict(zip(columns, (cell.strip() for cell in row), strict=False)))

    def _term(self, number: int, cells: dict[str, str]) -> None:
        label = cells.get("label", "")
        if not label:
            self.add("blank-label", number, "", "this row has no label, so nobody could say it", "give it one")
            return
        term_id = cells.get("id") or label
        if term_id in self.terms:
            why = f"{term_id} is already the id of {self.terms[term_id].label}"
            self.add(
                "duplicate-term", number, term_id, why, "give each row an id of its own, or join their spoken forms"
            )
            return
        if len(self.terms) == MOST_TERMS:
            why = f"a vocabulary has at most {MOST_TERMS:,} terms"
            self.add("too-many-terms", number, label, why, "split it by what callers are asked first")
            return
        ways = [way.strip() for column, cell in cells.items() if column.startswith("spoken") for way in cell.split("|")]
        self.terms[term_id] = Term(term_id, label, tuple(dict.fromkeys(way for way in ways if way and way != label)))


def _garbled(line: str) -> bool:
    return any(0xD800 <= ord(character) <= 0xDFFF for character in line) or "\0" in line


def _numbered(rows: Iterator[Sequence[str]]) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold anything, with the line that each ends in."""
    for row in rows:
        if any(cell.strip() for cell in row):
            yield rows.line_num, list(row)  # type: ignore[attr-defined]  # a csv.reader's
