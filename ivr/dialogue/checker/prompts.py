"""Prompts by themselves: there, not too long, recorded where they say so, and never what callers hate to hear."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.engine.gather import MOST_BEFORE_HUMAN
from ivr.dialogue.flows.library import UNIVERSALS_FILE
from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.model_errors import listing
from ivr.dialogue.flows.prompt import TaperedPrompt, items_of, prompt_texts
from ivr.dialogue.flows.source import Place
from ivr.dialogue.flows.wording import Wordings, at_count

LONGEST_PROMPT = 45  # words without a question: about 17 seconds
LONGEST_MENU = 5
LONGEST_DEAF = 20  # words that can't be interrupted: about 8 seconds
BANNED = (
    "high call volume", "higher than normal call volume", "higher than usual call volume", "unusually high volume",
    "your call is important", "your call is very important", "visit our website", "visit us online",
    "go to our website", "our menu options have changed", "our options have changed", "please listen carefully",
    "su llamada es importante", "su llamada es muy importante", "visite nuestra página", "visite nuestro sitio",
    "alto volumen de llamadas", "nuestro menú ha cambiado",
)  # fmt: skip
Locator = Callable[..., Place]
_BY_KEY = re.compile(r"\bpress\b|\boprima\b|\bpulse\b|\bmarque\b", re.IGNORECASE)


def check_prompts(findings: Findings) -> None:
    for name, flow in findings.library.flows.items():
        _own_words(findings, name, flow)
    universals = findings.library.universals
    for name, prompt in universals.prompts.items():
        _prompt(findings, prompt, partial(findings.universals, "prompts", name), universals.language)
    for name, risk in universals.risks.items():
        _prompt(findings, risk.question, partial(findings.universals, "risks", name, "question"), universals.language)
    for key, wording in findings.library.wordings.items():
        for prompt_id, prompt in wording.prompts.items():
            _prompt(findings, prompt, partial(findings.overlay, key, "prompts", prompt_id), key[1])


def _own_words(findings: Findings, name: str, flow: Flow) -> None:
    for sid, state in flow.states.items():
        if state.kinds[0] in ("question", "resume") and not state.prompt:
            why = f"{sid} asks something without saying anything"
            findings.add("no-prompt", findings.key(name, "states", sid), why, "add a prompt")
        labels = [c.label for c in state.choices if c.label]
        for _, prompt, path in state.prompts():
            at = partial(findings.at, name, "states", sid, *path)
            _prompt(findings, prompt, at, flow.language)
            _menu(findings, prompt, labels, at)
            bargein = flow.defaults.bargein if state.bargein is None else state.bargein
            for text, here in prompt_texts(prompt) if not bargein else ():
                if (words := len(text.split())) > LONGEST_DEAF:
                    why = f"{words} words that nobody can interrupt: bargein is off"
                    remedy = f"remove bargein: false, or say it in {LONGEST_DEAF} words"
                    findings.add("deaf-prompt", at(*here), why, remedy, severity="warning", text=text)


def _prompt(findings: Findings, prompt: TaperedPrompt, place_of: Locator, language: str) -> None:
    if prompt and 1 not in prompt:
        why = f"nothing is said the first time: the prompts begin at count {min(prompt)}"
        findings.add("no-first-prompt", place_of(), why, "add a prompt for 1")
    for text, here in prompt_texts(prompt):
        place = place_of(*here)
        folded = " ".join(text.lower().split())
        for phrase in [phrase for phrase in BANNED if phrase in folded][:1]:
            remedy = "say what is true and useful now, or nothing"
            findings.add("banned-phrase", place, f"callers hate to hear “{phrase}”", remedy, text=text)
        words = len(text.split())
        if words > LONGEST_PROMPT and "?" not in text:
            why = f"{words} words without a question are too long to listen to"
            remedy = f"say it in {LONGEST_PROMPT} words, or ask in between whether to go on"
            findings.add("long-prompt", place, why, remedy, severity="warning", text=text)
    recorded = findings.facts.recorded
    for item, here in items_of(prompt):
        if not item.say and not item.variants and not item.audio:
            findings.add("empty-prompt", place_of(*here), "this prompt says nothing", "add say:, or remove it")
        if item.language and item.language not in (languages := findings.library.languages):
            why, where = f"no file speaks {item.language}", place_of(*here, "language")
            findings.add("unknown-language", where, why, f"languages here: {listing(languages)}", text=item.language)
        said_in = item.language or language
        if item.audio and recorded is not None and not recorded(item.audio, said_in):
            why = f"there is no recording {item.audio} in {said_in}; the text is synthesised instead"
            remedy = f"record audio/{said_in}/{item.audio}, or remove audio:"
            findings.add("no-recording", place_of(*here, "audio"), why, remedy, severity="warning")


def _menu(findings: Findings, prompt: TaperedPrompt, labels: list[str], at: Locator) -> None:
    for text, here in prompt_texts(prompt):
        folded = text.lower()
        named = sum(label.lower() in folded for label in labels)
        options = max(named, len(_BY_KEY.findall(text)))
        if options > LONGEST_MENU:
            why = f"{options} options in one breath are more than anybody remembers"
            remedy = f"ask an open question, or name {LONGEST_MENU} at most"
            findings.add("long-menu", at(*here), why, remedy, severity="warning", text=text)


def check_menus(findings: Findings) -> None:
    """After two failures keys are offered: until the one for a human is named, few words are said.

    A long menu is begun with a human by the line itself, so that only what is said before a menu can be too long."""
    library = findings.library
    for language, persona in library.voices:
        words = Wordings(library, language, persona)
        offer = _length(words.system("offer_keys"), 1)
        for part in ("noinput", "nomatch"):
            length = _length(words.system(part), 2) + offer
            if length > MOST_BEFORE_HUMAN and findings.first("late-human", language, persona, part):
                _late_human(findings, _system_place(findings, words, part), f"system.{part}", length)
            for name, flow in library.flows.items():
                for sid, state in flow.states.items():
                    own = words.prompt(name, f"{sid}.{part}", getattr(state, part))
                    length = _length(own, 2) + offer
                    place = _own_place(findings, words, name, sid, part)
                    if own and length > MOST_BEFORE_HUMAN and findings.first("late-human", place):
                        _late_human(findings, place, f"{sid}.{part}", length)


def _length(prompt: TaperedPrompt, count: int) -> int:
    """Words, at most, of a prompt at ``count``."""
    return sum(max(len(text.split()) for text in (item.say, *item.variants)) for item in at_count(prompt, count))


def _late_human(findings: Findings, place: Place, prompt_id: str, length: int) -> None:
    why = f"after two failures {length} words are said before callers hear how to get a person"
    remedy = f"say {prompt_id} and offer_keys in {MOST_BEFORE_HUMAN} words together"
    findings.add("late-human", place, why, remedy, severity="warning")


def _system_place(findings: Findings, words: Wordings, name: str) -> Place:
    for persona in (words.persona, "neutral"):
        key = (UNIVERSALS_FILE, words.language, persona)
        if key in findings.library.wordings and name in findings.library.wordings[key].prompts:
            return findings.overlay(key, "prompts", name)
    written = name in findings.library.universals.prompts
    return findings.universals("prompts", name) if written else findings.universals("universals")


def _own_place(findings: Findings, words: Wordings, flow: str, sid: str, part: str) -> Place:
    for persona in (words.persona, "neutral"):
        key = (flow, words.language, persona)
        if key in findings.library.wordings and f"{sid}.{part}" in findings.library.wordings[key].prompts:
            return findings.overlay(key, "prompts", f"{sid}.{part}")
    return findings.at(flow, "states", sid, part)
