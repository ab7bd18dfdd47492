"""Action calls: a flow's actions run beside the conversation, and whatever becomes of one is an outcome."""

from __future__ import annotations

import asyncio

import structlog

from ivr.call.inbox import Inbox
from ivr.call.recorder import Recorder
from ivr.dialogue.engine.contract import ActionDone, ActionSlow, Perform
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.errors import IvrError
from ivr.events import ActionResult
from ivr.ports import ActionCall, Actions, Clock
from ivr.record import Performed

log = structlog.get_logger(__name__)

SLOW_ACTION_S = 1.0


class ActionCalls:
    """One call's."""

    def __init__(
        self, call_id: str, dialogue: Dialogue, actions: Actions, clock: Clock, recorder: Recorder, inbox: Inbox
    ) -> None:
        self._call_id = call_id
        self._dialogue = dialogue
        self._actions = actions
        self._clock = clock
        self._recorder = recorder
        self._inbox = inbox

    async def perform(self, perform: Perform) -> None:
        """Posts ActionDone, and ActionSlow before it where it takes longer than SLOW_ACTION_S. Raises nothing."""
        token = perform.token
        slow = asyncio.get_running_loop().call_later(SLOW_ACTION_S, lambda: self._inbox.post(ActionSlow(token)))
        started = self._clock.monotonic()
        result = ActionResult("failed")
        error = ""
        facts = self._dialogue.facts
        try:
            async with asyncio.timeout(perform.timeout_s):
                result = await self._actions.perform(
                    ActionCall(
                        name=perform.name,
                        arguments=perform.arguments,
                        key=perform.key,
                        call_id=self._call_id,
                        facts=facts,
                        language=str(facts.get("call.language", "en-US")),
                    )
                )
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
        took_s = round(self._clock.monotonic() - started, 4)
        self._recorder.record(Performed(perform.name, result.outcome, took_s, error))
        self._inbox.post(ActionDone(token, result))
