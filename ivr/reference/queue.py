"""The member's queue: hearing it and changing it. Every change can be undone within the call.

What editing means is pure: from one order of title ids to (outcome, the next); positions count from 1, and an outcome
other than "ok" leaves the order as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from ivr.actions.registry import LAST, Handler, Invocation
from ivr.dialogue.flows.signature import Parameter
from ivr.dialogue.spoken.normalisation import listed
from ivr.events import ActionResult
from ivr.identity import IdentityLevel
from ivr.ports import ActionCall
from ivr.reference.backend import UNDO, Backend, MemberRecords, Order
from ivr.reference.members import of_member, refreshed
from ivr.reference.titles import terms
from ivr.store.ledger import Json

AT_ONCE = 5  # nobody remembers more titles than that

Edited = tuple[str, Order]

_TITLE = Parameter("title", "title")
_OTHER = Parameter("other", "title")
_RELATIVE = ("ok", "already_there", "same_title", "not_in_queue", "other_not_in_queue")
_ADDED = ("ok", "already_in_queue", "unknown_title")

# Returns: ``position`` where the title now stands (removed: stood), ``title``, ``other`` as they are said.
_RETURNS = {"title": "text", "position": "number", "count": "number"}
_likely = partial(of_member, needs=IdentityLevel.LIKELY)
_change = partial(_likely, risk="reversible", undo=UNDO, returns=_RETURNS)
_relative = partial(_change, parameters=(_TITLE, _OTHER), outcomes=_RELATIVE, returns={**_RETURNS, "other": "text"})

SIGNATURES = (
    _likely(
        "queue.read",
        parameters=(Parameter("first", "number", required=False), Parameter("limit", "number", required=False)),
        outcomes=("ok", "empty"),
        returns={"titles": "text", "count": "number", "first": "number", "last": "number", "more": "boolean"},
        about="The queue's titles in order, ready to be said: at most limit (5) from position first (1).",
    ),
    _likely(
        "queue.next",
        outcomes=("ok", "empty"),
        returns={"title": "text", "count": "number"},
        about="The title at the top of the queue.",
    ),
    _likely(
        "queue.at",
        parameters=(Parameter("position", "ordinal"),),
        outcomes=("ok", "out_of_range"),
        returns={"title": "title", "count": "number"},
        about="The title at a position; 1 is the top, -1 or last the end.",
    ),
    _change(
        "queue.move_to_position",
        parameters=(_TITLE, Parameter("position", "ordinal")),
        outcomes=("ok", "already_there", "not_in_queue", "out_of_range"),
        about="Move a title to a position; 1 is the top, -1 or last the end.",
    ),
    _relative("queue.move_before", about="Move a title to just before another."),
    _relative("queue.move_after", about="Move a title to just after another."),
    _relative(
        "queue.swap",
        outcomes=tuple(outcome for outcome in _RELATIVE if outcome != "already_there"),
        about="Let two titles change places.",
    ),
    _change("queue.add", parameters=(_TITLE,), outcomes=_ADDED, about="Add a title of the catalogue at the end."),
    _change(
        "queue.add_to_top", parameters=(_TITLE,), outcomes=_ADDED, about="Add a title of the catalogue at the top."
    ),
    _change("queue.remove", parameters=(_TITLE,), outcomes=("ok", "not_in_queue"), about="Take a title out."),
    _likely(
        UNDO,
        outcomes=("ok", "nothing_to_undo", "changed_since"),
        about="Take back this call's last change of the queue, unless somebody changed it since.",
    ),
)

_EDITS: Mapping[str, Callable[[Order, Invocation], Edited]] = {
    "queue.move_to_position": lambda order, told: to_position(order, told["title"], told["position"]),
    "queue.move_before": lambda order, told: beside(order, told["title"], told["other"], after=False),
    "queue.move_after": lambda order, told: beside(order, told["title"], told["other"], after=True),
    "queue.swap": lambda order, told: swapped(order, told["title"], told["other"]),
    "queue.add": lambda order, told: added(order, told["title"], top=False),
    "queue.add_to_top": lambda order, told: added(order, told["title"], top=True),
    "queue.remove": lambda order, told: removed(order, told["title"]),
}
Edit = Callable[[Order], tuple[str, Sequence[int]]]
"""From the title ids in order to (outcome, the new order). Pure; an unchanged order changes nothing."""


async def rearrange(backend: Backend, member: str, call: ActionCall, edit: Edit) -> Json:
    """Apply ``edit`` to the member's queue: outcome, and the title ids ``before`` and ``after``.

    Raises ValueError when it doubles a title."""

    async def change(records: MemberRecords) -> Json:
        before = await records.queue()
        outcome, after = edit(before)
        if len(set(after)) != len(after):
            raise ValueError("a title would stand twice in the queue")
        if tuple(after) != before:
            await records.put_queue(tuple(after))
        return {"outcome": outcome, "before": list(before), "after": list(after)}

    return await backend.change(member, call, change)


async def _undo(records: MemberRecords) -> Json:
    """Take back this call's last change, where the queue is still as that left it."""
    last = await records.last_edit()
    if last is None:
        return {"outcome": "nothing_to_undo"}
    if last.after != await records.queue():
        return {"outcome": "changed_since"}
    await records.mark_undone(last)
    await records.put_queue(last.before)
    return {"outcome": "ok"}


