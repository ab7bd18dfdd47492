"""The desk: hours, routing to live agents, and the context that travels with a call."""

from ivr.desk.desk import ConfiguredDesk

__all__ = ["ConfiguredDesk"]
