"""Findings: what is wrong with a flow file, where, why, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
"""An error keeps the flows from serving; a warning should be mended; a note is how the line is, and may stay so."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault in one place. ``line`` and ``column`` count from 1; 0 means the file as a whole.

    ``code`` is kebab-case and stable, ``text`` the offending text as it stands in the file, ``path`` the
    counter-example: states ("flow.state") in the order a call would pass them, with what leads from one to the next."""

    code: str
    severity: Severity
    file: str
    line: int
    column: int
    text: str
    why: str
    remedy: str
    path: tuple[str, ...] = ()

    def render(self) -> str:
        """For a terminal: ``file:line:column: error: why [code]``, then the text, the path and the remedy, indented."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        lines = [f"{place}: {self.severity}: {self.why} [{self.code}]"]
        if self.text:
            lines.append(f"    | {_short(self.text)}")
        if self.path:
            lines.append(f"    path: {' > '.join(self.path)}")
        lines.append(f"    remedy: {self.remedy}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """The same as plain JSON values."""
        return asdict(self)


def _short(text: str, limit: int = 100) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sorted by file, line, column, and each said once."""
    unique = dict.fromkeys(findings)
    return tuple(sorted(unique, key=lambda f: (f.file, f.line, f.column, f.severity, f.code, f.why)))
