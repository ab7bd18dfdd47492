"""The canvas of one flow: cards measured, laid out, and the lines between their rows. No drawing yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.model import Flow
from ivr.workshop.picture.cards import Card, Row, cards_of
from ivr.workshop.picture.layout import Box, Link, layered, ranks_of
from ivr.workshop.picture.text_width import wrapped

WIDTH = 226.0
HEAD = 40.0  # name and what it does
LINE = 14.0  # of what is said
ROW = 19.0
MEMBER = 20.0  # a call on a stacked card
PAD = 7.0
MARGIN = 18.0
CAPTION = 46.0
_SAID_LINES = 2


@dataclass(frozen=True, slots=True)
class Line:
    """A way drawn: from ``row`` of the card ``source`` to the state ``target``."""

    source: str
    row: Row
    target: str
    course: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class PlacedCard:
    card: Card
    x: float
    y: float
    height: float
    said: tuple[str, ...]

    @property
    def rows_top(self) -> float:
        return _rows_top(self.card, self.said)

    def member_top(self, index: int) -> float:
        return HEAD + index * MEMBER


@dataclass(frozen=True, slots=True)
class Canvas:
    flow: Flow
    cards: tuple[PlacedCard, ...]
    lines: tuple[Line, ...]
    width: float
    height: float

    def boxes(self) -> Mapping[str, tuple[float, float, float, float]]:
        """State -> x, y, width, height: of its card, or of its place on a stacked one."""
        found = {}
        for placed in self.cards:
            if not placed.card.stacked:
                found[placed.card.id] = (placed.x, placed.y, WIDTH, placed.height)
                continue
            for index, state in enumerate(placed.card.states):
                found[state] = (placed.x, placed.y + placed.member_top(index), WIDTH, MEMBER)
        return found


def canvas_of(library: FlowLibrary, flow: Flow) -> Canvas:
    cards = cards_of(library, flow)
    owner = {state: card for card in cards for state in card.states}
    said = {card.id: wrapped(card.said, WIDTH - 28, _SAID_LINES) for card in cards}
    drawn = [(card, place, row) for card in cards for place, row in enumerate(card.rows) if not row.sign]
    ranks = ranks_of([c.id for c in cards], [(c.id, owner[r.target].id) for c, _, r in drawn])
    links = [
        Link(c.id, owner[r.target].id, _rows_top(c, said[c.id]) + (p + 0.5) * ROW, _entrance(owner[r.target], r.target))
        for c, p, r in drawn
    ]
    heights = {c.id: _rows_top(c, said[c.id]) + len(c.rows) * ROW + (PAD / 2 if c.rows else 0.0) for c in cards}
    boxes = [Box(card.id, WIDTH, heights[card.id]) for card in cards]
    layout = layered(boxes, _gathered(cards, ranks, owner), links)
    left, top = MARGIN, MARGIN + CAPTION
    placed = [
        PlacedCard(c, layout.corners[c.id][0] + left, layout.corners[c.id][1] + top, heights[c.id], said[c.id])
        for c in cards
    ]
    lines = [
        Line(card.id, row, row.target, tuple((x + left, y + top) for x, y in course))
        for (card, _, row), course in zip(drawn, layout.courses, strict=True)
    ]
    width = max(layout.width, WIDTH) + 2 * MARGIN
    return Canvas(flow, tuple(placed), tuple(lines), width, layout.height + MARGIN + top)


def _gathered(cards: Sequence[Card], ranks: Mapping[str, int], owner: Mapping[str, Card]) -> dict[str, int]:
    """Where no line leads (the place is only ever named by signs): right of the last card that names it."""
    led_to = {owner[r.target].id for c in cards for r in c.rows if not r.sign}
    last = max(ranks.values(), default=0)
    found = dict(ranks)
    for card in cards[1:]:
        if card.id in led_to or any(not r.sign for r in card.rows):
            continue
        named = [ranks[c.id] + 1 for c in cards for r in c.rows if r.target in card.states and c.id != card.id]
        found[card.id] = min(max(named, default=0), last)
    return found


def _rows_top(card: Card, said: Sequence[str]) -> float:
    members = len(card.states) * MEMBER + PAD if card.stacked else 0.0
    return HEAD + (len(said) * LINE + PAD if said else 0.0) + members


def _entrance(card: Card, state: str) -> float:
    return HEAD + (card.states.index(state) + 0.5) * MEMBER if card.stacked else HEAD / 2
