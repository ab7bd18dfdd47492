"""The media process's command line, ``python -m ivr.media.process FD``: for ``ivr.media.engine``, not for people."""

from __future__ import annotations

from ivr.media.process.ticker import serve
from ivr.workers.frames import inherited

if __name__ == "__main__":
    serve(inherited())
