"""Findings as they are made: where rules put them, and how a path in the model becomes a place in a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows.assurance import Assurance
from ivr.dialogue.flows.finding import Finding, Severity
from ivr.dialogue.flows.library import UNIVERSALS_FILE, FlowLibrary, OverlayKey
from ivr.dialogue.flows.model import Wording
from ivr.dialogue.flows.signature import CALLBACK
from ivr.dialogue.flows.source import Place


@dataclass(slots=True)
class Findings:
    """What is wrong with ``library`` so far; ``facts`` is what it is held against."""

    library: FlowLibrary
    facts: LineFacts
    all: list[Finding] = field(default_factory=list)
    _said: set[tuple[object, ...]] = field(default_factory=set)

    def add(
        self,
        code: str,
        place: Place,
        why: str,
        remedy: str,
        *,
        severity: Severity = "error",
        text: str | None = None,
        path: tuple[str, ...] = (),
    ) -> None:
        said = place.text if text is None else text
        self.all.append(Finding(code, severity, place.file, place.line, place.column, said, why, remedy, path))

    @property
    def assurance(self) -> Assurance:
        return Assurance(self.library.signatures, self.library.flows.values(), self.facts.levels)

    def first(self, *what: object) -> bool:
        """Whether this is asked for the first time: what several walks find is reported once."""
        new = what not in self._said
        self._said.add(what)
        return new

    @property
    def callback(self) -> str:
        """The actions that promise a call back, as a remedy names them."""
        found = [name for name, signature in self.library.signatures.items() if signature.promises == CALLBACK]
        return " or ".join(found) or "an action that promises a call back"

    def at(self, flow: str, *path: str | int) -> Place:
        """The value at ``path`` of a flow, a fragment's included."""
        return self.library.place(flow, *path)

    def key(self, flow: str, *path: str | int) -> Place:
        return self.library.key_place(flow, *path)

    def universals(self, *path: str | int, key: bool = False) -> Place:
        """A place in the universals file."""
        parsed = next(p for p in self.library.parsed.values() if p.kind == UNIVERSALS_FILE)
        return parsed.positions.key(*path) if key else parsed.positions.value(*path)

    def company(self, *path: str | int, key: bool = False) -> Place:
        """A place in the company file, where there is one."""
        parsed = next(p for p in self.library.parsed.values() if p.kind == "company")
        return parsed.positions.key(*path) if key else parsed.positions.value(*path)

    def translated(self, owner: str, language: str, section: str, *path: str | int) -> Place | None:
        """The place at ``path`` of a section of ``owner``'s words in another language; None where its own are said."""
        overlay = (owner, language, "neutral")
        words: object = getattr(self.library.wordings.get(overlay), section, {})
        for step in path:
            if not isinstance(words, Mapping):
                break
            if step not in words:
                return None
            words = words[step]
        return self.overlay(overlay, section, *path)

    def overlay(self, overlay: OverlayKey, *path: str | int, key: bool = False) -> Place:
        """A place in the file that holds these words: the flow's own overlay, or its fragment's."""
        name, *voice = overlay
        owners = (name, *(self.library.flows[name].use if name in self.library.flows else ()))
        words = [(p.draft, p.positions) for p in self.library.parsed.values() if isinstance(p.draft, Wording)]
        found = [
            positions for owner in owners for draft, positions in words
            if [draft.wording, draft.language, draft.persona] == [owner, *voice]
        ]  # fmt: skip
        for positions in found:
            if positions.has(*path[:2]):
                return positions.key(*path) if key else positions.value(*path)
        return found[0].value() if found else Place(f"{name}.{voice[0]}.yaml", 0, 0, "")
