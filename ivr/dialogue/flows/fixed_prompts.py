"""Fixed prompts: all a library may say without slots, in one language and persona, to be rendered ahead of calls."""

from __future__ import annotations

from collections.abc import Iterator

from ivr.dialogue.flows.library import UNIVERSALS_FILE, FlowLibrary
from ivr.dialogue.flows.prompt import TaperedPrompt
from ivr.dialogue.flows.wording import Wordings, Words
from ivr.dialogue.spoken.languages import SYSTEM_PROMPTS


def fixed_words(library: FlowLibrary, language: str, persona: str) -> tuple[tuple[Words, str], ...]:
    """(words, voice) pairs, each once, as Say effects will carry them; texts with {slots} are left out.

    Words with a ``language`` of their own are spoken in that."""
    wordings = Wordings(library, language, persona)
    found: dict[tuple[str, str, str, str], tuple[Words, str]] = {}
    for owner, prompt_id, tapered in _prompts(library, wordings):
        for prompt in tapered.values():
            for item in prompt:
                other = item.language if item.language != language else ""
                voice = (Wordings(library, other, persona) if other else wordings).voice(owner)
                for text in item.variants or (item.say,):
                    if (text.strip() or item.audio) and "{" not in text:
                        words = Words(text.strip(), item.audio, prompt_id, True, other)
                        found.setdefault((words.text, words.audio, voice, other), (words, voice))
    return tuple(found.values())


def _prompts(library: FlowLibrary, wordings: Wordings) -> Iterator[tuple[str, str, TaperedPrompt]]:
    for name, flow in library.flows.items():
        for sid, state in flow.states.items():
            for part, base, _ in state.prompts():
                prompt_id = f"{sid}.{part}" if part else sid
                yield name, f"{name}.{prompt_id}", wordings.prompt(name, prompt_id, base)
    for name in SYSTEM_PROMPTS:
        for owner in (UNIVERSALS_FILE, *library.flows):  # the line speaks with the voice of the flow it is in
            yield owner, f"system.{name}", wordings.system(name)
