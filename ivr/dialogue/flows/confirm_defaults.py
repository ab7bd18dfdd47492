"""Defaults of confirmations: what a flow says once about asking before it acts, given to each state that acts.

Merged when the library is put together, so that engine, checker and explanations see states as if each had said it.
"""

from __future__ import annotations

from collections.abc import Mapping

from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.signature import ActionSignature
from ivr.dialogue.flows.state import Confirm, State


def confirmed(flow: Flow, signatures: Mapping[str, ActionSignature]) -> Flow:
    """States that change something take what they leave out. What only looks something up asks where it says so."""
    usual = flow.defaults.confirm
    if usual is None:
        return flow
    states = {sid: _with(state, usual) if _changes(state, signatures) else state for sid, state in flow.states.items()}
    return flow.model_copy(update={"states": states})


def _changes(state: State, signatures: Mapping[str, ActionSignature]) -> bool:
    if state.http is not None:
        return state.http.risk != "none"
    signature = signatures.get(state.action)
    return signature is not None and signature.risk != "none"


def _with(state: State, usual: Confirm) -> State:
    own = state.confirm
    said = own.model_fields_set if own is not None else frozenset[str]()
    values = {name: getattr(own if name in said else usual, name) for name in Confirm.model_fields}
    return state.model_copy(update={"confirm": Confirm.model_construct(set(said | usual.model_fields_set), **values)})
