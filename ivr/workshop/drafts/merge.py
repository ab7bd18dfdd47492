"""The three-way merge: what two people made of one text, put together by lines, or where they touched each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher


@dataclass(frozen=True, slots=True)
class Clash:
    """Lines from ``line`` on (from 1, of the text before) of which both made something else; ``at``: where ``mine``
    begins in the text that was merged."""

    line: int
    at: int
    was: str
    mine: str
    theirs: str


@dataclass(frozen=True, slots=True)
class Merged:
    """``text`` has ``mine`` where there are ``clashes``."""

    text: str
    clashes: tuple[Clash, ...] = ()


@dataclass(frozen=True, slots=True)
class _Hunk:
    """Lines ``start`` to ``end`` of the text before became ``lines``."""

    start: int
    end: int
    lines: tuple[str, ...]
    mine: bool


def merge3(was: str, mine: str, theirs: str) -> Merged:
    """Changes that no unchanged line lies between touch each other. Pure; of large texts it takes a while."""
    if mine == theirs or theirs == was:
        return Merged(mine)
    if mine == was:
        return Merged(theirs)
    before = was.splitlines(keepends=True)
    hunks = [*_hunks(before, mine, mine=True), *_hunks(before, theirs, mine=False)]
    hunks.sort(key=lambda hunk: (hunk.start, hunk.end))
    parts: list[str] = []
    clashes: list[Clash] = []
    at, line = 0, 1
    for group in _groups(hunks):
        start, end = group[0].start, max(hunk.end for hunk in group)
        parts += before[at:start]
        line += start - at
        ours, others = (_made(before, start, end, [h for h in group if h.mine is mine]) for mine in (True, False))
        alone = {hunk.mine for hunk in group}
        if alone == {False}:
            ours = others
        elif len(alone) == 2 and ours != others:
            clashes.append(Clash(start + 1, line, "".join(before[start:end]), ours, others))
        parts.append(ours)
        line += len(ours.splitlines())
        at = end
    return Merged("".join((*parts, *before[at:])), tuple(clashes))


def _hunks(before: Sequence[str], text: str, *, mine: bool) -> list[_Hunk]:
    after = text.splitlines(keepends=True)
    codes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return [_Hunk(a, b, tuple(after[c:d]), mine) for kind, a, b, c, d in codes if kind != "equal"]


def _groups(hunks: Sequence[_Hunk]) -> list[list[_Hunk]]:
    groups: list[list[_Hunk]] = []
    end = -1
    for hunk in hunks:
        if hunk.start > end:
            groups.append([])
        groups[-1].append(hunk)
        end = max(end, hunk.end)
    return groups


def _made(before: Sequence[str], start: int, end: int, hunks: Sequence[_Hunk]) -> str:
    parts: list[str] = []
    at = start
    for hunk in hunks:
        parts += (*before[at : hunk.start], *hunk.lines)
        at = hunk.end
    return "".join((*parts, *before[at:end]))
