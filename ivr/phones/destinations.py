"""Destinations of transfers and call backs: where an agent, or their phone, may send a caller, and by which trunk.

Nothing else is ever dialled: agents and outside numbers from the configuration, and numbers that callers gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote

from ivr.config import Agent, Config, Trunk
from ivr.errors import DialFailed, TransferFailed
from ivr.media.description import SrtpPolicy
from ivr.numbering import NumberingPlan

FORBIDDEN = 403
NO_TRUNK = 503
MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class Onward:
    """Where a caller goes from here: an agent or a skill by its name, ``target``, a SIP URI outside, or the dialogue
    that they came from."""

    kind: Literal["agent", "skill", "outside", "machine"]
    name: str
    target: str = ""


class Destinations:
    """``config`` None: nothing outside, and no agents."""

    def __init__(self, config: Config | None = None) -> None:
        self.apply(config or Config())

    def apply(self, config: Config) -> None:
        """From now on these count."""
        self._numbering: NumberingPlan = config.flows.numbering
        self._agents: Sequence[Agent] = config.desk.agents
        self._outside = config.desk.line.outside
        self._premium = config.desk.line.premium
        self._trunk = _outgoing(config.sip.trunks, config.desk.line.trunk)

    @property
    def trunk(self) -> str:
        """Which calls out; "" where none does."""
        return self._trunk.name if self._trunk is not None else ""

    def onward(self, to: str) -> Onward:
        """What a console says: "agent:NAME", "skill:NAME", "tel:NUMBER" or a SIP URI. Raises TransferFailed."""
        kind, _, name = to.partition(":")
        if name and kind == "agent":
            return Onward("agent", name)
        if name and kind == "skill":
            return Onward("skill", name)
        onward = self.referred(to)
        if onward is None:
            raise TransferFailed(
                FORBIDDEN, f"{to} is no agent's phone, nor in outside under [desk.line], where the operator can list it"
            )
        return onward

    def referred(self, uri: str) -> Onward | None:
        """What an agent's phone says in a REFER: a URI; None for one that is not allowed. A number goes to our trunk,
        whatever host the phone put behind it; an agent is known by their phone, or by their name as the user. Users
        "agent:NAME", "skill:NAME" and "machine" (``at``) are what consoles can say."""
        if agent := next((a for a in self._agents if _same(a.target, uri) or _user(uri) == a.name), None):
            return Onward("agent", agent.name, agent.target)
        kind, _, name = _user(uri).partition(":")
        if name and kind == "agent":
            return Onward("agent", name)
        if name and kind == "skill":
            return Onward("skill", name)
        if (kind, name) == (MACHINE, ""):
            return Onward("machine", MACHINE)
        for allowed in self._outside:
            if allowed[:4].lower() != "tel:":
                if _same(allowed, uri):
                    return Onward("outside", allowed.partition(":")[2], allowed)
            elif self._numbering.number(allowed) == (number := self._numbering.number(uri)):
                return Onward("outside", number, self._by_trunk(number)) if self._trunk is not None else None
        return None

    def allows(self, uri: str) -> bool:
        """Whether a REFER to it is accepted."""
        return self.referred(uri) is not None

    def srtp(self, uri: str) -> SrtpPolicy | None:
        """What the agent whose phone it is wants; None: whatever the trunk has."""
        return next((agent.srtp for agent in self._agents if _same(agent.target, uri)), None)

    def subscriber(self, number: str) -> str:
        """A number that somebody gave, in E.164: before it is promised a call. Raises DialFailed for what is no
        subscriber's number, or costs extra (403), and where no trunk takes calls out (503)."""
        number = self._numbering.number(number)
        if not self._numbering.callable(number, premium=self._premium):
            raise DialFailed(FORBIDDEN, "not a number that is called back")
        if self._trunk is None:
            raise DialFailed(NO_TRUNK, "no trunk takes calls out: give one of [[sip.trunks]] a gateway, or register it")
        return number

    def member(self, number: str) -> str:
        """The SIP URI at which a number that a caller gave is called. Raises DialFailed for what ``subscriber``
        refuses."""
        return self._by_trunk(self.subscriber(number))

    def _by_trunk(self, number: str) -> str:
        assert self._trunk is not None
        scheme, _, gateway = (self._trunk.gateway or self._trunk.register_with).partition(":")
        return f"{scheme.lower()}:{number}@{gateway.rpartition('@')[2]}"


def at(to: str, host: str) -> str:
    """The SIP URI by which ``Destinations.referred`` knows "agent:NAME", "skill:NAME" or "machine" again."""
    return f"sip:{quote(to, safe='')}@{host}"


def _outgoing(trunks: Sequence[Trunk], wanted: str) -> Trunk | None:
    """The trunk for calls out: the one that is named, else the first that has somewhere to send them."""
    able = [trunk for trunk in trunks if trunk.gateway or trunk.register_with]
    return next((trunk for trunk in able if wanted in ("", trunk.name)), None)


def _user(uri: str) -> str:
    scheme, _, rest = uri.partition(":")
    user, at, _ = rest.partition("@")
    return unquote(user) if at and scheme.lower() in ("sip", "sips") else ""


def _same(one: str, other: str) -> bool:
    """Whether two SIP URIs name one phone: user, host and port, whatever their parameters."""
    return _place(one) == _place(other)


def _place(uri: str) -> tuple[str, str]:
    scheme, _, rest = uri.partition(":")
    user, _, place = rest.rpartition("@")
    usual = 5061 if scheme.lower() == "sips" or ";transport=tls" in place.lower() else 5060
    host = place.partition(";")[0].partition("?")[0].lower()
    return unquote(user), host if host.rpartition(":")[2].isdecimal() and ":" in host else f"{host}:{usual}"
