"""A hand-over's context, for the desk's tests."""

from __future__ import annotations

from ivr.ports import HandoffContext, Party
from ivr.record import Utterance

CONTEXT = HandoffContext(
    call_id="call-1",
    reason="cancellation-risk",
    skill="retention",
    priority=9,
    caller=Party("5035550101", "Ada Moreno"),
    language="en-US",
    facts={"caller.name": "Ada Moreno", "member.number": "10001"},
    transcript=(Utterance("heard", "I want to cancel", "main.menu", "leave"),),
    tried=("menu", "queue.read"),
    flow="main",
    state="menu",
)
