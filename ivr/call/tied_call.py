"""The near end of a tie line: another process has a caller, and rings an agent whose console is here.

It is a call of ours, live while it lasts, but its record and its last line are the other process's. What the two say
is recorded here, where they are held and paused, and written down into that record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import structlog

from ivr.call.agent_offer import AgentOffer
from ivr.call.live_dialog import LiveDialog
from ivr.call.registry import CallServices
from ivr.errors import CallEnded, DialFailed, IvrError, MediaUnavailable, StoreUnavailable, TransferFailed
from ivr.events import TransferProgress
from ivr.media.description import NoCommonCodec
from ivr.phones.destinations import MACHINE
from ivr.phones.participant import Participant, close_media, first_of, hang_up
from ivr.phones.rejoining import KeptTalk
from ivr.phones.tie_line import HEIR_S, TieLine
from ivr.phones.tied_bridge import Referring, TiedBridge, TiedPlacing
from ivr.ports import BridgeEnd, Leg, Ring
from ivr.record import Entry, Happening

log = structlog.get_logger(__name__)

FORBIDDEN, UNAVAILABLE, BROKEN, INCOMPATIBLE = 403, 480, 503, 488
STOP_S = 3.0


class TiedCall:
    """Implements ``ivr.call.registry.LiveCall`` once it is admitted: the same call as in the process that has it."""

    def __init__(self, leg: Leg, ring: Ring, services: CallServices, tie: TieLine) -> None:
        self._leg = leg
        self._ring = ring
        self._services = services
        self._tie = tie
        self._started_at = services.clock.now()
        self._referring = Referring(leg)
        self._end_wanted: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._talking = False
        self._notes: set[asyncio.Task[None]] = set()
        self._agent: Participant | None = None
        self._bridge: TiedBridge | None = None
        self._dialog = LiveDialog(f"tie-{self.call_id}-{leg.id}", services.dialogs, services.clock)
        self._dialog.rest = self._remains

    def _remains(self) -> Mapping[str, Any] | None:
        """Telephones that would hear nobody any more, should this process die. None where there are none."""
        kept = self._bridge.kept() if self._bridge is not None else None
        if kept is not None:
            legs = [kept["leg"], *kept["others"]]
        else:
            legs = [self._agent.leg.kept()] if self._agent is not None else []
        remains, ringing = [leg for leg in legs if leg is not None], []
        if self._services.dialogs is not None:
            ringing = list(self._services.switchboard.endpoint.ringing(self.call_id))
        others = kept["talk"]["others"] if kept is not None else []
        return {"remains": remains, "ringing": ringing, "others": others} if remains or ringing else None

    @property
    def call_id(self) -> str:
        return self._ring.context.call_id

    def view(self) -> Mapping[str, Any]:
        context = self._ring.context
        return {
            "call_id": self.call_id,
            "leg": self._leg.id,
            "sip_call_id": self._leg.sip_call_id,
            "caller": context.caller.number,
            "called": "",
            "started_at": self._started_at.isoformat(),
            "live": True,
            "state": context.state,
            "listening_for": "",
            "flow": context.flow,
            "flow_version": "",
            "language": context.language,
            "slots": {},
            "facts": dict(context.facts),
            "transcript": [utterance.to_json() for utterance in context.transcript],
            "outcome": "with agent" if self._talking else "",
            "handoff": context.to_json(),
        }

    def note(self, what: Happening) -> None:
        """Into the call's record, which the other process writes, too."""
        entry = Entry(what, self._services.clock.now(), self._ring.context.state)
        task = asyncio.create_task(self._noted(entry), name=f"note {self._leg.id}")
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    async def _noted(self, entry: Entry) -> None:
        try:
            await self._services.records.append_all(self.call_id, [entry])
        except StoreUnavailable as error:
            log.warning("tie.unnoted", error=str(error))

    async def end(self, reason: str) -> None:
        if not self._end_wanted.done():
            self._end_wanted.set_result(reason)

    async def run(self) -> None:
        """Rings the agent, and joins the two. Raises DialFailed, MediaUnavailable, NoCommonCodec: nobody answered."""
        services, agent = self._services, self._ring.offer.agent
        media = await services.media.open(f"tied-{self._leg.id}", self._leg.remote, caller=False, call=self.call_id)
        caller = Participant(self._leg, media, may_mute=True)
        lost = True
        following = asyncio.create_task(self._dialog.follow(), name=f"dialog {self._leg.id}")
        try:
            await self._leg.ring()
            works: list[Coroutine[Any, Any, Participant | CallEnded]] = [
                self._answered(), caller.left(), self._stopped(),
            ]  # fmt: skip
            rung = await first_of(*works)
            if isinstance(rung, CallEnded):
                log.info("tie.withdrawn", agent=agent, place=self._ring.offer.place.id, why=rung.reason)
                return
            joined = False
            try:
                await caller.aim(await self._leg.answer(media.local))
                joined = True
            finally:
                if not joined:
                    await rung.let_go("the caller is gone")
            end = await self._bridged(caller, rung)
            log.info("tie.parted", agent=agent, place=self._ring.offer.place.id, how=end.how, by=end.by)
            lost = end.how == "dropped" or (end.how == "machine" and not await self._returned())
        finally:
            following.cancel()
            self._dialog.over()
            if self._talking:
                await self._hang_up(lost)
            await close_media(media)
            await asyncio.gather(*self._notes, return_exceptions=True)

    async def _answered(self) -> Participant:
        phone = self._services.floor.phone_of(self._ring.offer.agent)
        if phone is None or not phone.reachable():
            raise DialFailed(UNAVAILABLE, "no phone can be rung here")
        again = self._ring.offer.place.state == "talking"  # they had the caller, at a line that died
        leg, media = await phone.ring(self._ring, self._dialog.at_once, wanted=again)
        self._agent = Participant(leg, media, may_mute=True)
        self._dialog.at_once()
        return self._agent

    async def _bridged(self, caller: Participant, agent: Participant) -> BridgeEnd:
        services, ring = self._services, self._ring
        onward, place = self._referring.onward, ring.offer.place
        placing = TiedPlacing(ring, services.line, onward)
        bridge = self._bridge = TiedBridge(
            caller, agent, ring, services.switchboard, services.floor, placing, onward,
            hang_up=services.floor.hang_up_of(ring.offer.agent),
            on_change=self._dialog.changed,
            kept=KeptTalk(since=place.changed_at) if place.state == "talking" else None,
        )  # fmt: skip
        self._talking = True
        self._tie.watch(self._leg, patience_s=HEIR_S)
        log.info("tie.joined", agent=ring.offer.agent, place=ring.offer.place.id)

        async def left() -> BridgeEnd:
            ended = await first_of(self._signals(caller), _end_of_audio(caller))
            placing.forget()
            self._referring.gone()
            return BridgeEnd("over", ring.offer.agent, ended.by, ended.reason)

        async def stopped() -> BridgeEnd:
            ended = await self._stopped()
            placing.forget()
            return BridgeEnd("dropped", ring.offer.agent, ended.by, ended.reason)

        try:
            return await first_of(bridge.run(), left(), stopped())
        finally:
            await bridge.close()

    async def _signals(self, caller: Participant) -> CallEnded:
        async for event in caller.signals():
            match event:
                case CallEnded():
                    return event
                case TransferProgress():
                    self._referring.progress(event)
        return CallEnded("network", "the leg is gone")

    async def _stopped(self) -> CallEnded:
        return CallEnded("service", await asyncio.shield(self._end_wanted))  # it is asked for twice

    async def _returned(self) -> bool:
        """The agent's telephone sent the caller back to the dialogue."""
        try:
            await self._referring.onward(MACHINE)
        except TransferFailed as error:
            log.warning("tie.not_returned", why=str(error))
            return False
        return True

    async def _hang_up(self, lost: bool) -> None:
        try:
            async with asyncio.timeout(1.0):
                await self._leg.hangup("the agent's line is lost" if lost else "hung up", lost=lost)
        except TimeoutError:
            log.info("tie.unheard", leg=self._leg.id)  # it goes on trying by itself


