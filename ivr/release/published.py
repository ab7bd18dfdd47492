"""What a publication from a draft needs and leaves: how the folder is written, and whether it could be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ivr.errors import FlowError

Write = Callable[[Mapping[str, str | None]], None]
"""Puts texts into the folder's files, None: the file goes. Raises OSError, and then has changed nothing."""


class FilesChanged(FlowError):
    """Somebody else changed the folder since it was looked at."""


@dataclass(frozen=True, slots=True)
class Published:
    """``unwritten``: why the folder has not got what is live; "" where it has."""

    version: str
    unwritten: str = ""
