"""Prompts of the flow language (VoiceXML 2.1, section 4.1): items, variants, recordings, tapered by ``count``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Path = tuple[str | int, ...]
"""Where something stands in a model: keys and indices, below the prompt, the state or the file."""


class Node(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        coerce_numbers_to_str=True,  # key: 1, label: 1984
    )


def short_for(key: str, *kinds: type) -> BeforeValidator:
    """A value of one of these kinds by itself is short for the mapping ``{key: value}``."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, kinds) else value)


def seconds(value: object) -> object:
    """``6s``, ``800ms``, ``2m``, ``1h`` or plain seconds -> seconds."""
    if isinstance(value, str):
        for suffix, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)):
            if value.endswith(suffix):
                try:
                    return float(value[: -len(suffix)]) * factor
                except ValueError:
                    break
        raise ValueError(f"{value!r} is not a duration: write 6s, 800ms or 2m")
    return value


Duration = Annotated[float, BeforeValidator(seconds), Field(gt=0, le=600)]


class PromptItem(Node):
    """One piece of a prompt: ``say`` with {slots}, or one of ``variants``; ``audio`` names a recording that wins.

    ``language``: said by a voice of that language; left out where the line has none."""

    say: str = ""
    variants: tuple[str, ...] = ()
    audio: str = ""
    language: str = ""
    condition: str = Field("", alias="if")


def _prompt(value: object) -> object:
    if isinstance(value, str):
        return ({"say": value},)
    if isinstance(value, dict):
        return (value,)
    if isinstance(value, list | tuple):
        return tuple({"say": v} if isinstance(v, str) else v for v in value)
    return value


Prompt = Annotated[tuple[PromptItem, ...], BeforeValidator(_prompt)]


def _tapered(value: object) -> object:
    """A prompt, or prompts by ``count`` (VoiceXML 6.1): {1: first time, 3: from the third time on}."""
    if isinstance(value, dict) and value and all(str(k).isdigit() for k in value):
        return {int(str(k)): v for k, v in value.items()}
    return {1: value}


TaperedPrompt = Annotated[dict[Annotated[int, Field(ge=1, le=9)], Prompt], BeforeValidator(_tapered)]


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