class QueueActions:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def handlers(self) -> Mapping[str, Handler]:
        edits = dict.fromkeys(_EDITS, self.edit)
        return {"queue.read": self.read, "queue.next": self.next, "queue.at": self.at, **edits, UNDO: self.undo}

    async def read(self, invocation: Invocation) -> ActionResult:
        result = await refreshed(self._backend, invocation.caller_id, "ok")
        queue = result.vocabularies["queue"]
        first = max(1, int(invocation.get("first", 1)))
        shown = queue[first - 1 : first - 1 + max(1, int(invocation.get("limit", AT_ONCE)))]
        count = len(queue)
        if not shown:
            values = {"titles": "", "count": count, "first": 0, "last": 0, "more": False}
            return replace(result, outcome="empty", values=values)
        last = first + len(shown) - 1
        titles = listed([term.label for term in shown], invocation.call.language)
        values = {"titles": titles, "count": count, "first": first, "last": last, "more": last < count}
        return replace(result, values=values)

    async def next(self, invocation: Invocation) -> ActionResult:
        result = await refreshed(self._backend, invocation.caller_id, "ok")
        queue = result.vocabularies["queue"]
        values = {"title": queue[0].label if queue else "", "count": len(queue)}
        return replace(result, outcome="ok" if queue else "empty", values=values)

    async def at(self, invocation: Invocation) -> ActionResult:
        result = await refreshed(self._backend, invocation.caller_id, "ok")
        queue = result.vocabularies["queue"]
        position = int(invocation["position"])
        position = len(queue) if position == LAST else position
        if not 1 <= position <= len(queue):
            return replace(result, outcome="out_of_range", values={"title": "", "count": len(queue)})
        return replace(result, values={"title": queue[position - 1].id, "count": len(queue)})

    async def undo(self, invocation: Invocation) -> ActionResult:
        done = await self._backend.change(invocation.caller_id, invocation.call, _undo)
        return await refreshed(self._backend, invocation.caller_id, done["outcome"])

    async def edit(self, invocation: Invocation) -> ActionResult:
        call, title = invocation.call, invocation["title"]
        edit = _EDITS[call.name]
        if "unknown_title" in invocation.signature.outcomes and await self._backend.title(title) is None:
            values = {"title": "", "position": 0, "count": call.facts.get("queue.size", 0)}
            return ActionResult("unknown_title", values)
        done = await rearrange(self._backend, invocation.caller_id, call, lambda order: edit(order, invocation))
        result = await refreshed(self._backend, invocation.caller_id, done["outcome"])
        values = {
            "title": await self._label(result, title),
            "position": next((o.index(title) + 1 for o in (done["after"], done["before"]) if title in o), 0),
            "count": len(done["after"]),
        }
        if "other" in invocation.arguments:
            values["other"] = await self._label(result, invocation["other"])
        return replace(result, values=values)

    async def _label(self, result: ActionResult, title: int) -> str:
        for term in result.vocabularies["queue"]:
            if term.id == str(title):
                return term.label
        found = await self._backend.title(title)
        return terms([found])[0].label if found else ""


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
