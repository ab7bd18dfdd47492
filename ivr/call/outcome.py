"""What is told of a call at its end: how it came out, and the canonical line that closes it."""

from __future__ import annotations

from typing import Any

from ivr.dialogue.engine.dialogue import Dialogue
from ivr.errors import CallEnded
from ivr.ports import LegStats


def outcome_of(ended: CallEnded, dialogue: Dialogue | None, *, with_agent: bool, handing_over: bool) -> str:
    """ "handed over", "resolved" (something was done, nothing was left open), "abandoned", "failed", or what an end
    state of the flow calls it."""
    if with_agent:
        return "handed over"
    if dialogue is not None and dialogue.ended:
        return dialogue.outcome or "goodbye"
    if ended.by != "caller":
        return "failed"
    done = dialogue is not None and dialogue.resolved and not handing_over and not in_the_middle(dialogue)
    return "resolved" if done else "abandoned"


def in_the_middle(dialogue: Dialogue) -> bool:
    """Was a request under way, that is: was the call inside a sub-flow?"""
    snapshot = dialogue.snapshot()
    stack = snapshot.get("stack") if snapshot is not None else None
    return isinstance(stack, list) and len(stack) > 1


def canonical_line(ended: CallEnded, dialogue: Dialogue | None, stats: LegStats, **counted: Any) -> dict[str, Any]:
    """One flat mapping; times in seconds unless the name says milliseconds."""
    return {
        **counted,
        "ended_by": ended.by,
        "end_reason": ended.reason,
        "language": dialogue.language if dialogue else "",
        "resolved": dialogue.resolved if dialogue else 0,
        "codec": stats.codec,
        "packets_sent": stats.packets_sent,
        "packets_received": stats.packets_received,
        "packets_lost": stats.packets_lost,
        "jitter_ms": stats.jitter_ms,
        "concealed_ms": stats.concealed_ms,
        "audio_dropped_frames": stats.audio_dropped_frames,
    }
