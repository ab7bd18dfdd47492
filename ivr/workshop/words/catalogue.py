"""The catalogue of spoken texts: each prompt and label in each language and persona, and whether it stands.

A translation is known to be out of date by its mark, ``# of 3f2a9c`` at the end of its line: the digest of the text
that it translates. Where there is no mark, earlier releases tell, as far as they are given.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from ivr.dialogue.flows.library import UNIVERSALS_FILE, FlowLibrary, load_library
from ivr.dialogue.flows.model import Flow, Fragment, Universals, Wording
from ivr.dialogue.flows.prompt import PromptItem, TaperedPrompt, prompt_texts
from ivr.dialogue.flows.signature import ActionSignature
from ivr.dialogue.flows.source import Parsed
from ivr.dialogue.flows.wording import RISK_PROMPT, SLOT
from ivr.dialogue.spoken.language import primary, same_language
from ivr.dialogue.spoken.languages import LANGUAGES, SYSTEM_PROMPTS, words_for
from ivr.release.releases import Release
from ivr.workshop.words.layout import Layout, Part, RawPath

Section = Literal["prompts", "labels"]
Origin = Literal["base", "own", "shared", "built in", "missing"]
"""Whose words they are: the flow's own language, this voice's overlay, the same language's, the line's, nobody's."""
Status = Literal["ok", "missing", "out of date", "shared"]

_LETTER = re.compile(r"[^\W\d_]")
NEUTRAL = "neutral"
EARLIER = 10  # releases that are asked what was said before


@dataclass(frozen=True, slots=True)
class Unit:
    """One prompt or label as its own file has it. ``owner``: a flow, a fragment or the universals; ``path``: in
    ``file``, which is "" for words that the line brings itself. ``state``: "" for what every state says."""

    owner: str
    section: Section
    name: str
    state: str
    prompt: TaperedPrompt
    file: str
    path: RawPath
    language: str
    persona: str

    @property
    def digest(self) -> str:
        return digest(self.prompt)


@dataclass(frozen=True, slots=True)
class SpokenText:
    """One text in one voice. ``base``: what it translates, "" where it translates nothing; ``file`` and ``line``: where
    it stands, or what it falls back to. ``said_in``: the language that it is spoken in; ``of``: the digest of the
    prompt that it belongs to in its own language."""

    unit: Unit
    language: str
    persona: str
    part: Part
    text: str
    base: str
    origin: Origin
    status: Status
    file: str
    line: int
    said_in: str
    condition: str = ""
    audio: str = ""
    voice: str = ""
    earlier: tuple[str, ...] = ()  # what was said here in earlier releases

    @property
    def key(self) -> str:
        """Names it in sheets and addresses: ``main.ask/1.0@es-ES.neutral``, ``main.ask.help@es-ES.neutral``."""
        label = "label:" if self.unit.section == "labels" else ""
        part = "" if self.part == Part() else f"/{self.part}"
        return f"{self.unit.owner}.{label}{self.unit.name}{part}@{self.language}.{self.persona}"

    @property
    def digest(self) -> str:
        return text_digest(self.text)

    @property
    def of(self) -> str:
        return self.unit.digest

    @property
    def voice_name(self) -> str:
        return self.language if self.persona == NEUTRAL else f"{self.language} {self.persona}"

    @property
    def what(self) -> str:
        """Which of the state's texts it is, in words."""
        return _what(self.unit, self.part, self.condition)

    @property
    def note(self) -> str:
        """Why it isn't simply there, in words."""
        match self.origin:
            case "missing":
                return f"no words in {self.language}: callers hear it in {self.unit.language}"
            case "shared":
                return f"as everybody else hears it in {self.language}"
            case "built in":
                return "the line's own words"
        return "the text that it translates changed since" if self.status == "out of date" else ""


def digest(prompt: TaperedPrompt) -> str:
    """Of all that a prompt says: what a mark holds."""
    return text_digest("\0".join(text for text, _ in prompt_texts(prompt)))


def text_digest(text: str) -> str:
    """However its lines are broken."""
    told = "\0".join(" ".join(each.split()) for each in text.split("\0"))
    return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:6]


_PARTS = {
    "noinput": "nothing heard",
    "nomatch": "not understood",
    "help": "help",
    "key_entry": "how to key it in",
    "wait": "one moment",
    "told": "where they stand",
    "again": "back in the line",
    "confirm": "asking before it is done",
}
_TIMES = {2: "second time", 3: "third time"}


def _what(unit: Unit, part: Part, condition: str) -> str:
    rest = unit.name.removeprefix(unit.state).removeprefix(".") if unit.state else ""
    if unit.section == "labels":
        said = f"label of {rest or unit.name}"
    elif not unit.state:
        said = unit.name.replace(RISK_PROMPT, "asking about ") if unit.name.startswith(RISK_PROMPT) else unit.name
    elif not rest:
        said = "prompt"
    else:
        said = _PARTS.get(rest, f"after {rest.removeprefix('on.').removeprefix('choice.')}")
    more = [_TIMES.get(part.count, f"from time {part.count} on")] if part.count > 1 else []
    more += [f"if {condition}"] if condition else []
    more += [f"variant {part.variant + 1}"] if part.variant >= 0 else []
    return ", ".join((said, *more))


