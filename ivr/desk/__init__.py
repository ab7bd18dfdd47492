"""The desk: hours, routing to live agents, and the context that travels with a call."""

from ivr.desk.desk import ConfiguredDesk
from ivr.desk.line import WaitingLine

__all__ = ["ConfiguredDesk", "WaitingLine"]
