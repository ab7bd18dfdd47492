"""Nothing is done below the identity level it needs, whatever a flow asks for: the registry and the services refuse."""

from __future__ import annotations

import pytest

from ivr.actions import ActionRegistry, ActionSet
from ivr.actions.http import HttpActions
from ivr.actions.registry import Invocation
from ivr.config import HttpService
from ivr.dialogue.flows.signature import ActionSignature
from ivr.events import ActionResult
from ivr.identity import Identity, IdentityLevel
from ivr.ports import ActionCall

FIND = ActionSignature("find", gives={"ok": Identity(IdentityLevel.LIKELY, "number known")})
LEVELS = ["unknown", "unverified", "likely", "verified"]


def registry(done: list[str], *signatures: ActionSignature) -> ActionRegistry:
    async def handler(invocation: Invocation) -> ActionResult:
        done.append(invocation.signature.name)
        return ActionResult("ok")

    return ActionRegistry(ActionSet(signatures, {s.name: handler for s in signatures}))


def call(name: str, level: str, **arguments: object) -> ActionCall:
    return ActionCall(name, arguments, "key", "call-1", {"caller.identity": level} if level else {})


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("needs", list(IdentityLevel))
async def test_an_action_is_done_from_its_level_on(needs: IdentityLevel, level: str) -> None:
    done: list[str] = []
    result = await registry(done, ActionSignature("act", needs=needs)).perform(call("act", level))
    suffices = LEVELS.index(level) >= needs
    assert (result.outcome, done) == (("ok", ["act"]) if suffices else ("not_verified", []))


@pytest.mark.parametrize(
    ("signature", "from_"),
    [
        (ActionSignature("act"), "likely"),
        (ActionSignature("act", risk="reversible"), "likely"),
        (ActionSignature("act", risk="irreversible"), "verified"),
        (FIND, "unknown"),
    ],
)
async def test_what_declares_nothing_has_a_level_where_callers_are_identified(
    signature: ActionSignature, from_: str
) -> None:
    done: list[str] = []
    actions = registry(done, *{s.name: s for s in (signature, FIND)}.values())
    allowed = [level for level in LEVELS if (await actions.perform(call(signature.name, level))).outcome == "ok"]
    assert allowed == LEVELS[LEVELS.index(from_) :]


async def test_where_nobody_is_identified_nothing_is_needed() -> None:
    done: list[str] = []
    assert (await registry(done, ActionSignature("act", risk="irreversible")).perform(call("act", ""))).outcome == "ok"


@pytest.mark.parametrize("level", ["", "unknown", "unverified", "sure", "VERIFIED"])
async def test_a_service_that_needs_a_level_is_not_even_called(level: str) -> None:
    service = HttpService(name="vault", url="http://127.0.0.1:1/", needs="likely")
    http = HttpActions([service])
    actions = ActionRegistry(http.actions)
    refused = await actions.perform(call("http.call", level, service="vault", path="/x"))
    reached = await actions.perform(call("http.call", "likely", service="vault", path="/x"))
    await http.aclose()
    assert refused.outcome == "not_verified"
    assert reached.outcome == "failed", "nobody listens there, and it was tried"
