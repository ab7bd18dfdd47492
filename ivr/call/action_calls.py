"""Action calls: a flow's actions run beside the conversation, and whatever becomes of one is an outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from ivr.call.inbox import Inbox
from ivr.call.recorder import Recorder
from ivr.call.services import CallServices
from ivr.dialogue.engine.contract import ActionDone, ActionSlow, Perform
from ivr.errors import IvrError
from ivr.events import ActionResult
from ivr.ports import ActionCall
from ivr.record import Performed

log = structlog.get_logger(__name__)

SLOW_ACTION_S = 1.0


async def call_action(
    perform: Perform,
    call_id: str,
    facts: Mapping[str, object],
    services: CallServices,
    recorder: Recorder,
    inbox: Inbox,
) -> None:
    """Posts ActionDone, and ActionSlow before it where it takes longer than SLOW_ACTION_S. Raises nothing."""
    token = perform.token
    slow = asyncio.get_running_loop().call_later(SLOW_ACTION_S, lambda: inbox.put_nowait(ActionSlow(token)))
    started = services.clock.monotonic()
    result, error = ActionResult("failed"), ""
    language = str(facts.get("call.language", "en-US"))
    call = ActionCall(perform.name, perform.arguments, perform.key, call_id, facts, language)
    try:
        async with asyncio.timeout(perform.timeout_s):
            result = await services.actions.perform(call)
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
    took_s = round(services.clock.monotonic() - started, 4)
    recorder.record(Performed(perform.name, result.outcome, took_s, error))
    inbox.put_nowait(ActionDone(token, result))
