"""The canonical line of a call: what came of it, as one flat mapping, which ends its log and its record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ivr.call.handoff import Handoff
from ivr.call.journal import Counts
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.errors import CallEnded
from ivr.ports import LegStats


@dataclass(frozen=True, slots=True)
class Answered:
    """What there is of a call from its answer on."""

    dialogue: Dialogue
    handoff: Handoff


def canonical_line(
    ended: CallEnded, stats: LegStats, call: Answered | None, counts: Counts, *, inherited: bool
) -> dict[str, Any]:
    """Times in seconds unless the name says milliseconds. ``call`` None: it ended before it was answered; or, if
    ``inherited``, another process had it, and nobody could go on with it."""
    context = call.handoff.context if call else None
    return {
        "turns": counts.turns,
        "barge_ins": counts.barge_ins,
        "outcome": outcome(ended, call) if call is not None or not inherited else _unfound(ended),
        "ended_by": ended.by,
        "end_reason": ended.reason,
        "language": call.dialogue.language if call else "",
        "resolved": call.dialogue.resolved if call else 0,
        "handoff_reason": (call.dialogue.reason or (context.reason if context else "")) if call else "",
        "handoff_also": [other.reason for other in call.dialogue.also] if call else [],
        "seconds_to_human": call.handoff.call.seconds_to_human if call else None,
        "waited_s": round(call.handoff.place.waited_s, 1) if call else 0.0,
        "place_told": call.handoff.place.told.position if call else 0,
        "codec": stats.codec,
        "encryption": stats.encryption,
        "agent_encryption": call.handoff.call.agent_encryption if call else "",
        "packets_sent": stats.packets_sent,
        "packets_received": stats.packets_received,
        "packets_lost": stats.packets_lost,
        "jitter_ms": stats.jitter_ms,
        "packets_failed": stats.packets_failed,
        "packets_refused": stats.packets_refused,
        "concealed_ms": stats.concealed_ms,
        "audio_dropped_frames": stats.audio_dropped_frames,
    }


def outcome(ended: CallEnded, call: Answered | None) -> str:
    """ "handed over", "resolved" (something was done, nothing was left open), "abandoned", "failed", or what an end
    state of the flow calls it. ``call`` None: it ended before it was answered."""
    if call is None:
        return "abandoned" if ended.by == "caller" else "failed"
    dialogue, handoff = call.dialogue, call.handoff
    if handoff.call.with_agent:
        return "handed over"
    if dialogue.ended:
        return dialogue.outcome or "goodbye"
    if ended.by != "caller":
        return "failed"
    done = dialogue.resolved and handoff.context is None and not _in_the_middle(dialogue)
    return "resolved" if done else "abandoned"


def _unfound(ended: CallEnded) -> str:
    """A call that another process had, and nobody could go on with."""
    return "abandoned" if ended.by == "caller" else "lost"


def _in_the_middle(dialogue: Dialogue) -> bool:
    """Was a request under way, that is: was the call inside a sub-flow?"""
    snapshot = dialogue.snapshot()
    stack = snapshot.get("stack") if snapshot is not None else None
    return isinstance(stack, list) and len(stack) > 1
