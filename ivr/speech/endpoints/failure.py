"""The failure of an endpoint."""

from __future__ import annotations

from ivr.errors import SpeechUnavailable


class EndpointFailed(SpeechUnavailable):
    """An endpoint did not do what it was asked. ``refused``: nor will it until somebody acts. ``wait_s``: it asks to be
    left alone for so long."""

    def __init__(self, message: str, *, refused: bool = False, wait_s: float = 0.0, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.refused = refused
        self.wait_s = wait_s
