"""``python -m ivr.media.process FD``: started by ``ivr.media.engine`` with an inherited socket, not by people."""

from __future__ import annotations

import sys

from ivr.media.process.ticker import serve

if __name__ == "__main__":
    serve(int(sys.argv[1]))