# --- what there is -------------------------------------------------------------------------------------------------


def units(library: FlowLibrary) -> Iterator[Unit]:
    """Each prompt and label once, in the order of the files."""
    seen: set[tuple[str, Section, str]] = set()
    for parsed in library.parsed.values():
        for unit in _units(library, parsed):
            if (what := (unit.owner, unit.section, unit.name)) not in seen:
                seen.add(what)
                yield unit


def _units(library: FlowLibrary, parsed: Parsed) -> Iterator[Unit]:
    draft = parsed.draft
    if isinstance(draft, Universals):
        yield from _universal_units(draft, parsed.file)
    if not isinstance(draft, Flow | Fragment):
        return
    owner = draft.flow if isinstance(draft, Flow) else draft.fragment
    users = [draft] if isinstance(draft, Flow) else [f for f in library.flows.values() if owner in f.use]
    if not users:
        return
    voice = users[0].language, users[0].persona
    for sid, state in draft.states.items():
        at = ("states", sid)
        for said in state.prompts():
            yield Unit(owner, "prompts", said.id_in(sid), sid, said.prompt, parsed.file, (*at, *said.path), *voice)
        for place, choice in enumerate(state.choices):
            if choice.label:
                path = (*at, "choices", place, "label")
                yield Unit(
                    owner, "labels", f"{sid}.{choice.intent}", sid, _plain(choice.label), parsed.file, path, *voice
                )


def _universal_units(universals: Universals, file: str) -> Iterator[Unit]:
    voice = universals.language, universals.persona
    for name in dict.fromkeys((*universals.prompts, *SYSTEM_PROMPTS)):
        own = universals.prompts.get(name)
        built_in = words_for(universals.language).prompts.get(name, "")
        if own or built_in:
            prompt, where = (own, file) if own else (_plain(built_in), "")
            yield Unit(UNIVERSALS_FILE, "prompts", name, "", prompt, where, ("prompts", name), *voice)
    for name, risk in universals.risks.items():
        asked, path = f"{RISK_PROMPT}{name}", ("risks", name)
        if risk.question:
            yield Unit(UNIVERSALS_FILE, "prompts", asked, "", risk.question, file, (*path, "question"), *voice)
        if risk.label:
            yield Unit(UNIVERSALS_FILE, "labels", asked, "", _plain(risk.label), file, (*path, "label"), *voice)


def _plain(text: str) -> TaperedPrompt:
    return {1: (PromptItem(say=text),)}


