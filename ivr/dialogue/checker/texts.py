"""Texts inside prompts, and the slots inside texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ivr.dialogue.flows.model import PromptItem
from ivr.dialogue.flows.wording import SLOT

_LETTER = re.compile(r"[^\W\d_]")
_SLOT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*\Z")

Path = tuple[str | int, ...]


def prompt_texts(prompt: object, path: Path) -> Iterator[tuple[str, Path]]:
    """Every text of a tapered prompt, with its path."""
    if not isinstance(prompt, Mapping):
        return
    for count, items in prompt.items():
        for place, item in enumerate(items):
            if isinstance(item, PromptItem):
                if item.say:
                    yield item.say, (*path, count, place, "say")
                for index, variant in enumerate(item.variants):
                    yield variant, (*path, count, place, "variants", index)


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


def slot_names(prompt: object) -> set[str]:
    """The variables and facts a prompt names, in its texts and in its items' conditions."""
    found = {name for text, _ in prompt_texts(prompt, ()) for name, _, _ in slots_in(text) if name}
    if isinstance(prompt, Mapping):
        for items in prompt.values():
            for item in items:
                if isinstance(item, PromptItem) and item.condition:
                    found |= set(re.findall(r"[A-Za-z_][A-Za-z0-9_.]*", item.condition))
    return found
