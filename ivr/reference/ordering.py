"""What editing a queue means: from one order of title ids to the next. Pure; positions count from 1.

Each function answers (outcome, new order); an outcome other than "ok" leaves the order as it was.
"""

from __future__ import annotations

from ivr.actions.invocation import LAST

Order = tuple[int, ...]
Edited = tuple[str, Order]


def to_position(order: Order, title: int, position: int) -> Edited:
    """ok, already_there, not_in_queue, out_of_range. LAST (-1) is the end."""
    if title not in order:
        return "not_in_queue", order
    place = len(order) if position == LAST else position
    if not 1 <= place <= len(order):
        return "out_of_range", order
    return _moved(order, _inserted(_without(order, title), title, place - 1))


def beside(order: Order, title: int, other: int, *, after: bool) -> Edited:
    """ok, already_there, same_title, not_in_queue, other_not_in_queue."""
    if missing := _missing(order, title, other):
        return missing, order
    rest = _without(order, title)
    return _moved(order, _inserted(rest, title, rest.index(other) + after))


def swapped(order: Order, title: int, other: int) -> Edited:
    """ok, same_title, not_in_queue, other_not_in_queue."""
    if missing := _missing(order, title, other):
        return missing, order
    exchanged = {title: other, other: title}
    return "ok", tuple(exchanged.get(entry, entry) for entry in order)


def added(order: Order, title: int, *, top: bool) -> Edited:
    """ok, already_in_queue."""
    if title in order:
        return "already_in_queue", order
    return "ok", (title, *order) if top else (*order, title)


def removed(order: Order, title: int) -> Edited:
    """ok, not_in_queue."""
    if title not in order:
        return "not_in_queue", order
    return "ok", _without(order, title)


def _missing(order: Order, title: int, other: int) -> str:
    if title not in order:
        return "not_in_queue"
    if other not in order:
        return "other_not_in_queue"
    return "same_title" if title == other else ""


def _without(order: Order, title: int) -> Order:
    return tuple(entry for entry in order if entry != title)


def _inserted(order: Order, title: int, index: int) -> Order:
    return (*order[:index], title, *order[index:])


def _moved(before: Order, after: Order) -> Edited:
    return ("already_there", before) if before == after else ("ok", after)
