"""The texts, conditions and values inside prompts and states, and the slots inside texts, each with its path."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ivr.dialogue.flows.prompt import PromptItem, TaperedPrompt
from ivr.dialogue.flows.state import Path
from ivr.dialogue.flows.wording import SLOT

_LETTER = re.compile(r"[^\W\d_]")
_SLOT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*\Z")


def items_of(prompt: TaperedPrompt, path: Path = ()) -> Iterator[tuple[PromptItem, Path]]:
    """Every piece of a tapered prompt, with its path."""
    for count, items in prompt.items():
        for place, item in enumerate(items):
            yield item, (*path, count, place)


def prompt_texts(prompt: TaperedPrompt, path: Path = ()) -> Iterator[tuple[str, Path]]:
    """Every text of a tapered prompt, with its path."""
    for item, here in items_of(prompt, path):
        if item.say:
            yield item.say, (*here, "say")
        for index, variant in enumerate(item.variants):
            yield variant, (*here, "variants", index)


def leaves(value: object, path: Path) -> Iterator[tuple[object, Path]]:
    """Every plain value inside lists and mappings, with its path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield value, path


def names_in(text: str) -> Iterator[str]:
    """The variables and facts that a text's {slots} name."""
    for match in SLOT.finditer(text):
        yield match.group(1).strip()


def slots_in(text: str) -> Iterator[tuple[str, str, str]]:
    """(name, filter, "") for each slot of a text, or ("", "", what) for braces that are none."""
    for match in SLOT.finditer(text):
        name = match.group(1).strip()
        if _SLOT_NAME.match(name):
            yield name, (match.group(2) or "").strip(), ""
        else:
            yield "", "", match.group(0)
    rest = SLOT.sub("", text)
    if "{" in rest or "}" in rest:
        yield "", "", next(c for c in rest if c in "{}")


def has_words(text: str) -> bool:
    """Whether there is anything to translate: letters outside slots."""
    return bool(_LETTER.search(SLOT.sub("", text)))


def slot_names(prompt: TaperedPrompt) -> set[str]:
    """The variables and facts a prompt names, in its texts and in its items' conditions."""
    found = {name for text, _ in prompt_texts(prompt) for name, _, _ in slots_in(text) if name}
    for item, _ in items_of(prompt):
        found |= set(re.findall(r"[A-Za-z_][A-Za-z0-9_.]*", item.condition))
    return found
