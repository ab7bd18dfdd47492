"""What distinguishes one kind of worker process from another: module, patience, errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ivr.errors import UnavailableError


@dataclass(frozen=True, slots=True)
class Role:
    """One kind of worker. ``module``: its name and arguments; ``title`` stands in messages, ``name`` in the log.

    A worker silent for ``start_s`` before it is ready, or for ``hung_after_s`` since, is replaced like one that died.
    ``errors``: what it may refuse with; the first is raised for everything else that goes wrong with it.
    ``socket_buffer``: bytes that the kernel is to hold for each end, 0 for its own choice.
    """

    name: str
    title: str
    module: Sequence[str]
    errors: Sequence[type[UnavailableError]]
    remedy: str
    start_s: float
    hung_after_s: float
    socket_buffer: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
