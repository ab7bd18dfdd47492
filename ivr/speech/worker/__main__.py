"""A speech worker's command line, ``python -m ivr.speech.worker ROLE FD``: ROLE is "listen" or "speak".

The loop runs voice activity for all its calls; recognition and synthesis run in threads (the libraries release the
GIL), so that one call's recognition never delays another's voice activity.
"""

from __future__ import annotations

import asyncio
import os
import sys

from ivr.speech.worker.recognition import RecognitionWorker
from ivr.speech.worker.synthesis import SynthesisWorker
from ivr.workers.frames import inherited
from ivr.workers.link import serve

_NICENESS = 5  # media and the line go first
_SWITCH_S = 0.001  # Python threads yield to the voice-activity loop sooner than the default 5 ms


def main() -> None:
    os.nice(_NICENESS)
    sys.setswitchinterval(_SWITCH_S)
    asyncio.run(serve(inherited(), RecognitionWorker if sys.argv[1] == "listen" else SynthesisWorker))
    os._exit(0)  # threads deep inside a model must not keep a worker alive that nobody listens to


if __name__ == "__main__":
    main()
