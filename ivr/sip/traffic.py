"""SIP traffic (as RFC 4780's MIB counts it): responses by class, retransmissions, time-outs, refusals."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ivr.sip.message import METHODS


@dataclass(slots=True)
class SipTraffic:
    """Since the start. Methods that RFC 3261 and its extensions don't know count as "other"; classes are "1xx" to
    "6xx". ``refused``: INVITEs by why no session took them."""

    requests_in: Counter[str] = field(default_factory=Counter)  # by method, repeated ones too
    requests_out: Counter[str] = field(default_factory=Counter)
    responses_in: Counter[str] = field(default_factory=Counter)  # by class
    responses_out: Counter[str] = field(default_factory=Counter)
    repeated_in: int = 0  # requests that came again
    repeated_out: int = 0  # of ours, for want of an answer or an ACK
    timed_out: Counter[str] = field(default_factory=Counter)  # "INVITE", "other", "ACK": nobody answered ours
    refused: Counter[str] = field(default_factory=Counter)

    def sent(self, data: bytes) -> None:
        """A message goes out, encoded."""
        if data.startswith(b"SIP/2.0 "):
            self.responses_out[f"{data[8:9].decode('latin-1')}xx"] += 1
        else:
            self.requests_out[known(data[:16].partition(b" ")[0].decode("latin-1"))] += 1

    def requested(self, method: str) -> None:
        self.requests_in[known(method)] += 1

    def answered(self, status: int) -> None:
        self.responses_in[f"{min(max(status // 100, 1), 6)}xx"] += 1

    def sent_again(self) -> None:
        self.repeated_out += 1

    def gave_up(self, method: str) -> None:
        self.timed_out[method if method in ("INVITE", "ACK") else "other"] += 1


def known(method: str) -> str:
    """The method where it is one; strangers' inventions are all the same."""
    return method if method in METHODS or method in _OTHERS else "other"


_OTHERS = frozenset({"REGISTER", "SUBSCRIBE", "MESSAGE", "PUBLISH", "REFER"})
