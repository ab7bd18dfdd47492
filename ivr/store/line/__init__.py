"""The line of waiting callers in the database: places, agents, offers."""

from ivr.store.line.line_tables import LineTables

__all__ = ["LineTables"]
