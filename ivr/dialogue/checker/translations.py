"""Translations: every prompt, phrase and label has words in every language and persona, and none is of nothing; each
language that callers can choose or be spoken to in has words, a voice and a recogniser."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.flows.library import UNIVERSALS_FILE, OverlayKey
from ivr.dialogue.flows.model import UNIVERSALS, Flow, VariableSpec, Wording
from ivr.dialogue.flows.model_errors import listing, suggestion
from ivr.dialogue.flows.prompt import TaperedPrompt, prompt_texts
from ivr.dialogue.flows.source import Place
from ivr.dialogue.flows.wording import RISK_PROMPT, SLOT
from ivr.dialogue.spoken.language import same_language, served
from ivr.dialogue.spoken.languages import SYSTEM_PROMPTS

_LETTER = re.compile(r"[^\W\d_]")
_UNIVERSAL_INTENTS = (*UNIVERSALS, "yes", "no")


def check_translations(findings: Findings) -> None:
    for language, persona in findings.library.voices:
        _complete(findings, language, persona)
    _unknown_ids(findings)


# --- every language and persona ------------------------------------------------------------------------------------


def _complete(findings: Findings, language: str, persona: str) -> None:
    for name, flow in findings.library.flows.items():
        if not same_language(flow.language, language):
            _Voice(findings, name, language, persona).flow(flow)
    universals = findings.library.universals
    if not same_language(universals.language, language):
        _Voice(findings, UNIVERSALS_FILE, language, persona).universals()


class _Voice:
    """One owner's words in a language that is not its own."""

    def __init__(self, findings: Findings, owner: str, language: str, persona: str) -> None:
        self.findings, self.owner, self.language = findings, owner, language
        self.layers: list[tuple[OverlayKey, Wording]] = [
            ((owner, language, p), findings.library.wordings[owner, language, p])
            for p in dict.fromkeys((persona, "neutral"))
            if (owner, language, p) in findings.library.wordings
        ]

    def need(self, section: str, name: str, what: str, base: str) -> None:
        if not any(name in getattr(words, section) for _, words in self.layers):
            self.missing(section, name, what, base)

    def missing(self, section: str, name: str, what: str, base: str) -> None:
        key, words = self.layers[-1]
        path = (section,) if getattr(words, section) else ("language",)
        place = self.findings.overlay(key, *path, key=True)
        why = f"{what} has no words in {self.language}: {base}"
        self.findings.add("missing-wording", place, why, f"add {name}: under {section}:", text=name)

    def prompt(self, prompt_id: str, prompt: TaperedPrompt) -> None:
        """Texts with anything to translate: letters outside slots."""
        texts = [text for text, _ in prompt_texts(prompt) if _LETTER.search(SLOT.sub("", text))]
        if texts:
            self.need("prompts", prompt_id, f"the prompt {prompt_id}", f"“{texts[0]}”")

    def absent(self, place: Place) -> bool:
        if self.layers:
            return False
        why = f"{self.owner} has no words in {self.language}, which other files speak"
        remedy = f"add {self.owner}.{self.language}.yaml, beginning wording: {self.owner}"
        self.findings.add("missing-wording", place, why, remedy)
        return True

    def flow(self, flow: Flow) -> None:
        if self.absent(self.findings.at(self.owner, "flow")):
            return
        for sid, state in flow.states.items():
            for said in state.prompts():
                self.prompt(said.id_in(sid), said.prompt)
            for choice in state.choices:
                label = f"{sid}.{choice.intent}"
                if choice.key and choice.label:
                    self.need("labels", label, f"the label {label}", f"“{choice.label}”")
                if choice.intent in flow.intents:
                    self.need("intents", choice.intent, f"the intent {choice.intent}", "what callers say for it")
        for variable, spec in _chosen(flow):
            known = {v for _, words in self.layers for v in words.values.get(variable, {})}
            if value := next((v for v in spec.values if v not in known), None):
                self.missing("values", variable, f"the value {value} of {variable}", "what callers say for it")

    def universals(self) -> None:
        universals = self.findings.library.universals
        if self.absent(self.findings.universals("universals")):
            return
        spoken = (n for n in _UNIVERSAL_INTENTS if n != "start_over" or universals.start_over.phrases)
        for name in (*spoken, *(n for n, risk in universals.risks.items() if risk.phrases)):
            self.need("intents", name, f"the universal {name}", "what callers say for it")
        for name, risk in universals.risks.items():
            if risk.keywords:
                self.need("keywords", name, f"the risk {name}", "keywords to be spotted in free speech")
            self.prompt(f"{RISK_PROMPT}{name}", risk.question)
            if risk.label:
                label = f"{RISK_PROMPT}{name}"
                self.need("labels", label, f"the label {label}", f"“{risk.label}”")
        for name, prompt in universals.prompts.items():
            self.prompt(name, prompt)


def _chosen(flow: Flow) -> Iterator[tuple[str, VariableSpec]]:
    """Choice variables that callers fill by speaking: asked for, or in phrases of an intent that is used."""
    used = {c.intent for s in flow.states.values() for c in s.choices}
    phrases = [p for i in used if i in flow.intents for p in flow.intents[i].phrases]
    asked = {s.ask for s in flow.states.values()}
    for name, spec in flow.slots.items():
        if spec.type == "choice" and (name in asked or any("{" + name + "}" in p for p in phrases)):
            yield name, spec


