"""Where findings are collected, and how a path in the model becomes a place in a file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ivr.dialogue.flows.finding import Finding, Severity
from ivr.dialogue.flows.library import UNIVERSALS, FlowLibrary, OverlayKey
from ivr.dialogue.flows.model import Wording
from ivr.dialogue.flows.source import Place
from ivr.events import Term

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the checker is told of the world around the flow files. None: not known, so not checked.

    ``skills``: what the desk has. ``services``: names of [[flows.services]]. ``entries``: flows that answer a number.
    ``recorded(audio, language)``: whether a recording exists. ``examples``: a few terms of each vocabulary.
    ``recognised``: languages that some recogniser serves.
    """

    skills: Collection[str] | None = None
    services: Collection[str] | None = None
    entries: Collection[str] | None = None
    recorded: Callable[[str, str], bool] | None = None
    examples: Mapping[str, Sequence[Term]] = field(default_factory=dict)
    recognised: Collection[str] | None = None


@dataclass(slots=True)
class Report:
    library: FlowLibrary
    around: Surroundings
    findings: list[Finding] = field(default_factory=list)

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
        self.findings.append(Finding(code, severity, place.file, place.line, place.column, said, why, remedy, path))

    def at(self, flow: str, *path: str | int) -> Place:
        """The value at ``path`` of a flow, a fragment's included."""
        return self.library.place(flow, *path)

    def key(self, flow: str, *path: str | int) -> Place:
        return self.library.key_place(flow, *path)

    def universals(self, *path: str | int, key: bool = False) -> Place:
        """A place in the universals file."""
        parsed = next(p for p in self.library.parsed.values() if p.kind == UNIVERSALS)
        return parsed.positions.key(*path) if key else parsed.positions.value(*path)

    def overlay(self, overlay: OverlayKey, *path: str | int, key: bool = False) -> Place:
        """A place in the file that holds these words: the flow's own overlay, or its fragment's."""
        name, language, persona = overlay
        owners = [name, *(self.library.flows[name].use if name in self.library.flows else ())]
        found = []
        for owner in owners:
            for parsed in self.library.parsed.values():
                words = parsed.draft
                if isinstance(words, Wording) and (words.wording, words.language, words.persona) == (
                    owner,
                    language,
                    persona,
                ):
                    found.append(parsed.positions)
        for positions in found:
            if positions.has(*path[:2]):
                return positions.key(*path) if key else positions.value(*path)
        return found[0].value() if found else Place(f"{name}.{language}.yaml", 0, 0, "")
