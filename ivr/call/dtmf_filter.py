"""DTMF filter: one press is one digit, though the same key may arrive as RTP event, SIP INFO and tone."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.events import Digit, DigitSource

# Gateways that tell of a press twice do so while it lasts or at its end, SIP some time after RTP.
SAME_PRESS_S = 0.4


@dataclass(slots=True)
class _Press:
    sources: set[DigitSource]
    until: float | None  # None while it lasts


class KeyFilter:
    """Drops what another transport tells of a press that is known; a transport is believed not to repeat itself."""

    def __init__(self) -> None:
        self._presses: dict[str, list[_Press]] = {}

    def admit(self, digit: Digit, now: float) -> bool:
        """True for a new press. ``now``: seconds on any monotonic clock."""
        presses = [p for p in self._presses.get(digit.key, ()) if p.until is None or now - p.until < SAME_PRESS_S]
        self._presses[digit.key] = presses
        for press in presses:  # the oldest first: of two presses, INFO tells in the same order as RTP
            if digit.source not in press.sources:
                press.sources.add(digit.source)
                if press.until is not None:
                    press.until = None if digit.held else now
                return False
        presses.append(_Press({digit.source}, None if digit.held else now))
        return True

    def released(self, key: str, now: float) -> None:
        """The key is up again; it may have been told of after it was pressed for long."""
        presses = self._presses.get(key, [])
        for press in [press for press in presses if press.until is None] or presses[-1:]:
            press.until = now

    def lost(self, now: float) -> None:
        """The media are: nobody will say that a key which is down goes up."""
        for presses in self._presses.values():
            for press in presses:
                press.until = now if press.until is None else press.until
