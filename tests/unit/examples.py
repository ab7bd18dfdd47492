"""How many examples Hypothesis makes up for a test: few in the suite, with IVR_EXAMPLES=20 twenty times as many."""

from __future__ import annotations

import os

from hypothesis import settings

TIMES = int(os.environ.get("IVR_EXAMPLES", "0"))


def examples(count: int) -> settings:
    """``count`` of them in the suite."""
    return settings(max_examples=count * (TIMES or 1))
