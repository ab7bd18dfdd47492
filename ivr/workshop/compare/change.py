"""Changes: one difference between two versions of the flows, in words; and how two texts differ, word by word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import Any, TypeVar

from ivr.dialogue.flows.prompt import PromptItem, TaperedPrompt

K = TypeVar("K")
V = TypeVar("V")
_OPEN, _CLOSE = "‹", "›"


@dataclass(frozen=True, slots=True)
class Change:
    """``section``: the flow or fragment, or "universals". ``place``: the state, intent… in it; "" for all of it.

    ``kind`` is kebab-case and stable. ``was`` and ``now`` are texts with the words that differ between ‹ and ›.
    ``effect``: what callers notice, where that isn't plain from ``text``. ``care``: somebody should look."""

    section: str
    place: str
    kind: str
    text: str
    was: str = ""
    now: str = ""
    effect: str = ""
    care: bool = False

    def render(self) -> Iterator[str]:
        yield ("! " if self.care else "  ") + self.text
        for what, text in (("was", self.was), ("now", self.now), ("for callers", self.effect)):
            if text:
                yield f"      {what}: {text}"

    def as_json(self) -> dict[str, object]:
        """ "weight" is "care" or "plain"."""
        found = asdict(self)
        return {**found, "weight": "care" if found.pop("care") else "plain"}


def changed_items(old: Mapping[K, V], new: Mapping[K, V]) -> Iterator[tuple[K, V | None, V | None]]:
    """(key, before, after) of what isn't the same in both; None where it isn't there."""
    for key in dict.fromkeys((*old, *new)):
        if old.get(key) != new.get(key):
            yield key, old.get(key), new.get(key)


def changed_fields(old: object, new: object, keys: Iterable[str]) -> Iterator[tuple[str, Any, Any]]:
    """(key, before, after) of those of ``keys`` that aren't the same in both models."""
    for key in keys:
        before, after = getattr(old, key), getattr(new, key)
        if before != after:
            yield key, before, after


def prompt_change(
    section: str, place: str, what: str, old: TaperedPrompt | None, new: TaperedPrompt | None
) -> Iterator[Change]:
    if (old or {}) != (new or {}):
        was, now = marked(spelled(old), spelled(new))
        how = "other words" if old and new else "new words" if new else "no words now"
        yield Change(section, place, "prompt", f"{what}: {how}", was if old else "", now if new else "")


def marked(old: str, new: str) -> tuple[str, str]:
    """Both texts with the words that are not in the other one between ‹ and ›."""
    before, after = old.split(), new.split()
    was: list[str] = []
    now: list[str] = []
    for what, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        was += before[a:b] if what == "equal" else _between(before[a:b])
        now += after[c:d] if what == "equal" else _between(after[c:d])
    return " ".join(was), " ".join(now)


def _between(words: list[str]) -> list[str]:
    if not words:
        return []
    words = list(words)
    words[0] = _OPEN + words[0]
    words[-1] += _CLOSE
    return words


def spelled(prompt: TaperedPrompt | None) -> str:
    """All that a prompt may say, on one line."""
    if not prompt:
        return "nothing"
    parts = []
    for count, items in sorted(prompt.items()):
        text = " ".join(_item(i) for i in items) or "nothing"
        parts.append(text if list(prompt) == [1] else f"{ordinal(count)} time: {text}")
    return "; ".join(parts)


def _item(item: PromptItem) -> str:
    text = " | ".join(item.variants) if item.variants else item.say
    if item.audio:
        text = f"{text} (recorded: {item.audio})".strip()
    return f"[if {item.condition}: {text}]" if item.condition else text


def ordinal(count: int) -> str:
    return {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}.get(count, f"{count}th")


def listed(values: Iterable[object], most: int = 6) -> str:
    """“a”, “b” and 3 more."""
    texts = [f"“{v}”" for v in values]
    if len(texts) > most:
        texts = [*texts[: most - 1], f"{len(texts) - most + 1} more"]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}" if texts else "nothing"


def named(value: object) -> str:
    """A value from a flow file as it might be written there."""
    if value is None or value == "" or value == ():
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ", ".join(str(v) for v in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {named(v)}" for k, v in value.items()) or "nothing"
    return str(value)
