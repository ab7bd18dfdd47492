"""What is kept of a dialog, for the process that goes on with it should this one die (``ivr.sip.restored``)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Protocol

from ivr.ports import Party
from ivr.sip.dialog import CallDialog
from ivr.sip.message import Peer
from ivr.sip.sdp import OfferAnswer
from ivr.sip.session_timer import SessionTimer

CREDENTIALS = frozenset({"authorization", "proxy-authorization"})
LONGEST_HEADER = 500

# A database is no place for media keys: zeros stand for them here, media keeps them sealed, or nobody does.
_SECRETS = ("a=crypto:", "a=ice-pwd:", "a=key-mgmt:")
_KEYS = re.compile(r"(?im)^(a=crypto:\s*\S+\s+\S+\s+inline:)([^\s|=;]+)|^a=(?:ice-pwd|key-mgmt):.*\r?\n?")

# What is kept is made at every state of a call: nothing in it is nested but the routes.
_DIALOG, _PARTY = (tuple(each.name for each in fields(cls)) for cls in (CallDialog, Party))


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
        "dialog": {**_flat(leg.dialog, _DIALOG), "routes": list(leg.dialog.routes)},
        "arrival": [arrival.transport, arrival.host, arrival.port, arrival.name],
        "trunk": leg.trunk,
        "caller": _flat(leg.caller, _PARTY),
        "called": _flat(leg.called, _PARTY),
        "headers": _headers(leg.headers) if leg.far == "caller" else {},
        "updates": leg.updates,
        "interval_s": leg.session.interval_s,
        "sdp": {**audio.kept(), "ours": without_keys(audio.text), "theirs": without_keys(audio.heard)},
    }


def without_keys(sdp: str) -> str:
    """``sdp`` as long as it was, with a key that opens nothing in the place of each."""
    plain = sdp.lower()
    if not any(secret in plain for secret in _SECRETS):
        return sdp
    return _KEYS.sub(lambda found: found[1] + "A" * len(found[2]) if found[1] else "", sdp)


def _flat(value: object, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Those of a caller: an agent's were ours, a hand-over's link in them."""
    return {name: value[:LONGEST_HEADER] for name, value in headers.items() if name.lower() not in CREDENTIALS}
