"""Figures of an evaluation: shares with their 95 % intervals, and what each is aimed at.

A share says nothing without its interval: most cells have a few dozen sentences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from tests.eval.conditions import NOISY_PAUSE
from tests.eval.meaning import TASK, UNASKED, Verdict
from tests.eval.measurement import TYPED, OwnPrompt, Row

IN_GRAMMAR = ("covered",)
PAUSES = ("pause 0.2 s", "pause 0.3 s", "pause 0.5 s")
SPOKEN_GROUPS = ("clean", "A-law", "20 dB", "10 dB", "2 % loss", *PAUSES, NOISY_PAUSE, "own echo")
PERSON: tuple[Verdict, ...] = ("person",)
_Z = 1.96


@dataclass(frozen=True, slots=True)
class Share:
    """``count`` of ``of``."""

    count: int
    of: int

    @property
    def percent(self) -> float:
        return 100 * self.count / self.of if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's, at 95 %, in per cent."""
        if not self.of:
            return 0.0, 100.0
        share, n = self.count / self.of, self.of
        middle = share + _Z**2 / (2 * n)
        half = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n))
        low, high = (middle - half) / (1 + _Z**2 / n), (middle + half) / (1 + _Z**2 / n)
        return 100 * max(0.0, low), 100 * min(1.0, high)

    def __str__(self) -> str:
        if not self.of:
            return "–"
        low, high = self.interval
        return f"{self.percent:.1f} [{low:.0f}–{high:.0f}] ({self.of})"


@dataclass(frozen=True, slots=True)
class Aim:
    """``at_least`` or at most ``percent``."""

    name: str
    share: Share
    percent: float
    at_least: bool = True

    @property
    def met(self) -> bool | None:
        if not self.share.of:
            return None
        return self.share.percent >= self.percent if self.at_least else self.share.percent <= self.percent


def share(rows: Sequence[Row], verdicts: Collection[Verdict] = TASK) -> Share:
    return Share(sum(row.verdict in verdicts for row in rows), len(rows))


def of(rows: Sequence[Row], *kinds: str, group: str = "", where: Callable[[Row], bool] = lambda row: True) -> list[Row]:
    """Rows of those kinds (all where none is named) in a group of conditions (all spoken ones where none is named)."""
    return [
        row
        for row in rows
        if (not kinds or row.kind in kinds)
        and (row.group == group if group else row.group != TYPED)
        and where(row)
        and (row.language == "en-US" or group == TYPED)
    ]


def english(row: Row) -> bool:
    return row.language == "en-US"


def spanish(row: Row) -> bool:
    return row.language == "es-ES"


def unasked(rows: Sequence[Row]) -> Share:
    """Wrong without a question, needless transfers included; who threatens to leave may be transferred."""
    counted = [row for row in rows if row.kind not in ("threat", "human")]
    return share(counted, UNASKED)


def right(rows: Sequence[Row]) -> Share:
    """The task, or nothing at all done for what was no request."""
    return Share(sum(row.verdict in TASK or row.meant == row.verdict == "nothing" for row in rows), len(rows))


def caught(rows: Sequence[Row]) -> Share:
    """Threats that were taken for one, or asked about; a person is right too."""
    return share(rows, (*TASK, "person"))


def aims(rows: Sequence[Row]) -> list[Aim]:
    """What is aimed at, and where it stands."""

    def task(kind: Sequence[str], group: str, where: Callable[[Row], bool] = lambda row: True) -> Share:
        return share(of(rows, *kind, group=group, where=where))

    strange, near = of(rows, "strange"), of(rows, "near_miss")
    near_typed = of(rows, "near_miss", group=TYPED, where=english)
    paused = [row for row in rows if row.group in PAUSES]
    return [
        Aim("in grammar, clean", task(IN_GRAMMAR, "clean"), 95),
        Aim("in grammar, 20 dB", task(IN_GRAMMAR, "20 dB"), 90),
        Aim("in grammar, 10 dB", task(IN_GRAMMAR, "10 dB"), 70),
        Aim("in grammar, 2 % loss", task(IN_GRAMMAR, "2 % loss"), 95),
        Aim("paraphrases, clean", task(("paraphrase",), "clean"), 75),
        Aim("paraphrases, typed", task(("paraphrase",), TYPED, english), 85),
        Aim("digits, 20 dB", task(("digits",), "20 dB"), 97),
        Aim("wrong without a question, spoken", unasked(of(rows)), 0.5, at_least=False),
        Aim("near-misses to a person, typed", share(near_typed, PERSON), 5.6, at_least=False),
        Aim("near-misses to a person, spoken", share(near, PERSON), 5.6, at_least=False),
        Aim("threats caught or asked about, typed", caught(of(rows, "threat", group=TYPED, where=english)), 75),
        Aim("threats caught or asked about, clean", caught(of(rows, "threat", group="clean")), 75),
        Aim("out of domain accepted, spoken", share(strange, UNASKED), 1, at_least=False),
        Aim("early cuts, clean", cuts(of(rows, group="clean")), 1, at_least=False),
        Aim("early cuts, clean, pauses of 0.2 to 0.5 s", cuts(paused), 1, at_least=False),
        Aim("early cuts, 20 dB, pauses of 0.2 to 0.5 s", cuts(of(rows, group=NOISY_PAUSE)), 3, at_least=False),
        Aim("another thing done for what was cut", acted_in_a_pause(rows), 0, at_least=False),
    ]


def acted_in_a_pause(rows: Sequence[Row]) -> Share:
    """Of all that was said with a pause: cut in it, and something else done."""
    paused = [row for row in rows if row.group in (*PAUSES, NOISY_PAUSE)]
    return Share(sum(row.cut and row.verdict == "wrong" for row in paused), len(paused))


def cuts(rows: Sequence[Row]) -> Share:
    return Share(sum(row.cut for row in rows), len(rows))


def endless(rows: Sequence[Row]) -> Share:
    return Share(sum(row.never_ended for row in rows), len(rows))


def delays(rows: Sequence[Row]) -> tuple[float, float] | None:
    """(p50, p95) seconds from the last sound to the line's knowing what was said, where it was decided in time."""
    found = sorted(row.delay_s for row in rows if row.delay_s is not None and not row.never_ended)
    return (quantile(found, 0.5), quantile(found, 0.95)) if found else None


def quantile(ordered: Sequence[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def began(prompts: Sequence[OwnPrompt]) -> Share:
    return Share(sum(each.began for each in prompts), len(prompts))
