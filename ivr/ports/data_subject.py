"""What is kept about one person, table by table: shown to them, and deleted when they ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class KeptRows:
    """Rows of one table, ready for JSON. ``stays``: why they are not deleted when the person is forgotten; "" where
    they are."""

    table: str
    rows: Sequence[Mapping[str, Any]]
    stays: str = ""
