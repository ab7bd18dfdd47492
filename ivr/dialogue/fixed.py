"""Everything a library can say without knowing who calls: rendered ahead, at start-up."""

from __future__ import annotations

from collections.abc import Iterator

from ivr.dialogue.library import FlowLibrary
from ivr.dialogue.model import TaperedPrompt
from ivr.dialogue.proof.graph import spoken
from ivr.dialogue.wording import Wordings


def fixed_prompts(library: FlowLibrary, language: str, persona: str) -> tuple[tuple[str, str, str], ...]:
    """(text, language, voice) of each prompt and variant without {slots}, once, in the order of the files."""
    words = Wordings(library, language, persona)
    found = dict.fromkeys(
        (text, language, words.voice(flow))
        for flow, prompt in _prompts(library, words)
        for text in _texts(prompt)
        if text and "{" not in text
    )
    return tuple(found)


def _prompts(library: FlowLibrary, words: Wordings) -> Iterator[tuple[str, TaperedPrompt]]:
    for name in library.universals.prompts:
        yield library.universals.human_flow, words.system(name)
    for flow in library.flows.values():
        for state_id, state in flow.states.items():
            for part, prompt, _ in spoken(state):
                yield flow.flow, words.prompt(flow.flow, f"{state_id}.{part}" if part else state_id, prompt)


def _texts(prompt: TaperedPrompt) -> Iterator[str]:
    for items in prompt.values():
        for item in items:
            yield from (text.strip() for text in (item.variants or (item.say,)))
