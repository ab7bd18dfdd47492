"""Translations: every prompt, phrase and label has words in every language and persona, and none is of nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ivr.dialogue.checker.report import Report
from ivr.dialogue.checker.texts import has_words, prompt_texts
from ivr.dialogue.flows.library import UNIVERSALS_FILE, OverlayKey
from ivr.dialogue.flows.model import UNIVERSALS, Flow, VariableSpec, Wording
from ivr.dialogue.flows.model_errors import listing, suggestion
from ivr.dialogue.flows.source import Place
from ivr.dialogue.spoken.language import same_language
from ivr.dialogue.spoken.languages import SYSTEM_PROMPTS

_UNIVERSAL_INTENTS = (*UNIVERSALS, "yes", "no")


def check_translations(report: Report) -> None:
    for language, persona in report.library.voices:
        _complete(report, language, persona)
    _unknown_ids(report)


# --- every language and persona ------------------------------------------------------------------------------------


def _complete(report: Report, language: str, persona: str) -> None:
    for name, flow in report.library.flows.items():
        if not same_language(flow.language, language):
            _Voice(report, name, language, persona).flow(flow)
    universals = report.library.universals
    if not same_language(universals.language, language):
        _Voice(report, UNIVERSALS_FILE, language, persona).universals()


class _Voice:
    """One owner's words in a language that is not its own."""

    def __init__(self, report: Report, owner: str, language: str, persona: str) -> None:
        self.report, self.owner, self.language = report, owner, language
        self.layers: list[tuple[OverlayKey, Wording]] = [
            ((owner, language, p), report.library.wordings[owner, language, p])
            for p in dict.fromkeys((persona, "neutral"))
            if (owner, language, p) in report.library.wordings
        ]

    def has(self, section: str, name: str) -> bool:
        return any(name in getattr(words, section) for _, words in self.layers)

    def missing(self, section: str, name: str, what: str, base: str) -> None:
        key, words = self.layers[-1]
        path = (section,) if getattr(words, section) else ("language",)
        place = self.report.overlay(key, *path, key=True)
        why = f"{what} has no words in {self.language}: {base}"
        self.report.add("missing-wording", place, why, f"add {name}: under {section}:", text=name)

    def absent(self, place: Place) -> bool:
        if self.layers:
            return False
        why = f"{self.owner} has no words in {self.language}, which other files speak"
        remedy = f"add {self.owner}.{self.language}.yaml, beginning wording: {self.owner}"
        self.report.add("missing-wording", place, why, remedy)
        return True

    def flow(self, flow: Flow) -> None:
        if self.absent(self.report.at(self.owner, "flow")):
            return
        for sid, state in flow.states.items():
            for part, prompt, _ in state.prompts():
                prompt_id = f"{sid}.{part}" if part else sid
                texts = [t for t, _ in prompt_texts(prompt) if has_words(t)]
                if texts and not self.has("prompts", prompt_id):
                    self.missing("prompts", prompt_id, f"the prompt {prompt_id}", f"“{texts[0]}”")
            for choice in state.choices:
                label = f"{sid}.{choice.intent}"
                if choice.key and choice.label and not self.has("labels", label):
                    self.missing("labels", label, f"the label {label}", f"“{choice.label}”")
                if choice.intent in flow.intents and not self.has("intents", choice.intent):
                    self.missing("intents", choice.intent, f"the intent {choice.intent}", "what callers say for it")
        for variable in _chosen(flow):
            spec = {**flow.parameters, **flow.variables}[variable]
            known = {v for _, words in self.layers for v in words.values.get(variable, {})}
            for value in spec.values:
                if value not in known:
                    self.missing("values", variable, f"the value {value} of {variable}", "what callers say for it")
                    break

    def universals(self) -> None:
        universals = self.report.library.universals
        if self.absent(self.report.universals("universals")):
            return
        for name in (*_UNIVERSAL_INTENTS, *(n for n, risk in universals.risks.items() if risk.phrases)):
            if not self.has("intents", name):
                self.missing("intents", name, f"the universal {name}", "what callers say for it")
        for name, risk in universals.risks.items():
            if risk.keywords and not self.has("keywords", name):
                self.missing("keywords", name, f"the risk {name}", "keywords to be spotted in free speech")
        for name, prompt in universals.prompts.items():
            texts = [t for t, _ in prompt_texts(prompt) if has_words(t)]
            if texts and not self.has("prompts", name):
                self.missing("prompts", name, f"the prompt {name}", f"“{texts[0]}”")


def _chosen(flow: Flow) -> Iterator[str]:
    """Choice variables that callers fill by speaking: asked for, or in phrases of an intent that is used."""
    everything = {**flow.parameters, **flow.variables}
    used = {c.intent for s in flow.states.values() for c in s.choices}
    phrases = [p for i in used if i in flow.intents for p in flow.intents[i].phrases]
    asked = {s.ask for s in flow.states.values()}
    for name, spec in everything.items():
        if spec.type == "choice" and (name in asked or any("{" + name + "}" in p for p in phrases)):
            yield name


# --- overlays that speak of what isn't there -------------------------------------------------------------------------


def _unknown_ids(report: Report) -> None:
    library = report.library
    for parsed in library.parsed.values():
        words = parsed.draft
        if not isinstance(words, Wording):
            continue
        if words.wording == UNIVERSALS_FILE:
            universals = library.universals
            prompts: set[str] = {*SYSTEM_PROMPTS, *universals.prompts}
            known = {"prompts": prompts, "intents": {*_UNIVERSAL_INTENTS, *universals.risks}, "labels": set[str]()}
            known["keywords"] = {*universals.risks}
            known["values"] = set()
        else:
            flows = [f for n, f in library.flows.items() if words.wording in (n, *f.use)]
            if not flows:
                continue
            known = _ids(flows)
        for section, names in known.items():
            for name in getattr(words, section):
                if name not in names:
                    place = parsed.positions.key(section, name)
                    remedy = suggestion(name, names, f"known here: {listing(sorted(names))}")
                    why = f"{words.wording} has nothing called {name} among its {section}"
                    report.add("unknown-wording", place, why, remedy, text=name)
        for variable, values in words.values.items():
            spec = next((v[variable] for v in _variables(library.flows.values()) if variable in v), None)
            for value in values:
                if spec is not None and value not in spec.values:
                    place = parsed.positions.key("values", variable, value)
                    remedy = suggestion(value, spec.values, f"known here: {listing(spec.values)}")
                    report.add("unknown-wording", place, f"{variable} has no value {value}", remedy, text=value)


def _variables(flows: Iterable[Flow]) -> Iterator[dict[str, VariableSpec]]:
    for flow in flows:
        yield {**flow.parameters, **flow.variables}


def _ids(flows: list[Flow]) -> dict[str, set[str]]:
    prompts: set[str] = set()
    labels: set[str] = set()
    for flow in flows:
        for sid, state in flow.states.items():
            prompts.add(sid)
            prompts |= {f"{sid}.{part}" for part in ("noinput", "nomatch", "help", "confirm", "wait")}
            prompts |= {f"{sid}.{part}" for part, _, _ in state.prompts() if part}
            labels |= {f"{sid}.{c.intent}" for c in state.choices}
    return {
        "prompts": prompts,
        "labels": labels,
        "intents": {i for f in flows for i in f.intents},
        "values": {v for f in flows for v in (*f.parameters, *f.variables)},
        "keywords": set(),
        "concepts": set(),
    }
