"""What flows can do: typed actions on members and their queues, and on a company's own HTTP services."""

from ivr.actions.registry import StoreActions, signatures

__all__ = ["StoreActions", "signatures"]
