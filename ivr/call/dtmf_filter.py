"""DTMF filter: one press is one digit, though the same key may arrive as RTP event, SIP INFO and tone."""

from __future__ import annotations

from ivr.events import Digit

# Gateways that send a key twice do so within a few packets; people need longer to press again.
SAME_PRESS_S = 0.25


class KeyFilter:
    """Drops a key that another transport just reported."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, float]] = {}

    def admit(self, digit: Digit, now: float) -> bool:
        """True for a new press. ``now``: seconds on any monotonic clock."""
        previous = self._last.get(digit.key)
        if previous is not None:
            source, at = previous
            if source != digit.source and now - at < SAME_PRESS_S:
                return False
        self._last[digit.key] = (digit.source, now)
        return True
