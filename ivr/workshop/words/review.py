"""The review: the catalogue with how long each text plays, what is wrong with it, and a filter over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ivr.speech.prompt_lengths import Length
from ivr.workshop.words.catalogue import Catalogue, SpokenText
from ivr.workshop.words.examples import example

LengthOf = Callable[[str, str, str, str, tuple[str, ...]], Length]
"""(text, language, voice, recording, earlier texts)."""
RECORDING = "recording out of date"


@dataclass(frozen=True, slots=True)
class Reviewed:
    """``example``: the text with its slots filled in, which is what ``length`` is of."""

    text: SpokenText
    example: str
    length: Length

    @property
    def status(self) -> str:
        return RECORDING if self.text.status == "ok" and self.length.of else self.text.status

    @property
    def place(self) -> str:
        return f"{self.text.file}:{self.text.line}" if self.text.file else "built in"

    @property
    def note(self) -> str:
        """Why it isn't ok, in words."""
        if self.status == RECORDING:
            return f"{self.length.file} says “{self.length.of}”"
        return self.text.note


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; "" is everything. ``status``: several by commas. ``text``: in the texts, what they
    translate, and their keys, whatever the case."""

    language: str = ""
    persona: str = ""
    owner: str = ""
    status: str = ""
    text: str = ""

    def fits(self, row: Reviewed) -> bool:
        text, sought = row.text, self.text.casefold()
        return (
            self.language in ("", text.language)
            and self.persona in ("", text.persona)
            and self.owner in ("", text.unit.owner)
            and (not self.status or row.status in self.status.split(","))
            and (not sought or any(sought in each.casefold() for each in (text.text, text.base, text.key)))
        )


def reviewed(catalogue: Catalogue, length: LengthOf, names: Sequence[str] = ()) -> Iterator[Reviewed]:
    """``names``: out of the company's vocabularies, for examples."""
    for text in catalogue.texts():
        said = example(catalogue.library, text.unit.owner, text.text, text.said_in, names)
        yield Reviewed(text, said, length(said, text.said_in, text.voice, text.audio, text.earlier))
