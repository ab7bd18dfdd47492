"""The outcome of a call, and the canonical line that closes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ivr.call.handoff import Handoff
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.errors import CallEnded
from ivr.ports import LegStats


@dataclass(frozen=True, slots=True)
class Answered:
    """What there is of a call from its answer on."""

    dialogue: Dialogue
    handoff: Handoff


def outcome_of(ended: CallEnded, call: Answered | None) -> str:
    """ "handed over", "resolved" (something was done, nothing was left open), "abandoned", "failed", or what an end
    state of the flow calls it. ``call`` None: it ended before it was answered."""
    if call is None:
        return "abandoned" if ended.by == "caller" else "failed"
    dialogue, handoff = call.dialogue, call.handoff
    if handoff.with_agent:
        return "handed over"
    if dialogue.ended:
        return dialogue.outcome or "goodbye"
    if ended.by != "caller":
        return "failed"
    done = dialogue.resolved and handoff.context is None and not in_the_middle(dialogue)
    return "resolved" if done else "abandoned"


def in_the_middle(dialogue: Dialogue) -> bool:
    """Was a request under way, that is: was the call inside a sub-flow?"""
    snapshot = dialogue.snapshot()
    stack = snapshot.get("stack") if snapshot is not None else None
    return isinstance(stack, list) and len(stack) > 1


def canonical_line(ended: CallEnded, call: Answered | None, stats: LegStats, **counted: Any) -> dict[str, Any]:
    """One flat mapping; times in seconds unless the name says milliseconds."""
    context = call.handoff.context if call else None
    return {
        **counted,
        "outcome": outcome_of(ended, call),
        "ended_by": ended.by,
        "end_reason": ended.reason,
        "language": call.dialogue.language if call else "",
        "resolved": call.dialogue.resolved if call else 0,
        "handoff_reason": context.reason if context else "",
        "seconds_to_human": call.handoff.seconds_to_human if call else None,
        "codec": stats.codec,
        "packets_sent": stats.packets_sent,
        "packets_received": stats.packets_received,
        "packets_lost": stats.packets_lost,
        "jitter_ms": stats.jitter_ms,
        "concealed_ms": stats.concealed_ms,
        "audio_dropped_frames": stats.audio_dropped_frames,
    }
