"""The member's queue: hearing it and changing it. Every change can be undone within the call."""

from __future__ import annotations

from collections.abc import Mapping

from ivr.actions.invocation import Handler, Invocation
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.dialogue.spoken.normalisation import listed
from ivr.events import ActionResult
from ivr.reference import ordering
from ivr.reference.backend import UNDO, Edit, Membership, Queues
from ivr.reference.members import MEMBER_FACTS, VOCABULARIES, refreshed
from ivr.reference.records import QueueEdit
from ivr.reference.titles import terms

AT_ONCE = 5  # nobody remembers more titles than that

_TITLE = Parameter("title", "title")
_OTHER = Parameter("other", "title")
_RELATIVE = ("ok", "already_there", "same_title", "not_in_queue", "other_not_in_queue")


def _change(name: str, parameters: tuple[Parameter, ...], outcomes: tuple[str, ...], about: str) -> ActionSignature:
    """Returns: ``position`` where the title now stands (removed: stood), ``title``, ``other`` as they are said."""
    returns = {"title": "text", "position": "number", "count": "number"}
    if _OTHER in parameters:
        returns["other"] = "text"
    return ActionSignature(
        name=name,
        parameters=parameters,
        outcomes=outcomes,
        returns=returns,
        facts=MEMBER_FACTS,
        vocabularies=VOCABULARIES,
        risk="reversible",
        about=about,
        undo=UNDO,
    )


SIGNATURES = (
    ActionSignature(
        name="queue.read",
        parameters=(
            Parameter("first", "number", required=False),
            Parameter("limit", "number", required=False),
        ),
        outcomes=("ok", "empty"),
        returns={
            "titles": "text",
            "count": "number",
            "first": "number",
            "last": "number",
            "more": "boolean",
        },
        facts=MEMBER_FACTS,
        vocabularies=VOCABULARIES,
        about="The queue's titles in order, ready to be said: at most limit (5) from position first (1).",
    ),
    ActionSignature(
        name="queue.next",
        outcomes=("ok", "empty"),
        returns={"title": "text", "count": "number"},
        facts=MEMBER_FACTS,
        vocabularies=VOCABULARIES,
        about="The title at the top of the queue.",
    ),
    _change(
        "queue.move_to_position",
        (_TITLE, Parameter("position", "ordinal")),
        ("ok", "already_there", "not_in_queue", "out_of_range"),
        "Move a title to a position; 1 is the top, -1 or last the end.",
    ),
    _change("queue.move_before", (_TITLE, _OTHER), _RELATIVE, "Move a title to just before another."),
    _change("queue.move_after", (_TITLE, _OTHER), _RELATIVE, "Move a title to just after another."),
    _change(
        "queue.swap",
        (_TITLE, _OTHER),
        tuple(outcome for outcome in _RELATIVE if outcome != "already_there"),
        "Let two titles change places.",
    ),
    _change(
        "queue.add",
        (_TITLE,),
        ("ok", "already_in_queue", "unknown_title"),
        "Add a title of the catalogue at the end.",
    ),
    _change(
        "queue.add_to_top",
        (_TITLE,),
        ("ok", "already_in_queue", "unknown_title"),
        "Add a title of the catalogue at the top.",
    ),
    _change("queue.remove", (_TITLE,), ("ok", "not_in_queue"), "Take a title out."),
    ActionSignature(
        name=UNDO,
        outcomes=("ok", "nothing_to_undo", "changed_since"),
        facts=MEMBER_FACTS,
        vocabularies=VOCABULARIES,
        risk="none",
        about="Take back this call's last change of the queue, unless somebody changed it since.",
    ),
)


