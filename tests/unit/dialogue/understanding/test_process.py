"""The line's process stays without numpy: understanding and checking are plain Python."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
from ivr.dialogue.checker import check
from ivr.dialogue.spoken.similarity import confusable
from ivr.dialogue.understanding.lexicon import Vocabulary, lexicon
from ivr.events import Term
words = (Term("1", "Vertigo"), Term("2", "Metropolis"))
spots = Vocabulary([lexicon(words, "en-US")]).spot(("put", "vertgo"), frozenset({"put"}))
assert [spot.term.id for spot in spots] == ["1"] and confusable("move it", "move eat")
sys.exit("numpy" in sys.modules)
"""


def test_no_numpy() -> None:
    assert subprocess.run([sys.executable, "-c", SCRIPT], check=False).returncode == 0
