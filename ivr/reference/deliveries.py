"""The delivery service: a member's hold as an HTTP resource, as a company's own service has it for flows to call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

from aiohttp import web

from ivr.ports import ActionCall
from ivr.reference.backend import Backend, MemberRecords
from ivr.store.ledger import Json
from ivr.web.backend import in_time
from ivr.web.bodies import json_object
from ivr.web.formats import json_response

LONGEST_HOLD = timedelta(days=366)
USAGE = 'the body is {"until": "YYYY-MM-DD"}'
HOLD = "/api/members/{number}/hold"


def routes(backend: Backend, today: Callable[[], date]) -> Sequence[web.RouteDef]:
    """``today`` is the date where the company is. Handlers raise StoreUnavailable."""

    async def held(request: web.Request) -> web.Response:
        """{"until": "YYYY-MM-DD"}, or null for no hold; 404 for a stranger."""
        profile = await in_time(backend.profile(request.match_info["number"]))
        if profile is None:
            raise web.HTTPNotFound(text="no such member")
        return json_response({"until": profile.hold_until and profile.hold_until.isoformat()})

    async def hold(request: web.Request) -> web.Response:
        """Nothing is shipped before ``until``; done once per Idempotency-Key. 409 for a day that has begun or is more
        than a year ahead, 404 for a stranger, 400 for what is no date."""
        number = request.match_info["number"]
        try:
            until = date.fromisoformat((await json_object(request, USAGE))["until"])
        except (KeyError, TypeError, ValueError) as error:
            raise web.HTTPBadRequest(text=USAGE) from error
        if not today() < until <= today() + LONGEST_HOLD:
            raise web.HTTPConflict(text=f"until is after today and within {LONGEST_HOLD.days} days")
        if await in_time(backend.profile(number)) is None:
            raise web.HTTPNotFound(text="no such member")

        async def change(records: MemberRecords) -> Json:
            await records.hold(until)
            return {}

        key, call_id = request.headers.get("Idempotency-Key", ""), request.headers.get("X-IVR-Call-ID", "")
        if not key:
            raise web.HTTPBadRequest(text="an Idempotency-Key says which request this is, should it come twice")
        call = ActionCall("deliveries.hold", {"until": until.isoformat()}, f"deliveries {key}", call_id, {})
        await in_time(backend.change(number, call, change))
        return json_response({"until": until.isoformat()})

    return [web.get(HOLD, held), web.put(HOLD, hold)]
