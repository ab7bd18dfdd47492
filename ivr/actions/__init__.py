"""What flows can do, for any company: typed actions, the promise to call back, and a company's own HTTP services."""

from ivr.actions import consent, history, http, messages, waiting
from ivr.actions.registry import ActionRegistry, ActionSet

EVERYWHERE = (*waiting.SIGNATURES, *history.SIGNATURES, *consent.SIGNATURES, *messages.SIGNATURES, *http.SIGNATURES)
"""Signatures of the actions that every company has."""

__all__ = ["EVERYWHERE", "ActionRegistry", "ActionSet"]
