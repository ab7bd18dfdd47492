"""Invocation: an action that the flow performs, beside the conversation, which goes on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from ivr.actions.http import NAME as HTTP
from ivr.call.inbox import Inbox
from ivr.call.journal import Recorder
from ivr.call.registry import CallServices
from ivr.dialogue.engine.contract import ActionDone, ActionSlow, Perform
from ivr.errors import IvrError
from ivr.events import ActionResult
from ivr.ports import ActionCall
from ivr.record import Performed

log = structlog.get_logger(__name__)

SLOW_ACTION_S = 1.0


class Invocation:
    """One call's, of one action after another."""

    def __init__(self, call_id: str, recorder: Recorder, services: CallServices, inbox: Inbox) -> None:
        self._call_id = call_id
        self._recorder = recorder
        self._services = services
        self._inbox = inbox

    async def run(self, perform: Perform, facts: Mapping[str, object]) -> None:
        """Posts ActionDone, and ActionSlow before it where it takes longer than SLOW_ACTION_S. Raises nothing."""
        token = perform.token
        slow = asyncio.get_running_loop().call_later(SLOW_ACTION_S, lambda: self._inbox.put_nowait(ActionSlow(token)))
        clock = self._services.clock
        started = clock.monotonic()
        result, error = ActionResult("failed"), ""
        language = str(facts.get("call.language", "en-US"))
        name, arguments = (HTTP, perform.request) if perform.request is not None else (perform.name, perform.arguments)
        call = ActionCall(name, arguments, perform.key, self._call_id, facts, language)
        try:
            async with asyncio.timeout(perform.timeout_s):
                result = await self._services.actions.perform(call)
        except TimeoutError:
            result, error = ActionResult("timeout"), "timeout"
        except (IvrError, OSError) as failure:
            error = str(failure)
        except Exception as failure:
            # An action is a plug-in's code: whatever it raises, the caller takes the failed edge, not the fall.
            log.exception("action.raised", action=perform.name)
            error = type(failure).__name__
        finally:
            slow.cancel()
        took_s = round(clock.monotonic() - started, 4)
        self._recorder.record(Performed(perform.name, result.outcome, took_s, error))
        self._inbox.put_nowait(ActionDone(token, result))
