"""The rejoining of an agent whose caller's process died: what was kept of their conversation, and their phone again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

import structlog

from ivr.errors import CallEnded, MediaUnavailable, ModificationRefused
from ivr.phones.participant import BROWSER, Participant, close_media
from ivr.ports import Arrival, HangUp, MediaEngine, Offer, Place, SipEndpoint

log = structlog.get_logger(__name__)

_MOMENTS = ("entered_at", "due_at", "waits_since", "changed_at")


@dataclass(frozen=True, slots=True)
class KeptTalk:
    """How a conversation was. ``since``: by the clock on the wall, None where that is not known; ``held``: by the
    agent; ``paused``: its recording; ``withdrawn``: the caller's consent to one; ``others``: who was in it besides, and
    is not brought back."""

    since: datetime | None = None
    held: bool = False
    muted: bool = False
    outside: bool = False
    hang_up: HangUp | None = None
    paused: bool = False
    withdrawn: bool = False
    others: tuple[str, ...] = ()

    @property
    def lasted_s(self) -> float:
        return max(0.0, (datetime.now(UTC) - self.since).total_seconds()) if self.since is not None else 0.0

    @property
    def trouble(self) -> str:
        """What the agent is told of it."""
        if not self.others:
            return ""
        names, is_ = " and ".join(self.others), "is" if len(self.others) == 1 else "are"
        return f"{names} {is_} no longer with you: the line that had this call died. Ask them again if you need them."

    def to_json(self) -> dict[str, Any]:
        since = self.since.isoformat() if self.since is not None else None
        return {**asdict(self), "since": since, "others": list(self.others)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> KeptTalk:
        """Raises KeyError, TypeError and ValueError for what no process of ours kept."""
        known = {each.name for each in fields(cls)}
        values = {name: value for name, value in kept.items() if name in known}
        since = datetime.fromisoformat(values["since"]) if values.get("since") else None
        return cls(**{**values, "since": since, "others": tuple(values.get("others", ()))})


def kept_agent(agent: Participant, offer: Offer, talk: KeptTalk) -> dict[str, Any] | None:
    """As JSON: whoever has the caller, and what they took. ``leg`` None: a browser, whose page comes back by itself.
    None where their leg is over."""
    leg = agent.kept()
    if leg is None and agent.leg.trunk != BROWSER:
        return None
    return {"leg": leg, "offer": kept_offer(offer), "tied": agent.tied, "talk": talk.to_json()}


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
        keys = kept["leg"].get("media")
        opened = await media.open(f"{call_id}-agent", leg.remote, caller=False, call=call_id, kept=keys)
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
