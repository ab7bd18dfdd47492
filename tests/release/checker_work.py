"""What the checker's process is given in tests: a module that it imports at once."""

from __future__ import annotations

import re

from ivr.errors import FlowError


def endless() -> None:
    """As a catastrophic phrase would: one match, in which the interpreter does nothing else."""
    re.match(r"(a+)+$", "a" * 60 + "b")


def refused() -> None:
    raise FlowError("not so", remedy="otherwise")


def greedy() -> int:
    """More than a check may have."""
    return len(bytearray(3 << 30))
