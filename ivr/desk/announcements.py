"""Announcements of waits: what may be said to whom, and how true it was; the estimator learns from every one of them.

Everything is read off the line's view as it changes, so that every process of a line learns, whoever serves whom. Those
who give up are followed as ghosts: their truth is known once the line passes their place, and without it the promise
would be kept to the patient only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ivr.desk.estimate import Expected, Sentence, WaitEstimate
from ivr.desk.position import ahead, sayable, staffed
from ivr.desk.routing import Rules, is_due, waits_since
from ivr.ports.line import AgentStatus, Announced, LineView, Place, Standing

WAITING = ("waiting", "offered")
TAKEN = ("talking", "dialling")
AT_WORK = ("busy", "wrap_up")
HAD_TO_WAIT_S = 1.0
LOST_AFTER = timedelta(hours=2)  # a ghost's turn will not come any more


@dataclass(slots=True)
class _Caller:
    """Somebody whose truth is to come. ``told``: what they heard, oldest first; ``lowest``: position."""

    place: Place
    told: list[Announced]
    lowest: int | None = None
    gone: bool = False


class WaitAnnouncements:
    """Implements ``ivr.ports.Estimator``. ``keep`` gets each announcement when it is made, and again when its truth is
    known; ``unknown`` the places of which another process may have told something: ``adopt`` it."""

    def __init__(
        self,
        rules: Rules,
        handle_s: float,
        *,
        now: Callable[[], datetime],
        keep: Callable[[Announced], None] = lambda announced: None,
        unknown: Callable[[int], None] = lambda place_id: None,
    ) -> None:
        self._estimate = WaitEstimate(handle_s)
        self.rules = rules
        self._now = now
        self._keep = keep
        self._unknown = unknown
        self._callers: dict[int, _Caller] = {}
        self._before: dict[int, Place] = {}
        self._busy_since: dict[tuple[str, int], datetime] = {}

    def apply(self, rules: Rules) -> None:
        """From the next question on."""
        self.rules = rules

    def warm_up(self, truths: Iterable[Announced], handles_s: Iterable[float] = ()) -> None:
        """After a start: announcements whose truth is known, and the last conversations with their wrap-up, both oldest
        first."""
        for seconds in handles_s:
            self._estimate.handled(seconds)
        for each in truths:
            if each.true_wait_s is not None and each.expected_s:
                self._estimate.learn(each.kind, each.ahead, each.expected_s, each.true_wait_s)

    def adopt(self, told: Iterable[Announced]) -> None:
        """What callers of live places heard from another process, or from this one before it was started again."""
        for each in told:
            caller = self._callers.get(each.place_id)
            if caller is None and each.place_id in self._before:
                caller = self._callers[each.place_id] = _Caller(self._before[each.place_id], [])
            if caller is None or any(known.at == each.at for known in caller.told):
                continue
            if each.position:
                caller.lowest = min(each.position, caller.lowest or each.position)
            if each.true_wait_s is None and caller.place.state not in TAKEN:
                caller.told.append(each)

    # -- what is asked ---------------------------------------------------------------------------------------------

    def within_s(self, view: LineView, place: Place) -> float | None:
        expected = self._expected(view, place)
        return expected.within_s if expected is not None else None

    def position(self, view: LineView, place: Place) -> int:
        caller = self._callers.get(place.id)
        true = ahead(view, place, self.rules, self._now()) + 1
        return sayable(true, caller.lowest if caller is not None else None)

    def told(self, view: LineView, place: Place, standing: Standing) -> None:
        minutes = standing.within_minutes
        if not standing.position and minutes is None:
            return  # nothing was said
        expected = self._expected(view, place)
        said = Announced(
            place_id=place.id,
            at=self._now(),
            position=standing.position,
            within_s=standing.within_s,
            kind=self._sentence(place),
            minutes=minutes,
            ahead=expected.ahead if expected is not None else 0,
            expected_s=expected.seconds if expected is not None else None,
        )
        caller = self._callers.setdefault(place.id, _Caller(place, []))
        caller.told.append(said)
        if said.position:
            caller.lowest = min(said.position, caller.lowest or said.position)
        self._keep(said)

    def _expected(self, view: LineView, place: Place) -> Expected | None:
        now = self._now()
        waiting_s = sum(_waited_s(other, now) for other in view.places if other.state in WAITING)
        agents = len(staffed(view, place, self.rules, now))
        return self._estimate.expect(self._sentence(place), ahead(view, place, self.rules, now), agents, waiting_s)

    def _sentence(self, place: Place) -> Sentence:
        caller = self._callers.get(place.id)
        return "again" if caller is not None and caller.told else "first"

    # -- what is seen ----------------------------------------------------------------------------------------------

    def follow(self, view: LineView) -> None:
        now = self._now()
        places = {place.id: place for place in view.places}
        agents = {agent.name: agent for agent in view.agents}
        for place in view.places:
            self._moved(self._before.get(place.id), place, agents, view, now)
        for place in self._before.values():
            if place.id not in places:
                self._vanished(place, now)
        self._before = places
        gone = any(caller.gone and caller.told for caller in self._callers.values())
        for agent in view.agents:
            self._worked(agent)
            if gone and agent.state == "idle":
                self._passed(agent, self._next_for(agent, view, now), view, now)
        self._forget(view, now)

    def _moved(
        self, before: Place | None, place: Place, agents: dict[str, AgentStatus], view: LineView, now: datetime
    ) -> None:
        caller = self._callers.get(place.id)
        if caller is not None:
            caller.place = place
        if before is None or before.line != place.line:
            self._unknown(place.id)
        if place.state in TAKEN:
            if before is not None and before.state not in TAKEN:
                if before.state in WAITING and _waited_s(before, now) >= HAD_TO_WAIT_S:
                    self._estimate.ended(_waited_s(before, now), gave_up=False)
                self._true(place.id, now)
                if place.agent in agents:
                    self._passed(agents[place.agent], place, view, now)
        elif place.state in WAITING:
            if caller is not None:
                caller.gone = False  # they are back
        elif before is not None and before.state in WAITING:
            self._left(before, now, called_back=place.state == "callback")

    def _vanished(self, place: Place, now: datetime) -> None:
        if place.state in WAITING:
            self._left(place, now)
        elif place.state in TAKEN:
            self._callers.pop(place.id, None)

    def _left(self, place: Place, now: datetime, *, called_back: bool = False) -> None:
        """They wait on the line no longer; a call back still takes an agent's time, the others don't."""
        if _waited_s(place, now) >= HAD_TO_WAIT_S:
            self._estimate.ended(_waited_s(place, now), gave_up=not called_back)
        if (caller := self._callers.get(place.id)) is not None:
            caller.gone = True

    def _worked(self, agent: AgentStatus) -> None:
        seat = (agent.name, agent.slot)
        since = self._busy_since.get(seat)
        if since is not None and (agent.state not in AT_WORK or (agent.state == "busy" and agent.since != since)):
            self._estimate.handled((agent.since - since).total_seconds())
            del self._busy_since[seat]
        if agent.state == "busy":
            self._busy_since[seat] = agent.since

    def _next_for(self, agent: AgentStatus, view: LineView, now: datetime) -> Place | None:
        able = (p for p in view.places if is_due(p, now) and self._could_take(agent, p, view, now))
        return min(able, key=lambda place: self.rules.order(place, now), default=None)

    def _could_take(self, agent: AgentStatus, place: Place, view: LineView, now: datetime) -> bool:
        return any(taker.name == agent.name for taker in self.rules.takers(place, view.agents, now))

    def _passed(self, agent: AgentStatus, place: Place | None, view: LineView, now: datetime) -> None:
        """``agent`` turns to ``place``, or to nobody: who is gone and stood before it would have been served now."""
        limit = self.rules.order(place, now) if place is not None else None
        for caller in [each for each in self._callers.values() if each.gone and each.told]:
            if not self._could_take(agent, caller.place, view, now):
                continue
            if limit is None or self.rules.order(caller.place, now) < limit:
                self._true(caller.place.id, now)

    def _true(self, place_id: int, now: datetime) -> None:
        """Now is when it was their turn."""
        caller = self._callers.get(place_id)
        for said in caller.told if caller is not None else ():
            true_s = (now - said.at).total_seconds()
            if said.expected_s:
                self._estimate.learn(said.kind, said.ahead, said.expected_s, true_s)
            kept = true_s <= 60 * said.minutes if said.minutes is not None else None
            self._keep(replace(said, true_wait_s=true_s, kept=kept))
        if caller is not None:
            caller.told.clear()

    def _forget(self, view: LineView, now: datetime) -> None:
        live = {place.id for place in view.places}
        on_duty = any(agent.state != "away" for agent in view.agents)
        for caller in [each for each in self._callers.values() if each.place.id not in live]:
            if not caller.told or not on_duty or now - caller.place.entered_at > LOST_AFTER:
                del self._callers[caller.place.id]


def _waited_s(place: Place, now: datetime) -> float:
    """While they could be served: a call back has not waited until it is due."""
    return (now - waits_since(place)).total_seconds()
