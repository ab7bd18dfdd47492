"""A conference's mix: who of a conversation hears whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ivr.phones.participant import Participant
from ivr.ports import Supervision

Role = Literal["caller", "agent", "consulted", "supervisor"]


@dataclass(slots=True, eq=False)
class Party:
    """Somebody in a conversation. ``since``: when they came in, by the loop's clock; ``how``: a supervisor's part;
    ``outside``: no agent of ours, but a telephone that the caller was transferred to."""

    role: Role
    name: str
    participant: Participant
    since: float
    muted: bool = False
    how: Supervision = "listen"
    outside: bool = False

    def view(self, now: float) -> Mapping[str, Any]:
        """As the bridge's JSON has it."""
        return {
            "role": self.role,
            "name": self.name,
            "seconds": round(now - self.since, 1),
            "muted": self.muted,
            "how": self.how if self.role == "supervisor" else "",
            "outside": self.outside,
        }


def hears(parties: Sequence[Party], *, held: bool, conference: bool) -> Mapping[Party, Sequence[Party]]:
    """For each, whom they hear. ``held``: the caller is on hold; ``conference``: the consulted one talks with the
    caller too. A supervisor hears all, and is heard by the agent alone (whisper) or by everybody (barge)."""
    return {
        one: [other for other in parties if other is not one and _hears(one, other, held, conference)]
        for one in parties
    }  # fmt: skip


def _hears(one: Party, other: Party, held: bool, conference: bool) -> bool:
    if other.muted or (held and "caller" in (one.role, other.role)):
        return False
    if other.role == "supervisor":
        return other.how == "barge" or (other.how == "whisper" and one.role == "agent")
    return one.role == "supervisor" or conference or {one.role, other.role} != {"caller", "consulted"}
