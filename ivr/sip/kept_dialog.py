"""What is kept of a dialog, for the process that goes on with it should this one die (``ivr.sip.restored``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

from ivr.ports import Party
from ivr.sip.dialog import CallDialog
from ivr.sip.message import Peer
from ivr.sip.sdp import OfferAnswer
from ivr.sip.session_timer import SessionTimer

CREDENTIALS = frozenset({"authorization", "proxy-authorization"})
LONGEST_HEADER = 500

# A database is no place for media keys: zeros stand for them here, media keeps them sealed, or nobody does.
_KEYS = re.compile(r"(?im)^(a=crypto:\s*\S+\s+\S+\s+inline:)([^\s|=;]+)|^a=(?:ice-pwd|key-mgmt):.*\r?\n?")


class Keeping(Protocol):
    """The leg, as it is kept."""

    far: str
    dialog: CallDialog
    audio: OfferAnswer
    arrival: Peer
    trunk: str
    caller: Party
    called: Party
    headers: Mapping[str, str]
    updates: bool
    session: SessionTimer


def kept(leg: Keeping) -> dict[str, Any]:
    """As JSON. The keys of a secured leg (SDES) are left out: ``MediaLeg.kept`` has them, else the re-INVITE agrees on
    new ones."""
    audio, arrival = leg.audio, leg.arrival
    return {
        "far": leg.far,
        "dialog": asdict(leg.dialog),
        "arrival": [arrival.transport, arrival.host, arrival.port, arrival.name],
        "trunk": leg.trunk,
        "caller": asdict(leg.caller),
        "called": asdict(leg.called),
        "headers": {
            name: value[:LONGEST_HEADER]
            for name, value in leg.headers.items()
            if leg.far == "caller"
            and name.lower() not in CREDENTIALS  # an agent's were ours, a hand-over's link in them
        },
        "updates": leg.updates,
        "interval_s": leg.session.interval_s,
        "sdp": {**audio.kept(), "ours": without_keys(audio.text), "theirs": without_keys(audio.heard)},
    }


def without_keys(sdp: str) -> str:
    """``sdp`` as long as it was, with a key that opens nothing in the place of each."""
    return _KEYS.sub(lambda found: found[1] + "A" * len(found[2]) if found[1] else "", sdp)
