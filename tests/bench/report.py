"""The report of several benches: one table for people (Markdown that reads as it is), the same as JSON. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure

NOT_MEASURED = "NOT MEASURED: "  # how a bench says what it had to leave out
TRACEBACK = "Traceback (most recent call last):"
_HEAD = ("bench", "figure", "is", "aim", "", "neighbours", "note")
_NOTE = 110  # characters


@dataclass(frozen=True, slots=True)
class Run:
    """One bench that has run. ``status``: its exit code; ``neighbours``: cores that everybody else had meanwhile;
    ``said``: its lines."""

    name: str
    status: int
    seconds: float
    neighbours: float
    load: float
    said: Sequence[str] = ()
    figures: Sequence[Figure] = ()

    @property
    def missed(self) -> bool:
        return bool(self.status) or any(figure.met is False for figure in self.figures)

    @property
    def verdict(self) -> str:
        if self.status not in (0, 1) or (self.status and TRACEBACK in self.said):
            return f"FAILED ({self.status})"
        return "MISSED" if self.missed else "met"

    @property
    def not_measured(self) -> list[str]:
        return [line.removeprefix(NOT_MEASURED) for line in self.said if line.startswith(NOT_MEASURED)]


@dataclass(frozen=True, slots=True)
class Report:
    """``about``: what ran where; ``left_out``: benches that a short run goes without; ``growth``: the knees' words."""

    runs: Sequence[Run]
    about: Mapping[str, str]
    left_out: Sequence[str] = ()
    growth: Mapping[str, Any] = field(default_factory=dict)

    @property
    def missed(self) -> list[str]:
        return [run.name for run in self.runs if run.missed]


def table(runs: Sequence[Run]) -> list[str]:
    """Rows of equal width: a row for each figure, and one for each bench as a whole."""
    rows: list[tuple[str, ...]] = [_HEAD, tuple("---" for _ in _HEAD)]
    for run in runs:
        rows += [_row(run, figure) for figure in run.figures]
        last = next((line for line in reversed(run.said) if line and not line.startswith(NOT_MEASURED)), "")
        whole = (run.name, "its aims, as a whole", "", "", run.verdict, f"{run.neighbours:.2f}")
        rows.append((*whole, f"{run.seconds:.0f} s, load {run.load:.1f}; {last.strip()}"[:_NOTE].replace("|", "/")))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return [
        "| " + " | ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]


def _padded(cell: str, width: int) -> str:
    return "-" * width if cell == "---" else cell.ljust(width)


def _row(run: Run, figure: Figure) -> tuple[str, ...]:
    aim = "" if figure.aim is None else f"{'≤' if figure.at_most else '≥'} {figure.aim:g}"
    met = {True: "met", False: "MISSED", None: ""}[figure.met]
    neighbours = run.neighbours if figure.neighbours is None else figure.neighbours
    value = f"{shown(figure.value)} {figure.unit}".strip()
    return run.name, figure.name, value, aim, met, f"{neighbours:.2f}", figure.note.replace("|", "/")[:_NOTE]


def shown(value: float) -> str:
    """Three digits that matter, and all of what is before the point."""
    if not math.isfinite(value):
        return "none"
    if value == int(value) or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def markdown(report: Report) -> str:
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield from ("# Bench", "", "; ".join(f"{name} {value}" for name, value in report.about.items()), "")
    yield "Neighbours: cores that everybody else on the machine had meanwhile. Compare only rows where these are alike."
    yield from ("", *table(report.runs))
    for kind, knee in report.growth.get("knees", {}).items():
        yield from ("", f"**How it grows, {kind}.** " + " ".join(knee["words"]))
    if report.growth:
        yield from ("", "![how the line grows](growth.svg)")
    gone = [f"- not measured, {run.name}: {what}" for run in report.runs for what in run.not_measured]
    if report.left_out:
        gone.append(f"- left out of a short run: {', '.join(report.left_out)}")
    if gone:
        yield from ("", *gone)
    yield from ("", f"Missed or failed: {', '.join(report.missed)}." if report.missed else "All aims were met.")


def as_data(report: Report) -> dict[str, Any]:
    return {
        "about": dict(report.about),
        "left_out": list(report.left_out),
        "missed": report.missed,
        "runs": [
            {
                **{"name": run.name, "status": run.status, "verdict": run.verdict, "seconds": round(run.seconds, 1)},
                **{"neighbours": round(run.neighbours, 3), "load": round(run.load, 2)},
                "not_measured": run.not_measured,
                "figures": [
                    {**asdict(figure), "value": _finite(figure.value), "met": figure.met} for figure in run.figures
                ],
            }
            for run in report.runs
        ],
        "growth": dict(report.growth),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def write(report: Report, folder: Path) -> list[Path]:
    """The report as ``bench.md`` and ``bench.json`` in ``folder``."""
    contents = {"bench.md": markdown(report), "bench.json": json.dumps(as_data(report), ensure_ascii=False, indent=1)}
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8")
    return [folder / name for name in contents]
