"""The library: all flow files of a directory, immutable: fragments merged, overlays matched, versions computed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from ivr.dialogue.flows.company_file import CompanyFile, VocabularySpec
from ivr.dialogue.flows.confirm_defaults import confirmed
from ivr.dialogue.flows.finding import Finding, ordered
from ivr.dialogue.flows.model import YES_NO, Flow, Fragment, Universals, Wording
from ivr.dialogue.flows.model_errors import listing, suggestion
from ivr.dialogue.flows.signature import ActionSignature
from ivr.dialogue.flows.source import Parsed, Place, Positions, parse
from ivr.dialogue.flows.structure import Structure, holding
from ivr.dialogue.flows.vocabulary_file import SUFFIX as VOCABULARY
from ivr.dialogue.flows.vocabulary_file import read_vocabulary
from ivr.events import Term

OverlayKey = tuple[str, str, str]
"""(flow or "universals", language, persona)"""

UNIVERSALS_FILE = "universals"  # whose words a key, a wording or a file holds, when it is no flow


@dataclass(frozen=True, slots=True, eq=False)
class FlowLibrary:
    """Everything a call needs to know of the flow files. Shared by all calls; never changes.

    ``flows`` by name, their fragments merged in; ``wordings`` by (flow or "universals", language, persona), a
    fragment's overlays merged into those of the flows that use it. ``signatures``: what flows can have done, by name:
    by the line, and by the services of ``company``. ``vocabularies``: the terms that stand in the files. ``version``
    and ``versions`` (by flow) are hashes of the files' texts: twelve hexadecimal digits. ``sources`` keeps the texts,
    ``parsed`` the positions, by file name."""

    flows: Mapping[str, Flow]
    universals: Universals
    wordings: Mapping[OverlayKey, Wording]
    signatures: Mapping[str, ActionSignature]
    version: str
    versions: Mapping[str, str]
    sources: Mapping[str, str] = field(default_factory=dict, repr=False)
    parsed: Mapping[str, Parsed] = field(default_factory=dict, repr=False)
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    company: CompanyFile | None = None
    vocabularies: Mapping[str, tuple[Term, ...]] = field(default_factory=dict, repr=False)

    def overlay(self, flow: str, language: str, persona: str) -> Iterator[Wording]:
        """The overlays that apply, the most particular first: (language, persona), then (language, neutral)."""
        for key in dict.fromkeys(((flow, language, persona), (flow, language, "neutral"))):
            if key in self.wordings:
                yield self.wordings[key]

    def risk_of(self, flow: Flow, intent: str) -> str:
        """The risk that a choice of ``flow`` is a sign of, by its intent's ``risk`` or by its own name; "" for none."""
        spec = flow.intents.get(intent)
        risk = intent if spec is None else spec.risk
        return risk if risk in self.universals.risks else ""

    def everywhere(self, flow: Flow, intent: str) -> bool:
        """Whether a choice's words are those of the universals: yes, no, or one of the risks."""
        return intent not in flow.intents and (intent in YES_NO or intent in self.universals.risks)

    @property
    def languages(self) -> tuple[str, ...]:
        """Every language that some file speaks, the universals' own first."""
        found = [self.universals.language, *(f.language for f in self.flows.values()), *(k[1] for k in self.wordings)]
        return tuple(dict.fromkeys(found))

    @property
    def voices(self) -> tuple[tuple[str, str], ...]:
        """Every (language, persona) that callers can be spoken to in: the bases' and each overlay's."""
        base = [(self.universals.language, self.universals.persona)]
        base += [(f.language, f.persona) for f in self.flows.values()]
        return tuple(dict.fromkeys(base + [(k[1], k[2]) for k in self.wordings]))

    @property
    def secret_facts(self) -> frozenset[str]:
        """What the company file declares so."""
        return self.company.secrets if self.company is not None else frozenset()

    @property
    def unlisted(self) -> Sequence[str]:
        """The vocabularies that flows take titles from and no file holds."""
        every = (name for flow in self.flows.values() for spec in flow.slots.values() for name in spec.vocabularies)
        return sorted({*every} - self.vocabularies.keys())

    @property
    def sourced(self) -> Sequence[tuple[str, VocabularySpec]]:
        """The vocabularies that the company's services have, by name."""
        company = self.company
        return [] if company is None else [(n, spec) for n, spec in company.vocabularies.items() if spec.service]

    def callers_of(self, flow: str) -> Iterator[tuple[str, str]]:
        """(flow, state) of each state that calls ``flow``."""
        for other in self.flows.values():
            for name, state in other.states.items():
                if state.call == flow:
                    yield other.flow, name

    @property
    def uncalled(self) -> tuple[str, ...]:
        """The flows that no other calls: those that answer calls, and the human flow."""
        called = {s.call for f in self.flows.values() for s in f.states.values() if s.call}
        return tuple(name for name in self.flows if name not in called)

    def positions(self, flow: str, *path: str | int) -> Positions:
        """The file in which ``path`` of a flow stands: its own, or the fragment it came from."""
        return holding(self.parsed, self.files[flow], path)

    def place(self, flow: str, *path: str | int) -> Place:
        """Where the value at ``path`` of a flow stands."""
        return self.positions(flow, *path).value(*path)

    def key_place(self, flow: str, *path: str | int) -> Place:
        """Where the key at ``path`` of a flow stands."""
        return self.positions(flow, *path).key(*path)


