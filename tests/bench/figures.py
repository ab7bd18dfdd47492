"""Figures of a bench beside their aims, handed to whoever runs several benches: a line of JSON each."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

FILE = "IVR_BENCH_FIGURES"  # the environment's name for where they go


@dataclass(frozen=True, slots=True)
class Figure:
    """``aim`` None: a fact beside the others. ``neighbours``: cores that everybody else had meanwhile, where the bench
    knows better than who runs it."""

    name: str
    value: float
    unit: str
    aim: float | None = None
    at_most: bool = True
    neighbours: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        if self.aim is None:
            return None
        return self.value <= self.aim if self.at_most else self.value >= self.aim

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        return cls(**told)


def tell(*figures: Figure) -> None:
    """Nothing where nobody asked."""
    if file := os.environ.get(FILE):
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(asdict(figure)) + "\n" for figure in figures)


def told(file: Path) -> Sequence[Figure]:
    """Those in ``file``; a half line of a bench that was killed is none."""
    found = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        try:
            found.append(Figure.from_json(json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found
