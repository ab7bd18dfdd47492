"""What is known of the line around the flow files: everything the checker may hold them against, as one type."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ivr.dialogue.flows.model_errors import listing
from ivr.dialogue.flows.signature import ActionSignature
from ivr.events import Term
from ivr.identity import IdentityLevel


@dataclass(frozen=True, slots=True)
class LineFacts:
    """None: not known, so not checked (``unknown`` names that for whoever reads the findings).

    ``signatures``: every action by name. ``skills``: what the desk has. ``services``: names of [[flows.services]];
    ``levels``: the identity level that a service needs, whoever calls it.
    ``entries``: flows that answer a number. ``recorded(audio, language)``: whether a recording exists.
    ``vocabularies``: the terms callers may name, by vocabulary. ``recognised``, ``spoken``: languages that some
    recogniser, some synthesiser serves."""

    signatures: Mapping[str, ActionSignature] = field(default_factory=dict)
    skills: Collection[str] | None = None
    services: Collection[str] | None = None
    levels: Mapping[str, IdentityLevel] = field(default_factory=dict)
    entries: Collection[str] | None = None
    recorded: Callable[[str, str], bool] | None = None
    vocabularies: Mapping[str, Sequence[Term]] | None = None
    recognised: Collection[str] | None = None
    spoken: Collection[str] | None = None

    def unknown(self, titles: Sequence[str] = ("the catalogue",)) -> Iterator[str]:
        """What could not be checked, a sentence each. ``titles``: vocabularies that no file holds."""
        for known, what in (
            (self.skills, "whether the desk has the skills that flows ask for"),
            (self.services, "whether the services that flows call are configured, and whom they serve"),
            (self.entries, "which flows answer calls"),
            (self.recorded, "whether the recordings that prompts name are there"),
            (None if self.vocabularies is None and titles else (), f"whether titles of {listing(titles)} sound alike"),
            (self.recognised, "whether every language has a recogniser"),
            (self.spoken, "whether every language has a voice"),
        ):
            if known is None:
                yield what
