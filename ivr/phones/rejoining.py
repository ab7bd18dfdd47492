"""The rejoining of an agent whose caller's process died: what was kept of their conversation, and their phone again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

import structlog

from ivr.errors import CallEnded, MediaUnavailable, ModificationRefused
from ivr.phones.participant import Participant, close_media
from ivr.ports import Arrival, MediaEngine, Offer, Place, SipEndpoint

log = structlog.get_logger(__name__)

_MOMENTS = ("entered_at", "due_at", "waits_since")


def kept_offer(offer: Offer) -> dict[str, Any]:
    """As JSON."""
    place = asdict(offer.place)
    place |= {name: place[name].isoformat() for name in _MOMENTS if place[name] is not None}
    return {**asdict(offer), "place": place, "until": offer.until.isoformat()}


def offer_of(kept: Mapping[str, Any]) -> Offer:
    """Raises KeyError, TypeError and ValueError for what no process of ours kept."""
    known = {field.name for field in fields(Place)}
    place = {name: value for name, value in kept["place"].items() if name in known}
    place |= {name: datetime.fromisoformat(place[name]) for name in _MOMENTS if place.get(name)}
    place["arrival"] = Arrival(**place["arrival"])
    return Offer(**{**kept, "place": Place(**place), "until": datetime.fromisoformat(kept["until"])})


async def phone_again(
    endpoint: SipEndpoint, media: MediaEngine, call_id: str, kept: Mapping[str, Any]
) -> Participant | None:
    """Whoever has the telephone of this leg, told where to speak to now; None where it is gone."""
    leg = endpoint.restore(kept["leg"])
    try:
        opened = await media.open(f"{call_id}-agent", leg.remote, caller=False, call=call_id)
    except MediaUnavailable as error:
        log.warning("agent.not_rejoined", leg=leg.id, why=str(error))
        await leg.hangup("no media", lost=True)
        return None
    try:
        agent = Participant(leg, opened, may_mute=True, tied=bool(kept["tied"]))
        await agent.aim(await leg.reinvite(opened.local))
    except (CallEnded, ModificationRefused, MediaUnavailable) as error:
        log.warning("agent.not_rejoined", leg=leg.id, why=str(error))
        await close_media(opened)
        if not isinstance(error, CallEnded):
            await leg.hangup("not rejoined", lost=True)
        return None
    return agent
