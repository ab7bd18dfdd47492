"""Pending recognitions: utterances that have ended and are not read yet, and whether their reading is still wanted."""

from __future__ import annotations


class PendingRecognitions:
    """One call's. Recognisers answer in the order in which was spoken."""

    def __init__(self) -> None:
        self._pending = 0
        self._overtaken = 0  # of those, the first ones that a key came before

    def __bool__(self) -> bool:
        return self._pending > self._overtaken

    def spoken(self) -> None:
        """An utterance has ended."""
        self._pending += 1

    def keyed(self, *, unended: bool = False) -> None:
        """Who keys does not wait for what they said; ``unended``: nor for what the recogniser has not come to yet."""
        self._overtaken = self._pending + unended

    def read(self) -> bool:
        """A reading has come: whether it is still wanted."""
        overtaken = self._overtaken > 0
        self._pending = max(0, self._pending - 1)
        self._overtaken = max(0, self._overtaken - 1)
        return not overtaken

    def lost(self) -> None:
        """The recogniser is gone, and its readings with it."""
        self._pending = self._overtaken = 0
