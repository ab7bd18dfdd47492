"""Every text that is said, with its place, its language and the flow that says it: prompts, overlays, labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.flows.prompt import TaperedPrompt, items_of, prompt_texts
from ivr.dialogue.flows.source import Place


@dataclass(frozen=True, slots=True)
class Text:
    """``flow``: "" in the universals."""

    text: str
    place: Place
    language: str
    flow: str = ""


def spoken_texts(findings: Findings) -> Iterator[Text]:
    library = findings.library
    for name, flow in library.flows.items():
        for sid, state in flow.states.items():
            for _, prompt, path in state.prompts():
                for text, here in _texts(prompt, flow.language):
                    yield Text(text[0], findings.at(name, "states", sid, *path, *here), text[1], name)
            for index, choice in enumerate(state.choices):
                if choice.label:
                    place = findings.at(name, "states", sid, "choices", index, "label")
                    yield Text(choice.label, place, flow.language, name)
    universals = library.universals
    for name, prompt in universals.prompts.items():
        for text, here in _texts(prompt, universals.language):
            yield Text(text[0], findings.universals("prompts", name, *here), text[1])
    for name, risk in universals.risks.items():
        for text, here in _texts(risk.question, universals.language):
            yield Text(text[0], findings.universals("risks", name, "question", *here), text[1])
    for key, wording in library.wordings.items():
        owner = key[0] if key[0] in library.flows else ""
        for prompt_id, prompt in wording.prompts.items():
            for text, here in _texts(prompt, key[1]):
                yield Text(text[0], findings.overlay(key, "prompts", prompt_id, *here), text[1], owner)
        for label, words in wording.labels.items():
            yield Text(words, findings.overlay(key, "labels", label), key[1], owner)


def _texts(prompt: TaperedPrompt, language: str) -> Iterator[tuple[tuple[str, str], tuple[str | int, ...]]]:
    """Each text with the language that it is said in, and where it stands below the prompt."""
    languages = {path: item.language or language for item, path in items_of(prompt)}
    for text, here in prompt_texts(prompt):
        yield (text, next((said for path, said in languages.items() if here[: len(path)] == path), language)), here
