"""A line whose journal commits each write by itself, as it was before writes were gathered: the floor of a bench.

``python -m tests.bench.ungathered_line serve …``: all else is ``ivr serve``.
"""

from __future__ import annotations

import sys

from ivr.__main__ import main
from ivr.store import writer

if __name__ == "__main__":
    writer.GATHER_S = 0.0
    writer.GATHERED = 1
    sys.exit(main())
