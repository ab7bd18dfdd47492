"""The line of waiting callers in the database: places, agents, offers."""

from ivr.store.line.line_tables import LineTables
from ivr.store.line.turn import Snapshot

__all__ = ["LineTables", "Snapshot"]
