"""Loading: the installed encoder with the classifiers that were fitted with it, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ivr.dialogue.understanding.classifier import LearningClassifiers
from ivr.embedding.installation import REMEDY, Installed, installed

WORDS_ALONE = "by their words alone"


@dataclass(frozen=True, slots=True)
class Understanding:
    """``classifiers`` is None where paraphrases are read by their words alone."""

    installed: Installed
    classifiers: LearningClassifiers | None

    @property
    def state(self) -> str:
        """For people: by what, or why not."""
        if self.classifiers is not None:
            return f"sentence embedding {self.installed.key}"
        return f"{WORDS_ALONE}: the sentence embedding is {self.installed.trouble} ({REMEDY})"


def understanding(cache: Path | None = None, *, on_demand: bool) -> Understanding:
    """Loads the engine: a tenth of a second. ``cache``: where fitted classifiers are kept; None: with the weights.

    ``on_demand``: classifiers are fitted when they are first asked for, which takes seconds; else only by ``learn``."""
    found = installed()
    if not found.key:
        return Understanding(found, None)
    try:
        from ivr.embedding.classifiers import StoredClassifiers
        from ivr.embedding.encoder import Encoder

        encoder = Encoder(found.folder, found.key)
    except Exception as error:  # whatever the engine raises for files that it can't use: words alone serve
        return Understanding(Installed(found.folder, trouble=f"not to be loaded: {error}"), None)
    return Understanding(found, StoredClassifiers(encoder, cache or found.folder / "fitted", on_demand=on_demand))


@lru_cache(maxsize=4)
def rehearsing(cache: Path | None = None) -> LearningClassifiers | None:
    """For tools that may take seconds, once a process."""
    return understanding(cache, on_demand=True).classifiers
