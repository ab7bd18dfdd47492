"""What an agent's phone shows while it is rung."""

from __future__ import annotations

from ivr.softphone.agent import told
from ivr.softphone.events import Incoming


def test_every_reason_is_shown_as_it_was_written() -> None:
    headers = {
        "from": "<sip:+15035550101@192.0.2.1>",
        "x-ivr-reason": "cancel 100%25",
        "x-ivr-also": "silent; ni%C3%B1o",
    }
    assert told(Incoming(0.0, "sip:agent@192.0.2.2", headers)) == [
        "rung by +15035550101",
        "  reason: cancel 100%",
        "  also: silent; niño",
    ]