class QueueActions:
    def __init__(self, membership: Membership, queues: Queues) -> None:
        self._membership = membership
        self._queues = queues

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "queue.read": self.read,
            "queue.next": self.next,
            "queue.move_to_position": self.move_to_position,
            "queue.move_before": self.move_before,
            "queue.move_after": self.move_after,
            "queue.swap": self.swap,
            "queue.add": self.add,
            "queue.add_to_top": self.add_to_top,
            "queue.remove": self.remove,
            "queue.undo": self.undo,
        }

    async def read(self, invocation: Invocation) -> ActionResult:
        result = await refreshed(self._membership, invocation.caller_id, "ok")
        queue = result.vocabularies["queue"]
        first = max(1, int(invocation.get("first", 1)))
        shown = queue[first - 1 : first - 1 + max(1, int(invocation.get("limit", AT_ONCE)))]
        if not shown:
            return _with(result, "empty", {"titles": "", "count": len(queue), "first": 0, "last": 0, "more": False})
        last = first + len(shown) - 1
        values = {
            "titles": listed([term.label for term in shown], invocation.call.language),
            "count": len(queue),
            "first": first,
            "last": last,
            "more": last < len(queue),
        }
        return _with(result, "ok", values)

    async def next(self, invocation: Invocation) -> ActionResult:
        result = await refreshed(self._membership, invocation.caller_id, "ok")
        queue = result.vocabularies["queue"]
        values = {"title": queue[0].label if queue else "", "count": len(queue)}
        return _with(result, "ok" if queue else "empty", values)

    async def move_to_position(self, invocation: Invocation) -> ActionResult:
        title, position = invocation["title"], invocation["position"]
        return await self._edit(invocation, lambda order: ordering.to_position(order, title, position))

    async def move_before(self, invocation: Invocation) -> ActionResult:
        title, other = invocation["title"], invocation["other"]
        return await self._edit(invocation, lambda order: ordering.beside(order, title, other, after=False))

    async def move_after(self, invocation: Invocation) -> ActionResult:
        title, other = invocation["title"], invocation["other"]
        return await self._edit(invocation, lambda order: ordering.beside(order, title, other, after=True))

    async def swap(self, invocation: Invocation) -> ActionResult:
        title, other = invocation["title"], invocation["other"]
        return await self._edit(invocation, lambda order: ordering.swapped(order, title, other))

    async def add(self, invocation: Invocation) -> ActionResult:
        return await self._add(invocation, top=False)

    async def add_to_top(self, invocation: Invocation) -> ActionResult:
        return await self._add(invocation, top=True)

    async def remove(self, invocation: Invocation) -> ActionResult:
        title = invocation["title"]
        return await self._edit(invocation, lambda order: ordering.removed(order, title))

    async def undo(self, invocation: Invocation) -> ActionResult:
        call = invocation.call
        edit = await self._queues.undo(invocation.caller_id, key=call.key, call_id=call.call_id)
        return await refreshed(self._membership, invocation.caller_id, edit.outcome)

    async def _add(self, invocation: Invocation, *, top: bool) -> ActionResult:
        title = invocation["title"]
        if await self._membership.title(title) is None:
            values = {"title": "", "position": 0, "count": invocation.call.facts.get("queue.size", 0)}
            return ActionResult("unknown_title", values)
        return await self._edit(invocation, lambda order: ordering.added(order, title, top=top))

    async def _edit(self, invocation: Invocation, edit: Edit) -> ActionResult:
        call = invocation.call
        record = await self._queues.rearrange(
            invocation.caller_id, edit, key=call.key, action=call.name, call_id=call.call_id
        )
        result = await refreshed(self._membership, invocation.caller_id, record.outcome)
        values: dict[str, object] = {
            "title": await self._label(result, invocation["title"]),
            "position": _position(record, invocation["title"]),
            "count": len(record.after),
        }
        if "other" in invocation.arguments:
            values["other"] = await self._label(result, invocation["other"])
        return _with(result, record.outcome, values)

    async def _label(self, result: ActionResult, title: int) -> str:
        for term in result.vocabularies["queue"]:
            if term.id == str(title):
                return term.label
        found = await self._membership.title(title)
        return terms([found])[0].label if found else ""


def _position(record: QueueEdit, title: int) -> int:
    """Where the title stands now, else where it stood before, else 0."""
    for order in (record.after, record.before):
        if title in order:
            return order.index(title) + 1
    return 0


def _with(result: ActionResult, outcome: str, values: Mapping[str, object]) -> ActionResult:
    return ActionResult(outcome, values, result.facts, result.vocabularies)