# --- overlays that speak of what isn't there -------------------------------------------------------------------------


def _unknown_ids(findings: Findings) -> None:
    library = findings.library
    for parsed in library.parsed.values():
        words = parsed.draft
        if not isinstance(words, Wording):
            continue
        if words.wording == UNIVERSALS_FILE:
            prompts, risks = library.universals.prompts, set(library.universals.risks)
            asked = {f"{RISK_PROMPT}{name}" for name in risks}
            known = {
                "prompts": {*SYSTEM_PROMPTS, *prompts, *asked},
                "intents": {*_UNIVERSAL_INTENTS, *risks},
                "keywords": risks,
            }
            known |= {"labels": asked, "values": set()}
        else:
            flows = [f for n, f in library.flows.items() if words.wording in (n, *f.use)]
            if not flows:
                continue
            known = _ids(flows)
        for section, names in known.items():
            for name in getattr(words, section):
                if name not in names:
                    place = parsed.positions.key(section, name)
                    remedy = suggestion(name, sorted(names), f"known here: {listing(sorted(names))}")
                    why = f"{words.wording} has nothing called {name} among its {section}"
                    findings.add("unknown-wording", place, why, remedy, text=name)
        for variable, values in words.values.items():
            spec = next((f.slots[variable] for f in library.flows.values() if variable in f.slots), None)
            for value in values:
                if spec is not None and value not in spec.values:
                    place = parsed.positions.key("values", variable, value)
                    remedy = suggestion(value, spec.values, f"known here: {listing(spec.values)}")
                    findings.add("unknown-wording", place, f"{variable} has no value {value}", remedy, text=value)


def _ids(flows: list[Flow]) -> dict[str, set[str]]:
    states = [(sid, state) for flow in flows for sid, state in flow.states.items()]
    parts = ("noinput", "nomatch", "help", "key_entry", "confirm", "wait")
    return {
        "prompts": {f"{sid}.{part}" for sid, _ in states for part in parts}
        | {said.id_in(sid) for sid, state in states for said in state.prompts()}
        | {sid for sid, _ in states},
        "labels": {f"{sid}.{choice.intent}" for sid, state in states for choice in state.choices},
        "intents": {intent for flow in flows for intent in flow.intents},
        "values": {variable for flow in flows for variable in flow.slots},
        "keywords": set(),
        "concepts": set(),
    }


# --- languages that callers can choose or are spoken to in ------------------------------------------------------------


def check_languages(findings: Findings) -> None:
    _can_be_chosen(findings)
    _one_language(findings)
    for language, place in _languages(findings).items():
        if not served(language, findings.facts.recognised):
            why = f"no recogniser is installed for {language}: its calls are led by keys"
            findings.add("no-recogniser", place, why, "leave it so, or install one (ivr models)", severity="note")
        if not served(language, findings.facts.spoken):
            why = f"no voice is installed for {language}: who asks for it gets a human"
            findings.add("no-voice", place, why, "leave it so, or install one (ivr doctor)", severity="note")


def _one_language(findings: Findings) -> None:
    """What the universals declare holds."""
    declared, spoken = findings.library.universals.one_language, findings.library.languages
    if declared and (others := [language for language in spoken if not same_language(language, declared)]):
        why = f"the company serves in {declared} alone, it says, and files speak {listing(others)}"
        remedy = "remove it, and add languages: with what callers say and key for each"
        if len(others) == len(spoken) == 1:
            remedy = f"write {others[0]}, which is spoken here"
        findings.add("one-language", findings.universals("one_language"), why, remedy, text=declared)


def _languages(findings: Findings) -> dict[str, Place]:
    """Each language of the library, and where it is named first."""
    library = findings.library
    found = {library.universals.language: findings.universals("universals")}
    for name, flow in library.flows.items():
        found.setdefault(flow.language, findings.at(name, "language"))
    for overlay in library.wordings:
        found.setdefault(overlay[1], findings.overlay(overlay, "language"))
    return found


def _can_be_chosen(findings: Findings) -> None:
    """Languages that can be chosen: some file must speak them."""
    library, languages = findings.library, findings.library.languages
    personas = {p for _, p in library.voices}

    def known(language: str, place: Place) -> None:
        if language not in languages:
            remedy = suggestion(language, languages, f"languages here: {listing(languages)}")
            findings.add("unknown-language", place, f"no file speaks {language}", remedy, text=language)

    for name in library.universals.languages:
        known(name, findings.universals("languages", name, key=True))
    for name, flow in library.flows.items():
        for sid, state in flow.states.items():
            for transition in state.transitions():
                edge, path = transition.edge, ("states", sid, *transition.path)
                if edge.language:
                    known(edge.language, findings.at(name, *path, "language"))
                if edge.persona and edge.persona not in personas:
                    place = findings.at(name, *path, "persona")
                    remedy = suggestion(edge.persona, personas, f"personas here: {listing(sorted(personas))}")
                    findings.add(
                        "unknown-persona", place, f"nobody speaks as {edge.persona}", remedy, text=edge.persona
                    )
