"""The agents' floor of one process: SIP phones as configured, browsers as their consoles come and go, who talks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ivr.config import Agent
from ivr.phones.browser_phone import BrowserPhone
from ivr.phones.sip_phone import SipPhone
from ivr.phones.switchboard import Switchboard
from ivr.ports import AgentPhone, Bridge, Console, HangUp, MediaEngine, Ring


class AgentFloor:
    """Implements ``ivr.ports.Floor``. Who has a console connected is rung there; else their SIP phone, if they have
    one. ``line``: this process; whose console is in another is shown the conversation there."""

    def __init__(self, agents: Sequence[Agent], switchboard: Switchboard, media: MediaEngine, line: str = "") -> None:
        self._line = line
        self._switchboard = switchboard
        self._media = media
        self._consoles: dict[str, Console] = {}
        self._browsers: dict[str, BrowserPhone] = {}
        self._talks: defaultdict[str, list[tuple[Ring, Bridge]]] = defaultdict(list)
        self.apply(agents)

    def apply(self, agents: Sequence[Agent]) -> None:
        """These have SIP phones from now on."""
        self._sip = {a.name: SipPhone(a.name, a.target, self._switchboard) for a in agents if a.mode == "bridge"}
        self._hang_up: dict[str, HangUp] = {a.name: a.hang_up for a in agents}

    # -- consoles ----------------------------------------------------------------------------------------------

    def register(self, agent: str, console: Console) -> BrowserPhone:
        """A console is there: its phone, which ``connect`` makes reachable. One that is there already stays, with
        whoever is on it, and rings on ``console`` from now on."""
        late = agent not in self._consoles
        self._consoles[agent] = console
        for ring, bridge in self._talks[agent] if late else ():  # on their telephone
            console.joined(ring, bridge)
        phone = self._browsers.get(agent)
        if phone is None:
            phone = self._browsers[agent] = BrowserPhone(agent, console, self._media)
        phone.console = console
        return phone

    async def unregister(self, agent: str) -> None:
        """The agent has logged out, or is gone for good."""
        self._consoles.pop(agent, None)
        phone = self._browsers.pop(agent, None)
        if phone is not None:
            await phone.lost("the agent logged out")

    async def close(self) -> None:
        for agent in tuple(self._browsers):
            await self.unregister(agent)

    # -- ports.Floor -------------------------------------------------------------------------------------------

    def phone_of(self, agent: str) -> AgentPhone | None:
        browser = self._browsers.get(agent)
        if browser is not None and (browser.state != "unconnected" or agent not in self._sip):
            return browser
        return self._sip.get(agent)

    def joined(self, ring: Ring, bridge: Bridge) -> None:
        agent, call_id = ring.offer.agent, ring.context.call_id
        others = [each for each in self._talks[agent] if each[1].view()["call_id"] != call_id]
        self._talks[agent] = [*others, (ring, bridge)]
        here = ring.offer.line in ("", self._line)
        if here and (console := self._consoles.get(agent)) is not None:
            console.joined(ring, bridge)

    def changed(self, bridge: Bridge) -> None:
        for agent, talks in self._talks.items():
            if any(bridge is each for _, each in talks) and (console := self._consoles.get(agent)) is not None:
                console.changed(bridge)

    def parted(self, agent: str, bridge: Bridge | None = None) -> None:
        talks = self._talks.pop(agent, [])
        rest = [each for each in talks if bridge is not None and each[1] is not bridge]
        if rest:
            self._talks[agent] = rest
        elif (console := self._consoles.get(agent)) is not None and talks:
            console.parted()

    def hang_up_of(self, agent: str) -> HangUp:
        """What hanging up by the agent's phone does, as configured."""
        return self._hang_up.get(agent, "ends")

    def bridge_of(self, agent: str) -> Bridge | None:
        talks = self._talks.get(agent)
        return talks[-1][1] if talks else None
