"""How one call's dialogue begins: entry, language, persona, and what is known of the call beforehand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from ivr.events import Term


@dataclass(frozen=True, slots=True)
class Installed:
    """Languages that recognisers and synthesisers serve now; None: any. Calls in others are led by keys."""

    recognised: Collection[str] | None = None
    spoken: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """Everything that distinguishes one call's dialogue from another's of the same flows.

    ``caller``, ``called``: numbers; "" where withheld. ``facts``: more of what is known, by dotted names;
    ``fact_source`` is asked at each use for those that change (``hours.open``) and returns None for what it doesn't
    know. ``seed`` chooses among prompt variants. A call in a language that nobody recognises is led by keys;
    ``keys_led``: this one is, whatever its language.
    """

    call_id: str
    entry: str = "main"
    language: str = "en-US"
    persona: str = "neutral"
    caller: str = ""
    called: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)
    vocabularies: Mapping[str, tuple[Term, ...]] = field(default_factory=dict)
    fact_source: Callable[[str], object] | None = None
    seed: int = 0
    keys_led: bool = False
    installed: Installed = Installed()

    def known(self) -> dict[str, object]:
        """The facts that every call has from its first state on."""
        return {
            "call.id": self.call_id,
            "call.caller": self.caller,
            "call.called": self.called,
            "call.language": self.language,
            **self.facts,
        }
