"""A bridge's view: what consoles and boards show of a conversation, as JSON.

``view()``, as JSON: ``call_id``, ``place`` (the place's id, 0 without a line), ``caller`` {name, number, member,
language}, ``reason``, ``said``, ``skill``, ``priority``, ``url`` (the screen pop's); ``agent``, ``seconds`` since they
joined, ``began``: when that was, ISO 8601; ``parties`` [{role: caller | agent | consulted | supervisor, name, seconds,
muted, how, outside}]; ``held``, ``held_by`` ("", "agent", "phone", "consultation" or "transfer"); ``muted``;
``consulting`` null or {with, state: ringing | private | conference}; ``supervisors`` [names]; ``transferring`` "" or
where to; ``on_hang_up`` (ends | returns); ``recording``: see ``ivr.phones.recording``; ``trouble``: what was tried last
and failed, or who was lost, "" for nothing; ``you``: agent or consulted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ivr.events import CALLER_ID
from ivr.phones.conference import Party
from ivr.ports import Ring


def bridge_view(ring: Ring, name: str, agent: Party, parties: Sequence[Party], now: float) -> Mapping[str, Any]:
    """What the ring and the parties tell; the bridge adds its own state. ``name``: the caller's; ``now``: the
    loop's."""
    context, place = ring.context, ring.offer.place
    return {
        "call_id": context.call_id,
        "place": place.id,
        "caller": {
            "name": name,
            "number": context.caller.number,
            "member": str(context.facts.get(CALLER_ID) or place.arrival.member),
            "language": context.language,
        },
        "reason": context.reason,
        "said": context.said,
        "skill": context.skill,
        "priority": context.priority,
        "url": ring.url,
        "agent": agent.name,
        "seconds": round(now - agent.since, 1),
        "parties": [party.view(now) for party in parties],
        "muted": agent.muted,
        "supervisors": [party.name for party in parties if party.role == "supervisor"],
    }
