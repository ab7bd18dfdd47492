"""What is said: in every language and persona, not too long, and never what callers hate to hear."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from ivr.dialogue.checker.edges import edges_of
from ivr.dialogue.checker.graph import spoken
from ivr.dialogue.checker.report import Path, Report
from ivr.dialogue.checker.texts import has_words, prompt_texts
from ivr.dialogue.flows.library import UNIVERSALS, OverlayKey
from ivr.dialogue.flows.model import Flow, TaperedPrompt, VariableSpec, Wording
from ivr.dialogue.flows.model_errors import listing, suggestion
from ivr.dialogue.flows.source import Place
from ivr.dialogue.spoken.system_prompts import SYSTEM_PROMPTS
from ivr.dialogue.spoken.tags import same_language, served

LONGEST_PROMPT = 45  # words without a question: about 17 seconds
LONGEST_MENU = 5
BANNED = (
    "high call volume",
    "higher than normal call volume",
    "higher than usual call volume",
    "unusually high volume",
    "your call is important",
    "your call is very important",
    "visit our website",
    "visit us online",
    "go to our website",
    "our menu options have changed",
    "our options have changed",
    "please listen carefully",
    "su llamada es importante",
    "su llamada es muy importante",
    "visite nuestra página",
    "visite nuestro sitio",
    "alto volumen de llamadas",
    "nuestro menú ha cambiado",
)
Locator = Callable[..., Place]
_UNIVERSAL_INTENTS = ("human", "repeat", "help", "back", "goodbye", "yes", "no")
_BY_KEY = re.compile(r"\bpress\b|\boprima\b|\bpulse\b|\bmarque\b", re.IGNORECASE)


def check_words(report: Report) -> None:
    for name, flow in report.library.flows.items():
        _own_words(report, name, flow)
    _universals(report)
    for key in report.library.wordings:
        _overlay_texts(report, key)
    _unknown_ids(report)
    for language, persona in report.library.voices:
        _complete(report, language, persona)
    _recognised(report)
    _languages(report)


# --- each text by itself -------------------------------------------------------------------------------------------


def _own_words(report: Report, name: str, flow: Flow) -> None:
    for sid, state in flow.states.items():
        if state.kinds[0] in ("question", "resume") and not state.prompt:
            why = f"{sid} asks something without saying anything"
            report.add("no-prompt", report.key(name, "states", sid), why, "add a prompt")
        labels = [c.label for c in state.choices if c.label]
        for _, prompt, path in spoken(state):
            full: Path = ("states", sid, *path)
            _prompt(report, prompt, lambda *p: report.at(name, *p), full, flow.language)
            _menu(report, prompt, labels, lambda *p: report.at(name, *p), full)


def _universals(report: Report) -> None:
    universals = report.library.universals
    for name, prompt in universals.prompts.items():
        _prompt(report, prompt, lambda *p: report.universals(*p), ("prompts", name), universals.language)


def _overlay_texts(report: Report, key: OverlayKey) -> None:
    for prompt_id, prompt in report.library.wordings[key].prompts.items():
        _prompt(report, prompt, lambda *p: report.overlay(key, *p), ("prompts", prompt_id), key[1])


def _prompt(report: Report, prompt: TaperedPrompt, place_of: Locator, path: Path, language: str) -> None:
    if prompt and 1 not in prompt:
        why = f"nothing is said the first time: the prompts begin at count {min(prompt)}"
        report.add("no-first-prompt", place_of(*path), why, "add a prompt for 1")
    for text, here in prompt_texts(prompt, path):
        place: Place = place_of(*here)
        folded = " ".join(text.lower().split())
        for phrase in BANNED:
            if phrase in folded:
                remedy = "say what is true and useful now, or nothing"
                report.add("banned-phrase", place, f"callers hate to hear “{phrase}”", remedy, text=text)
                break
        words = len(text.split())
        if words > LONGEST_PROMPT and "?" not in text:
            why = f"{words} words without a question are too long to listen to"
            remedy = f"say it in {LONGEST_PROMPT} words, or ask in between whether to go on"
            report.add("long-prompt", place, why, remedy, severity="warning", text=text)
    for count, items in prompt.items():
        for index, item in enumerate(items):
            spot = place_of(*path, count, index)
            if not item.say and not item.variants and not item.audio:
                report.add("empty-prompt", spot, "this prompt says nothing", "add say:, or remove it")
            recorded = report.around.recorded
            spoken_in = item.language or language
            if item.language and item.language not in report.library.languages:
                remedy = f"languages here: {listing(report.library.languages)}"
                why = f"no file speaks {item.language}"
                where = place_of(*path, count, index, "language")
                report.add("unknown-language", where, why, remedy, text=item.language)
            if item.audio and recorded is not None and not recorded(item.audio, spoken_in):
                why = f"there is no recording {item.audio} in {spoken_in}; the text is synthesised instead"
                remedy = f"record audio/{spoken_in}/{item.audio}, or remove audio:"
                where = place_of(*path, count, index, "audio")
                report.add("no-recording", where, why, remedy, severity="warning")


def _menu(report: Report, prompt: TaperedPrompt, labels: list[str], at: Locator, path: Path) -> None:
    for text, here in prompt_texts(prompt, path):
        folded = text.lower()
        named = sum(label.lower() in folded for label in labels)
        options = max(named, len(_BY_KEY.findall(text)))
        if options > LONGEST_MENU:
            why = f"{options} options in one breath are more than anybody remembers"
            remedy = f"ask an open question, or name {LONGEST_MENU} at most"
            report.add("long-menu", at(*here), why, remedy, severity="warning", text=text)


# --- every language and persona ------------------------------------------------------------------------------------


def _complete(report: Report, language: str, persona: str) -> None:
    for name, flow in report.library.flows.items():
        if not same_language(flow.language, language):
            _Voice(report, name, language, persona).flow(flow)
    universals = report.library.universals
    if not same_language(universals.language, language):
        _Voice(report, UNIVERSALS, language, persona).universals()


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
            for part, prompt, _ in spoken(state):
                prompt_id = f"{sid}.{part}" if part else sid
                texts = [t for t, _ in prompt_texts(prompt, ()) if has_words(t)]
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
        for name in (*_UNIVERSAL_INTENTS, *universals.risks):
            if not self.has("intents", name):
                self.missing("intents", name, f"the universal {name}", "what callers say for it")
        for name, risk in universals.risks.items():
            if risk.keywords and not self.has("keywords", name):
                self.missing("keywords", name, f"the risk {name}", "keywords to be spotted in free speech")
        for name, prompt in universals.prompts.items():
            texts = [t for t, _ in prompt_texts(prompt, ()) if has_words(t)]
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
        if words.wording == UNIVERSALS:
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
            prompts |= {f"{sid}.{part}" for part, _, _ in spoken(state) if part}
            labels |= {f"{sid}.{c.intent}" for c in state.choices}
    return {
        "prompts": prompts,
        "labels": labels,
        "intents": {i for f in flows for i in f.intents},
        "values": {v for f in flows for v in (*f.parameters, *f.variables)},
        "keywords": set(),
        "concepts": set(),
    }


def _languages(report: Report) -> None:
    """Languages that can be chosen: some file must speak them."""
    library = report.library

    def known(language: str, place: Place) -> None:
        if language and language not in library.languages:
            remedy = suggestion(language, library.languages, f"languages here: {listing(library.languages)}")
            report.add("unknown-language", place, f"no file speaks {language}", remedy, text=language)

    for name in library.universals.languages:
        known(name, report.universals("languages", name, key=True))
    for name, flow in library.flows.items():
        for sid, state in flow.states.items():
            for path, edge in edges_of(state):
                known(edge.language, report.at(name, "states", sid, *path, "language"))
                personas = {p for _, p in library.voices}
                if edge.persona and edge.persona not in personas:
                    place = report.at(name, "states", sid, *path, "persona")
                    remedy = suggestion(edge.persona, personas, f"personas here: {listing(sorted(personas))}")
                    report.add("unknown-persona", place, f"nobody speaks as {edge.persona}", remedy, text=edge.persona)


def _recognised(report: Report) -> None:
    recognised = report.around.recognised
    if recognised is None:
        return
    seen: set[str] = set()
    for _owner, language, persona in report.library.wordings:
        if not served(language, recognised) and language not in seen:
            seen.add(language)
            place = report.overlay((_owner, language, persona), "language")
            why = f"no recogniser is installed for {language}: its calls are led by keys"
            report.add("no-recogniser", place, why, "install one (ivr models), or leave it so", severity="warning")
