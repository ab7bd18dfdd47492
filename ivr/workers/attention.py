"""A watchdog's own attention. Pure: times are passed in, seconds."""

from __future__ import annotations


class Attention:
    """Since when somebody has been looking without a lapse.

    Whoever was stopped, or got no processor, for longer than ``lapse_s`` cannot tell how long others were silent: what
    they said waits to be read. Silence counts from ``since`` at the earliest.
    """

    def __init__(self, now: float, lapse_s: float) -> None:
        self.since = now
        self._looked_at = now
        self._lapse_s = lapse_s

    def look(self, now: float) -> None:
        """To be called regularly, well within ``lapse_s``."""
        if now - self._looked_at > self._lapse_s:
            self.since = now
        self._looked_at = now