class TiedCalls:
    """Those that come in here, each in a task of its own."""

    def __init__(self, services: CallServices, tie: TieLine) -> None:
        self._services = services
        self._tie = tie
        self._calls: set[TiedCall] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self, leg: Leg, token: str) -> None:
        task = asyncio.create_task(self._run(leg, token), name=f"tied call {leg.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """The callers are back with the processes that have them."""
        for call in tuple(self._calls):
            await call.end("the service stops")
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_S)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, leg: Leg, token: str) -> None:
        """Never raises but on cancellation."""
        try:
            await self._admitted(leg, token)
        except DialFailed as error:
            log.info("tie.unanswered", leg=leg.id, status=error.status, why=error.reason)
            await _refuse(leg, error.status, error.reason)
        except NoCommonCodec as error:
            log.error("tie.failed", leg=leg.id, error=str(error))
            await _refuse(leg, INCOMPATIBLE, "Not Acceptable Here")
        except (StoreUnavailable, MediaUnavailable) as error:
            log.error("tie.failed", leg=leg.id, error=str(error))
            await _refuse(leg, BROKEN, "Service Unavailable")
        except CallEnded as ended:
            log.info("tie.withdrawn", leg=leg.id, why=ended.reason)
        except Exception:
            log.exception("tie.crashed", leg=leg.id)
            await _refuse(leg, BROKEN, "Service Unavailable")
        finally:
            await hang_up(leg, "over")

    async def _admitted(self, leg: Leg, token: str) -> None:
        services = self._services
        offer = await self._tie.ties.redeem(token)
        if offer is None:
            log.warning("tie.refused", leg=leg.id, remedy="somebody guesses, or is late: nothing is to be done")
            await _refuse(leg, FORBIDDEN, "No such offer")
            return
        ring = await AgentOffer(services, services.line).ring_of(offer)
        call = TiedCall(leg, ring, services, self._tie)
        self._calls.add(call)
        await services.registry.enter(call)
        try:
            await call.run()
        finally:
            self._calls.discard(call)
            await services.registry.leave(call)


async def _refuse(leg: Leg, status: int, reason: str) -> None:
    try:
        await leg.reject(status, reason)
    except (IvrError, CallEnded, RuntimeError):
        return  # it is answered, or over


async def _end_of_audio(caller: Participant) -> CallEnded:
    async for event in caller.audio():
        if isinstance(event, CallEnded):
            return event
    return CallEnded("network", "the media are gone")
