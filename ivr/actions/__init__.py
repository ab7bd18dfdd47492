"""What flows can do, for any company: typed actions, the promise to call back, and a company's own HTTP services."""

from ivr.actions.invocation import ActionSet
from ivr.actions.registry import EVERYWHERE, ActionRegistry

__all__ = ["EVERYWHERE", "ActionRegistry", "ActionSet"]
