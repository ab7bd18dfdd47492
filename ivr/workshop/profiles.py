"""What published standards ask of automated lines, beyond what every flow must prove anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ivr.actions import signatures
from ivr.dialogue.checker.graph import spoken
from ivr.dialogue.flows.finding import Finding, ordered
from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.dialogue.flows.model import TaperedPrompt
from ivr.dialogue.flows.source import Place
from ivr.errors import ConfigError
from ivr.workshop.folder import Folder

LONGEST_PROMPT = 40  # words before the caller may speak; about fifteen seconds
CALLBACK = "callback.request"
LANGUAGE = "call.language"

Rule = Callable[[FlowLibrary], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Profile:
    name: str
    about: str
    rules: tuple[Rule, ...]

    def examine(self, folder: Folder) -> tuple[Finding, ...]:
        """Nothing for a folder that does not load: the checker says why."""
        library = load_library(folder.sources, signatures()).library
        if library is None:
            return ()
        found = ordered(finding for rule in self.rules for finding in rule(library))
        return tuple(folder.placed(f) for f in found if folder.concerns(f))


def profile(name: str) -> Profile:
    """Raises ConfigError for a name nobody knows."""
    if name not in PROFILES:
        raise ConfigError(f"there is no profile {name}", remedy=f"one of: {', '.join(PROFILES)}")
    return PROFILES[name]


# --- GetHuman standard 1.0 --------------------------------------------------------------------------------------
# Point by point: the way to a human, no disconnection for a caller's mistakes, and nothing asked twice are proved for
# every flow by the checker itself. Left to see to: keys beside speech, short prompts, barge-in, a call back where
# nobody is there, another language. How agents speak is beyond a checker.


def _keys(library: FlowLibrary) -> Iterator[Finding]:
    """That each request has a key somewhere is the checker's business; here, that no question is for voices only."""
    for flow in library.flows.values():
        for name, state in flow.states.items():
            said = [choice for choice in state.choices if choice.intent not in ("yes", "no")]
            if said and not state.ask and not any(choice.key for choice in said):
                yield _finding(
                    library.place(flow.flow, "states", name, "choices"),
                    "gethuman-keys",
                    "nothing here can be keyed; speech needs keys to fall back on",
                    "give the choices a key: and a label:",
                )


def _short(library: FlowLibrary) -> Iterator[Finding]:
    for flow in library.flows.values():
        for name, state in flow.states.items():
            for part, prompt, path in spoken(state):
                length = _longest(prompt)
                if length > LONGEST_PROMPT:
                    place = library.place(flow.flow, "states", name, *path)
                    yield _finding(
                        place,
                        "gethuman-verbose",
                        f"{part or 'prompt'} says {length} words at a stretch, more than {LONGEST_PROMPT}",
                        "say what matters, then ask; move the rest to help:",
                    )


def _longest(prompt: TaperedPrompt) -> int:
    return max((sum(_words(item.variants or (item.say,)) for item in items) for items in prompt.values()), default=0)


def _words(texts: tuple[str, ...]) -> int:
    return max(len(text.split()) for text in texts)


def _interruptible(library: FlowLibrary) -> Iterator[Finding]:
    for flow in library.flows.values():
        for name, state in flow.states.items():
            bargein = flow.defaults.bargein if state.bargein is None else state.bargein
            if not bargein and (state.ask or state.choices):
                yield _finding(
                    library.place(flow.flow, "states", name, "bargein"),
                    "gethuman-bargein",
                    "callers can't answer before this question has been read to its end",
                    "leave out bargein: false; keep it for what must be heard",
                )


def _call_back(library: FlowLibrary) -> Iterator[Finding]:
    human = library.flows[library.universals.human_flow]
    if any(state.action == CALLBACK for flow in library.flows.values() for state in flow.states.values()):
        return
    yield _finding(
        library.place(human.flow, "states"),
        "gethuman-callback",
        "nobody is offered a call back when no human is available",
        f"offer one on the closed and failed edges of the handoff (action: {CALLBACK})",
    )


def _other_language(library: FlowLibrary) -> Iterator[Finding]:
    if len(library.languages) < 2:
        first = next(iter(library.flows))
        yield _finding(
            library.place(first),
            "gethuman-language",
            "the flows speak one language only",
            "add wordings in the second language of your callers, and a number for it",
        )


def _finding(place: Place, code: str, why: str, remedy: str) -> Finding:
    return Finding(code, "error", place.file, place.line, place.column, place.text, why, remedy)


GETHUMAN = Profile(
    "gethuman-1.0",
    "The GetHuman standard: what callers may ask of an automated line",
    (_keys, _short, _interruptible, _call_back, _other_language),
)
PROFILES: Mapping[str, Profile] = {GETHUMAN.name: GETHUMAN}
