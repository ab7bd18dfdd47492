"""What callers say to reorder a queue, what they mean by it, and whether a question asks just that.

Written as people speak, before anything was measured; about half of them are no phrase of any flow file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ADA, ADA_NUMBER = "5035550101", "10001"
ADA_QUEUE = (
    "Metropolis",
    "Vertigo",
    "Casablanca",
    "The General",
    "City Lights",
    "Nosferatu",
    "The Third Man",
    "Rear Window",
)
WALTER, WALTER_NUMBER = "5035550102", "10002"
WALTER_QUEUE = ("Alien", "Aliens", "Toy Story", "Toy Story 2", "Blade Runner", "Jaws")  # minimal pairs
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True, slots=True)
class Top:
    title: str

    def apply(self, queue: Sequence[str]) -> list[str]:
        return [self.title, *(t for t in queue if t != self.title)]

    def asked_by(self, question: str) -> bool:
        return question in (f"Move {self.title} to the top?", f"Move {self.title} to number one?")


@dataclass(frozen=True, slots=True)
class Place:
    title: str
    position: int

    def apply(self, queue: Sequence[str]) -> list[str]:
        others = [t for t in queue if t != self.title]
        return [*others[: self.position - 1], self.title, *others[self.position - 1 :]]

    def asked_by(self, question: str) -> bool:
        return question == f"Move {self.title} to number {_NUMBERS[self.position - 1]}?"


@dataclass(frozen=True, slots=True)
class Last:
    title: str

    def apply(self, queue: Sequence[str]) -> list[str]:
        return [*(t for t in queue if t != self.title), self.title]

    def asked_by(self, question: str) -> bool:
        return question == f"Move {self.title} to the end?"


@dataclass(frozen=True, slots=True)
class Beside:
    """Just before ``other``, or just after it."""

    title: str
    other: str
    after: bool = False

    def apply(self, queue: Sequence[str]) -> list[str]:
        others = [t for t in queue if t != self.title]
        at = others.index(self.other) + self.after
        return [*others[:at], self.title, *others[at:]]

    def asked_by(self, question: str) -> bool:
        return question == f"Move {self.title} to just {'after' if self.after else 'before'} {self.other}?"


@dataclass(frozen=True, slots=True)
class Swap:
    title: str
    other: str

    def apply(self, queue: Sequence[str]) -> list[str]:
        change = {self.title: self.other, self.other: self.title}
        return [change.get(t, t) for t in queue]

    def asked_by(self, question: str) -> bool:
        return question in (f"Swap {self.title} and {self.other}?", f"Swap {self.other} and {self.title}?")


Meaning = Top | Place | Last | Beside | Swap


@dataclass(frozen=True, slots=True)
class Sentence:
    text: str
    meaning: Meaning

    def answer(self, question: str) -> str | None:
        """What an honest caller says to a question that isn't yes-or-no; None when it makes no sense to them."""
        meaning = self.meaning
        match question:
            case "Which title?":
                return f"{meaning.title}."
            case "To which place? One is the top." if isinstance(meaning, Top | Place):
                return f"Number {_NUMBERS[meaning.position - 1 if isinstance(meaning, Place) else 0]}."
            case "With which title?" if isinstance(meaning, Swap):
                return f"{meaning.other}."
            case "Before which title?" | "After which title?" if isinstance(meaning, Beside):
                return f"{meaning.other}." if meaning.after == question.startswith("After") else None
        return None


REORDERS = (
    Sentence("Move Casablanca to the top.", Top("Casablanca")),
    Sentence("Please move Casablanca to the top of my queue.", Top("Casablanca")),
    Sentence("Can you put The Third Man first?", Top("The Third Man")),
    Sentence("I'd like to see Rear Window next.", Top("Rear Window")),
    Sentence("Bump Nosferatu up to the top, please.", Top("Nosferatu")),
    Sentence("City Lights should be first.", Top("City Lights")),
    Sentence("Send me The General next.", Top("The General")),
    Sentence("Could you move Vertigo to the top of the list?", Top("Vertigo")),
    Sentence("Make Vertigo number three.", Place("Vertigo", 3)),
    Sentence("Move Rear Window to number two.", Place("Rear Window", 2)),
    Sentence("Put Nosferatu in position four.", Place("Nosferatu", 4)),
    Sentence("I want City Lights to be second.", Place("City Lights", 2)),
    Sentence("Casablanca should be number six.", Place("Casablanca", 6)),
    Sentence("Move The General up to number three, please.", Place("The General", 3)),
    Sentence("Put Nosferatu before Vertigo.", Beside("Nosferatu", "Vertigo")),
    Sentence("Move Rear Window ahead of Casablanca.", Beside("Rear Window", "Casablanca")),
    Sentence("I want to see The Third Man before Metropolis.", Beside("The Third Man", "Metropolis")),
    Sentence("Please put City Lights right before The General.", Beside("City Lights", "The General")),
    Sentence("Metropolis should come after City Lights.", Beside("Metropolis", "City Lights", after=True)),
    Sentence("Put Vertigo after Nosferatu.", Beside("Vertigo", "Nosferatu", after=True)),
    Sentence("Move Casablanca behind Rear Window.", Beside("Casablanca", "Rear Window", after=True)),
    Sentence("Swap Metropolis and Rear Window.", Swap("Metropolis", "Rear Window")),
    Sentence("Switch the places of Vertigo and Nosferatu.", Swap("Vertigo", "Nosferatu")),
    Sentence("Can you swap City Lights with Casablanca?", Swap("City Lights", "Casablanca")),
)
# Titles that differ by a sound: a question is welcome, a guess is not.
MINIMAL_PAIRS = (
    Sentence("Move Aliens to the top.", Top("Aliens")),
    Sentence("Put Alien at the bottom.", Last("Alien")),
    Sentence("Move Toy Story Two to the top.", Top("Toy Story 2")),
    Sentence("Make Toy Story number two.", Place("Toy Story", 2)),
    Sentence("Move Toy Story to number two.", Place("Toy Story", 2)),
    Sentence("Swap Alien and Toy Story Two.", Swap("Alien", "Toy Story 2")),
    Sentence("Put Aliens after Jaws.", Beside("Aliens", "Jaws", after=True)),
    Sentence("Move Alien ahead of Toy Story Two.", Beside("Alien", "Toy Story 2")),
)
