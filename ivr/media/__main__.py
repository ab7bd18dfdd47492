"""``python -m ivr.media FD``: started by ``ivr.media.engine`` with an inherited socket, not by people."""

from __future__ import annotations

import sys

from ivr.media.process import serve

if __name__ == "__main__":
    serve(int(sys.argv[1]))
