"""What the engine cannot go on from."""

from __future__ import annotations

from ivr.errors import FlowError


class Broken(FlowError):
    """The flow led where the engine cannot go; the caller goes to a human."""
