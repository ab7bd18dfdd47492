"""Assurance: the identity level that an action, or an http call, needs before it is done, and the one it gives.

What declares nothing: whatever identifies callers needs nothing. Where anything does so, all the rest takes it that it
touches what belongs to a caller: it needs ``likely``, and ``verified`` when it cannot be undone. Where nothing ever
identifies anybody, nothing is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.signature import ActionSignature, Risk
from ivr.dialogue.flows.state import Http, State
from ivr.identity import Identity, IdentityLevel


class Assurance:
    """What is needed and given by the actions of ``signatures`` and the http calls of ``flows``.

    ``services``: what a service of the configuration needs whoever calls it, by name."""

    def __init__(
        self,
        signatures: Mapping[str, ActionSignature],
        flows: Iterable[Flow] = (),
        services: Mapping[str, IdentityLevel] | None = None,
    ) -> None:
        self._signatures = signatures
        self._services = services or {}
        identifying = [s for s in signatures.values() if s.gives]
        calls = [s.http for flow in flows for s in flow.states.values() if s.http is not None]
        self.identifies = bool(identifying) or any(http.gives for http in calls)
        self.facts = frozenset(fact for s in identifying for fact in s.facts)
        """Facts about whoever was identified: of no use once somebody else is."""
        self.vocabularies = frozenset(name for s in identifying for name in s.vocabularies)

    def of_action(self, name: str) -> IdentityLevel:
        signature = self._signatures.get(name)
        if signature is None:
            return IdentityLevel.UNKNOWN
        if signature.needs is not None:
            return signature.needs
        return IdentityLevel.UNKNOWN if signature.gives else self._usual(signature.risk)

    def of_http(self, http: Http) -> IdentityLevel:
        least = self._services.get(http.service, IdentityLevel.UNKNOWN)
        if http.needs:
            return max(least, IdentityLevel.of_word(http.needs))
        return least if http.gives else max(least, self._usual(http.risk))

    def needed(self, state: State) -> IdentityLevel:
        """UNKNOWN for states that do nothing."""
        if state.http is not None:
            return self.of_http(state.http)
        return self.of_action(state.action) if state.action else IdentityLevel.UNKNOWN

    def declared(self, state: State) -> bool:
        """Whether the level it needs is written down, rather than the usual one."""
        if state.http is not None:
            return bool(state.http.needs) or state.http.service in self._services
        signature = self._signatures.get(state.action)
        return signature is not None and signature.needs is not None

    def given(self, state: State, outcome: str) -> Identity | None:
        """What an outcome makes the caller; None where it says nothing about who calls."""
        if state.http is not None:
            if outcome != "ok" or not state.http.gives:
                return None
            return Identity(IdentityLevel.of_word(state.http.gives), state.http.by or state.http.service)
        signature = self._signatures.get(state.action)
        return signature.gives.get(outcome) if signature is not None else None

    def _usual(self, risk: Risk) -> IdentityLevel:
        if not self.identifies:
            return IdentityLevel.UNKNOWN
        return IdentityLevel.VERIFIED if risk == "irreversible" else IdentityLevel.LIKELY
