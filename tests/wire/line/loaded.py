"""The line's program, which says at its end what it has imported: names of modules, a line each, in the file LOADED."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ivr.__main__ import main

if __name__ == "__main__":
    code = main()
    Path(os.environ["LOADED"]).write_text("\n".join(sorted(sys.modules)), encoding="utf-8")
    sys.exit(code)