@dataclass(frozen=True, slots=True)
class Loaded:
    """``library`` is None if there is any error. ``draft`` is then what could be made of the files, for the checker."""

    library: FlowLibrary | None
    findings: tuple[Finding, ...]
    draft: FlowLibrary | None = None

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.severity == "error")


def load_library(sources: Mapping[str, str], signatures: Mapping[str, ActionSignature]) -> Loaded:
    """Parse every file (name -> text) and put them together. Reports what makes the library unusable, all at once."""
    parsed = {name: parse(name, text) for name, text in sorted(sources.items()) if not name.endswith(VOCABULARY)}
    builder = _Builder(parsed, sources, signatures)
    draft = builder.build()
    findings = ordered(builder.findings)
    whole = draft is not None and not any(f.severity == "error" for f in findings)
    return Loaded(draft if whole else None, findings, draft)


class _Builder:
    def __init__(
        self, parsed: Mapping[str, Parsed], sources: Mapping[str, str], signatures: Mapping[str, ActionSignature]
    ) -> None:
        # files called after what they hold first: of two that claim one name, the other is the odd one
        self.parsed = dict(sorted(parsed.items(), key=lambda item: (not item[0].startswith(item[1].name), item[0])))
        self.sources, self.signatures = sources, signatures
        self.findings: list[Finding] = [f for p in parsed.values() for f in p.findings]
        self.names: dict[str, dict[str, str]] = {"flow": {}, "fragment": {}}  # kind -> name -> file
        self.stems = {f.removesuffix(".yaml") for f, p in self.parsed.items() if p.kind in ("flow", "")}
        self.incomplete: set[str] = set()  # flows that lack a fragment

    def error(self, code: str, place: Place, why: str, remedy: str) -> None:
        self.findings.append(Finding(code, "error", place.file, place.line, place.column, place.text, why, remedy))

    def build(self) -> FlowLibrary | None:
        for file, parsed in self.parsed.items():
            self._register(file, parsed)
        universals, company = self._universals(), self._company()
        signatures = {**self.signatures, **(company.signatures if company is not None else {})}
        fragments = {n: self.parsed[f].draft for n, f in self.names["fragment"].items()}
        flows, files = {}, {}
        for name, file in self.names["flow"].items():
            flow = self.parsed[file].draft
            if isinstance(flow, Flow):
                merged, files[name] = self._merged(flow, file, fragments)
                flows[name] = confirmed(merged, signatures)
        if not flows and not any(p.kind == "flow" for p in self.parsed.values()):
            where = Place(next(iter(self.parsed), "flows"), 0, 0, "")
            self.error("no-flow", where, "there is no flow here", "add a file that begins flow: main")
        structure = Structure(self.parsed, self.names["flow"], self.stems, self.incomplete)
        for name, flow in flows.items():
            self.findings.extend(structure.findings(flow, files[name]))
        wordings, wording_files = self._wordings(flows)
        if universals is None:
            return None
        if universals.human_flow not in self.names["flow"]:
            place = next(p for p in self.parsed.values() if p.kind == "universals").positions.value("human_flow")
            why = f"there is no flow {universals.human_flow} to bring callers to a human"
            self.error("no-human-flow", place, why, "write a flow with a handoff state and name it in human_flow:")
        versions = {n: self._hash(*fs, *wording_files.get(n, ())) for n, fs in files.items()}
        return FlowLibrary(
            flows=MappingProxyType(flows),
            universals=universals,
            wordings=MappingProxyType(wordings),
            signatures=MappingProxyType(signatures),
            version=self._hash(*self.sources),
            versions=MappingProxyType(versions),
            sources=MappingProxyType(dict(self.sources)),
            parsed=MappingProxyType(dict(self.parsed)),
            files=MappingProxyType(files),
            company=company,
            vocabularies=MappingProxyType(self._vocabularies(company)),
        )

    def _hash(self, *files: str) -> str:
        digest = hashlib.sha256()
        for file in sorted(set(files)):
            text = self.sources.get(file, "").encode("utf-8", "surrogateescape")
            digest.update(f"{file}\0{len(text)}\0".encode())
            digest.update(text)
        return digest.hexdigest()[:12]

    def _register(self, file: str, parsed: Parsed) -> None:
        stem = file.removesuffix(".yaml")
        top = parsed.positions.value(parsed.kind) if parsed.kind else Place(file, 1, 1, "")
        if not file.endswith(".yaml"):
            self.error("file-name", Place(file, 0, 0, file), f"{file} does not end in .yaml", f"name it {stem}.yaml")
        if parsed.kind in ("flow", "fragment"):
            known = self.names[parsed.kind]
            if parsed.name in known:
                why = f"the {parsed.kind} {parsed.name} is already in {known[parsed.name]}"
                self.error("duplicate-name", top, why, "rename one of the two")
                return
            known[parsed.name] = file
            if stem != parsed.name and parsed.draft is not None:
                why = f"the file is called {file} but the {parsed.kind} {parsed.name}"
                self.error("file-name", top, why, f"call the file {parsed.name}.yaml, or the {parsed.kind} {stem}")
        elif isinstance(parsed.draft, CompanyFile):
            if stem != "company":
                self.error(
                    "file-name", top, f"the file is called {file} but is the company", "call the file company.yaml"
                )
        elif isinstance(parsed.draft, Wording):
            wording = parsed.draft
            usual = f"{wording.wording}.{wording.language}"
            allowed = {f"{usual}.{wording.persona}"} | ({usual} if wording.persona == "neutral" else set())
            if stem not in allowed:
                why = f"the file is called {file} but holds {wording.language}, {wording.persona}, of {wording.wording}"
                remedy = f"call the file {min(allowed, key=len)}.yaml"
                if (meant := self._meant_language(file, wording)) != wording.language:
                    top, remedy = parsed.positions.value("language"), f"write language: {meant}, or {remedy}"
                self.error("file-name", top, why, remedy)

    def _universals(self) -> Universals | None:
        found = [p for p in self.parsed.values() if p.kind == "universals"]
        for extra in found[1:]:
            place = extra.positions.key("universals")
            self.error("duplicate-name", place, f"the universals are already in {found[0].file}", "merge the two files")
        if not found:
            where = Place("universals.yaml", 0, 0, "")
            why = "there is no universals file, so nothing brings callers to a human"
            self.error("no-universals", where, why, "add universals.yaml, beginning universals: true")
            return None
        draft = found[0].draft
        return draft if isinstance(draft, Universals) else None

    def _company(self) -> CompanyFile | None:
        found = [p for p in self.parsed.values() if p.kind == "company"]
        for extra in found[1:]:
            place = extra.positions.key("company")
            self.error("duplicate-name", place, f"the company is already in {found[0].file}", "merge the two files")
        draft = found[0].draft if found else None
        if not isinstance(draft, CompanyFile):
            return None
        for name in sorted(set(draft.actions) & set(self.signatures)):
            why = f"the line itself has an action {name}"
            self.error("duplicate-name", found[0].positions.key("actions", name), why, "give it another name")
        return draft

    def _vocabularies(self, company: CompanyFile | None) -> dict[str, tuple[Term, ...]]:
        """The terms that stand in the company file, or in files that it names."""
        read = {file: read_vocabulary(file, text) for file, text in self.sources.items() if file.endswith(VOCABULARY)}
        for vocabulary in read.values():
            self.findings.extend(vocabulary.findings)
        found: dict[str, tuple[Term, ...]] = {}
        for name, spec in company.vocabularies.items() if company is not None else ():
            if spec.terms:
                found[name] = spec.here
            elif spec.file in read:
                found[name] = read[spec.file].terms
            elif spec.file:
                positions = next(p for p in self.parsed.values() if p.kind == "company").positions
                remedy = suggestion(spec.file, read, f"put {spec.file} beside the company file")
                place = positions.value("vocabularies", name, "file")
                self.error("no-vocabulary-file", place, f"there is no file {spec.file} here", remedy)
        return found

    def _merged(self, flow: Flow, file: str, fragments: Mapping[str, object]) -> tuple[Flow, tuple[str, ...]]:
        """The flow with its fragments' variables, intents and states; what the flow says itself wins."""
        files = [file]
        parts: dict[str, dict[str, object]] = {"variables": {}, "intents": {}, "states": {}}
        origin: dict[tuple[str, str], str] = {}
        for index, name in enumerate(flow.use):
            place = self.parsed[file].positions.value("use", index)
            if name not in fragments:
                known = self.names["fragment"]
                remedy = suggestion(name, known, f"fragments here: {listing(known)}")
                self.error("unknown-fragment", place, f"there is no fragment {name}", remedy)
                self.incomplete.add(flow.flow)
                continue
            fragment = fragments[name]
            if not isinstance(fragment, Fragment):
                continue
            files.append(self.names["fragment"][name])
            for section, mine in parts.items():
                for key, value in getattr(fragment, section).items():
                    if key in mine and key not in getattr(flow, section):
                        why = f"{section[:-1]} {key} comes from two fragments, {origin[section, key]} and {name}"
                        self.error("fragment-clash", place, why, f"rename one, or define {key} in this flow")
                    mine[key] = value
                    origin[section, key] = name
        if len(files) == 1:
            return flow, (file,)
        changed = {s: {**mine, **getattr(flow, s)} for s, mine in parts.items()}
        return flow.model_copy(update=changed), tuple(files)

    def _meant_language(self, file: str, wording: Wording) -> str:
        """Where file name and file say two languages: the one of the name, if it alone is spoken by other files."""
        named = _named_language(file, wording)
        if named == wording.language:
            return named
        spoken = {w.language for f, p in self.parsed.items() if f != file and isinstance(w := p.draft, Wording)}
        return named if named in spoken and wording.language not in spoken else wording.language

    def _wordings(self, flows: Mapping[str, Flow]) -> tuple[dict[OverlayKey, Wording], dict[str, list[str]]]:
        own: dict[OverlayKey, tuple[str, Wording]] = {}
        known = {UNIVERSALS_FILE, *self.names["flow"], *self.names["fragment"]}
        for file, parsed in self.parsed.items():
            wording = parsed.draft
            if not isinstance(wording, Wording):
                continue
            if wording.wording not in known:
                if wording.wording in self.stems:
                    continue  # its file is there, and could not be read: that was told
                remedy = suggestion(wording.wording, known, f"there are {listing(sorted(known))}")
                why = f"these are the words of {wording.wording}, which does not exist"
                self.error("unknown-flow", parsed.positions.value("wording"), why, remedy)
                continue
            if (meant := self._meant_language(file, wording)) != wording.language:
                wording = wording.model_copy(update={"language": meant})  # that was told, and not what follows from it
            key = (wording.wording, wording.language, wording.persona)
            if key in own:
                why = f"{own[key][0]} already holds {wording.language}, {wording.persona}, of {wording.wording}"
                self.error("duplicate-name", parsed.positions.value("wording"), why, "merge the two files")
                continue
            own[key] = (file, wording)
        result = {k: w for k, (_, w) in own.items() if k[0] in flows or k[0] == UNIVERSALS_FILE}
        files: dict[str, list[str]] = {}
        for (name, _, _), (file, _) in own.items():
            files.setdefault(name, []).append(file)
        for name, flow in flows.items():
            for used in flow.use:
                files.setdefault(name, []).extend(files.get(used, ()))
                for (owner, language, persona), (_, theirs) in own.items():
                    if owner == used:
                        key = (name, language, persona)
                        result[key] = _joined(result.get(key), theirs, name)
        return result, files


def _named_language(file: str, wording: Wording) -> str:
    """The language that the file's name has at its place, where the rest of the name is right; else its own."""
    flow, *rest = file.removesuffix(".yaml").split(".")
    personas: tuple[list[str], ...] = ([wording.persona],) + (([],) if wording.persona == "neutral" else ())
    return rest[0] if flow == wording.wording and rest and rest[1:] in personas else wording.language


def _joined(mine: Wording | None, theirs: Wording, name: str) -> Wording:
    """A flow's overlay with its fragment's words added where it has none of its own."""
    if mine is None:
        return theirs.model_copy(update={"wording": name})
    parts = ("prompts", "intents", "values", "labels", "examples", "contrast")
    changed: dict[str, object] = {part: {**getattr(theirs, part), **getattr(mine, part)} for part in parts}
    return mine.model_copy(update={**changed, "voice": mine.voice or theirs.voice})