@dataclass
class Catalogue:
    """``earlier``: libraries that served before, the latest first."""

    library: FlowLibrary
    earlier: Sequence[Catalogue] = ()
    _layouts: dict[str, Layout] = field(default_factory=dict)

    @cached_property
    def _overlays(self) -> Mapping[tuple[str, str, str], Sequence[tuple[str, Wording]]]:
        found: dict[tuple[str, str, str], list[tuple[str, Wording]]] = {}
        for parsed in self.library.parsed.values():
            if isinstance(words := parsed.draft, Wording):
                found.setdefault((words.wording, words.language, words.persona), []).append((parsed.file, words))
        return found

    @cached_property
    def _users(self) -> Mapping[str, Sequence[str]]:
        """Fragment -> the flows that take it in."""
        found: dict[str, list[str]] = {}
        for name, flow in self.library.flows.items():
            for used in flow.use:
                found.setdefault(used, []).append(name)
        return found

    def layout(self, file: str) -> Layout:
        """A file as text with places."""
        if file not in self._layouts:
            self._layouts[file] = Layout(self.library.sources[file])
        return self._layouts[file]

    def overlays(self, owner: str, language: str, persona: str) -> Iterator[tuple[str, Wording]]:
        """File and content of those that hold ``owner``'s words, its own before those of flows that take it in."""
        for name in (owner, *self._users.get(owner, ())):
            yield from self._overlays.get((name, language, persona), ())

    def found(self, unit: Unit, language: str, persona: str) -> tuple[str, TaperedPrompt] | None:
        """The file that has ``unit``'s words in exactly this voice, and those."""
        for file, words in self.overlays(unit.owner, language, persona):
            if unit.section == "labels":
                if (label := words.labels.get(unit.name)) is not None:
                    return file, _plain(label)
            elif prompt := words.prompts.get(unit.name):
                return file, prompt
        return None

    def said(self, unit: Unit, language: str, persona: str) -> tuple[Origin, str, RawPath, TaperedPrompt]:
        """What a voice says for ``unit``, whose words they are, and where they stand."""
        path: RawPath = (unit.section, unit.name)
        if found := self.found(unit, language, persona):
            return "own", found[0], path, found[1]
        if (language, persona) == (unit.language, unit.persona):
            return ("base" if unit.file else "built in"), unit.file, unit.path, unit.prompt
        if persona != NEUTRAL and (shared := self.found(unit, language, NEUTRAL)):
            return "shared", shared[0], path, shared[1]
        if same_language(unit.language, language):
            return "shared", unit.file, unit.path, unit.prompt
        ours = unit.owner == UNIVERSALS_FILE and unit.section == "prompts" and primary(language) in LANGUAGES
        if ours and (text := words_for(language).prompts.get(unit.name)):
            return "built in", "", path, _plain(text)
        return "missing", unit.file, unit.path, unit.prompt

    def texts(self) -> tuple[SpokenText, ...]:
        """Everything, in the order of the files; each text in all voices, its own first."""
        return self._texts

    @cached_property
    def _texts(self) -> tuple[SpokenText, ...]:
        return tuple(
            text
            for unit in units(self.library)
            for voice in dict.fromkeys(((unit.language, unit.persona), *self.library.voices))
            for text in self._in_voice(unit, *voice)
        )

    def _in_voice(self, unit: Unit, language: str, persona: str) -> Iterator[SpokenText]:
        origin, file, path, prompt = self.said(unit, language, persona)
        translates = (language, persona) != (unit.language, unit.persona)
        outdated = origin == "own" and translates and self.outdated(unit, language, persona, file)
        voice = self._voice(unit, unit.language if origin == "missing" else language, persona)
        same = prompt is unit.prompt and origin != "missing"
        for part, item, text in parts(prompt):
            silent = not _LETTER.search(SLOT.sub("", text))
            status: Status = "ok"
            if outdated:
                status = "out of date"
            elif origin == "missing":
                status = "ok" if silent else "missing"
            elif origin == "shared":
                status = "shared"
            base = "" if not translates or same else counterpart(unit.prompt, part)
            line = self.layout(file).line(path, part) if file else 0
            spoken = item.language or (unit.language if origin == "missing" else language)
            before = tuple(self._before(unit, language, persona, part, text)) if translates or origin == "base" else ()
            yield SpokenText(
                *(unit, language, persona, part, text, base, origin, status, file, line, spoken),
                *(item.condition, item.audio, voice, before),
            )

    def _voice(self, unit: Unit, language: str, persona: str) -> str:
        for owner in dict.fromkeys((unit.owner, UNIVERSALS_FILE)):
            for chosen in dict.fromkeys((persona, NEUTRAL)):
                for _, words in self.overlays(owner, language, chosen):
                    if words.voice:
                        return words.voice
        return ""

    def mark(self, unit: Unit, file: str) -> str:
        """What the overlay says that it translates; "" where it doesn't."""
        return self.layout(file).mark((unit.section, unit.name))

    def outdated(self, unit: Unit, language: str, persona: str, file: str) -> bool:
        if mark := self.mark(unit, file):
            return mark != unit.digest
        words = self.said(unit, language, persona)[3]
        since = unit.digest  # of the text that was translated, as far back as the translation is what it is now
        for before in self.earlier:
            then = before.unit(unit)
            if then is None or digest(before.said(then, language, persona)[3]) != digest(words):
                break
            since = then.digest
        return since != unit.digest

    def unit(self, like: Unit) -> Unit | None:
        """The same one here."""
        return self._by_name.get((like.owner, like.section, like.name))

    @cached_property
    def _by_name(self) -> Mapping[tuple[str, str, str], Unit]:
        return {(u.owner, u.section, u.name): u for u in units(self.library)}

    def _before(self, unit: Unit, language: str, persona: str, part: Part, now: str) -> Iterator[str]:
        for before in self.earlier:
            if (then := before.unit(unit)) is not None:
                prompt = before.said(then, language, persona)[3]
                text = next((text for each, _, text in parts(prompt) if each == part), "")
                if text and text != now:
                    yield text


def served(releases: Iterable[Release], signatures: Mapping[str, ActionSignature]) -> Sequence[Catalogue]:
    """Of what was published, as far as it still can be read."""
    loaded = (load_library(release.files, signatures).library for release in releases)
    return [Catalogue(library) for library in loaded if library is not None]


def parts(prompt: TaperedPrompt) -> Iterator[tuple[Part, PromptItem, str]]:
    """Every text of a prompt, with its place in it."""
    for count, items in prompt.items():
        for place, item in enumerate(items):
            if item.say:
                yield Part(count, place), item, item.say
            for index, variant in enumerate(item.variants):
                yield Part(count, place, index), item, variant


def counterpart(prompt: TaperedPrompt, part: Part) -> str:
    """What stands at the same place of another prompt; all of it where there is no such place."""
    known = {place: text for place, _, text in parts(prompt)}
    return known.get(part) or " / ".join(known.values())
