"""The action verb, for ``action`` and ``http``: entering says the prompt and runs it, once confirmed where that is due.

It waits for the result while universals are listened to (``wait`` is said when that takes long), and takes
``on.OUTCOME``, ``on.failed`` for an outcome that the state doesn't name. Answers that come too late are only noted.
A caller whose identity is below the level that it needs is refused: nothing is asked or done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ivr.dialogue.engine import identification, service_request
from ivr.dialogue.engine.contract import ActionDone, ActionSlow, Perform
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.gather import MEANWHILE, Arrival, Handlers, Verb, edge_of, meanwhile, yes_no_menu
from ivr.dialogue.engine.next import STAY, Gather, Mode, Next, NoMatch, Wait, Waiting
from ivr.dialogue.engine.states import confirmation
from ivr.dialogue.flows.signature import NOT_VERIFIED, ActionSignature
from ivr.dialogue.flows.wording import MASK, masking
from ivr.dialogue.understanding.grammar import Meaning, Reading
from ivr.dialogue.understanding.shades import SOFT_YES
from ivr.events import RECORDED
from ivr.record import Decided

MOST_TRIED = 100  # actions remembered for the human; the oldest go first


@dataclass(frozen=True, slots=True)
class Performing(Waiting):
    """An action under way. ``first_outcome``: the one that resolves what the caller asked for."""

    what: ClassVar[str] = "action"
    name: str
    risk: str
    first_outcome: str


def enter(call: Conversation) -> Next:
    if not identification.suffices(call):
        return identification.refused(call)
    call.arrive()
    return confirmation.ask(call) if confirmation.due(call) else perform(call)


def perform(call: Conversation) -> Next:
    if not identification.suffices(call):
        return identification.refused(call)
    state = call.state
    call.frame.doubtful.difference_update(confirmation.used(call))
    name, arguments, request = _asked(call)
    signature = call.library.signatures.get(name)
    first = signature.outcomes[0] if signature is not None and state.http is None else "ok"
    call.performed += 1
    token = call.outbox.token()
    call.tried[token] = f"{name}: under way"
    if len(call.tried) > MOST_TRIED:
        del call.tried[next(iter(call.tried))]
    key = f"{call.start.call_id}/{call.here}/{call.performed}"
    shown, patience = _shown(call, signature, arguments), call.flow.defaults.action_timeout
    call.outbox.put(Perform(token, name, arguments, key, patience, shown, _hidden(call), request))
    running = meanwhile(call)
    running.message = name in RECORDED
    return Wait(Performing(token, name, confirmation.risk_of(call, state), first), running)


def _asked(call: Conversation) -> tuple[str, Mapping[str, object], Mapping[str, object] | None]:
    """The action's name and arguments; and of one that the company file declares, the request that it is."""
    state, company = call.state, call.library.company
    if state.http is not None:
        return "http.call", service_request.of_state(call, state.http), None
    arguments = service_request.evaluated(call, state.arguments)
    action = company.actions.get(state.action) if company is not None else None
    return state.action, arguments, service_request.of_action(call, action, arguments) if action is not None else None


# -- what of it is secret ------------------------------------------------------------------------------------------


def _shown(
    call: Conversation, signature: ActionSignature | None, arguments: Mapping[str, object]
) -> Mapping[str, object]:
    http = call.state.http
    if http is None:
        shown = _masked(call, call.state.arguments, arguments)
        return shown if signature is None else signature.shown(shown, MASK)
    path = masking(http.path, call.look, call.language, call.secrets)
    sent = {"query": http.query, "body": http.body}
    masked = {part: _masked(call, given, service_request.evaluated(call, given)) for part, given in sent.items()}
    return {**arguments, **masked, **({} if path is None else {"path": path})}


def _masked(call: Conversation, given: Mapping[str, object], values: Mapping[str, object]) -> dict[str, object]:
    secret = {name for name, value in given.items() if not call.secrets.isdisjoint(call.names_in(value))}
    return {name: MASK if name in secret else value for name, value in values.items()}


def _hidden(call: Conversation) -> frozenset[str]:
    """The values of the result that fill secret variables."""
    state = call.state
    ours = {name for name in state.http.returns if name in call.secrets} if state.http is not None else set[str]()
    return frozenset(ours | {theirs for mine, theirs in state.returns.items() if mine in call.secrets})


# -- what comes of it --------------------------------------------------------------------------------------------


def arrived(call: Conversation, arrival: Arrival) -> Next:
    performing, state = call.waiting, call.state
    assert isinstance(performing, Performing)
    if isinstance(arrival, ActionSlow):
        if state.one_moment is not None:
            call.say(call.own("wait", state.one_moment))
        return STAY
    if not isinstance(arrival, ActionDone):
        return STAY
    call.let_go()
    result = arrival.result
    signature = call.library.signatures.get(performing.name)
    if signature is not None and result.outcome in signature.gives:
        call.tried.pop(performing.token, None)  # who they are is known, and told as that: nothing was tried for them
    else:
        call.tried[performing.token] = f"{performing.name}: {result.outcome}"
    identification.take_up(call, state, result)
    if result.outcome == NOT_VERIFIED:
        return identification.refused(call)
    for mine, theirs in state.returns.items():
        call.frame.fill(mine, call.fitted(result.values.get(theirs), call.variable(mine)))
    if state.http is not None:
        for mine in state.http.returns:
            if mine in result.values:
                call.frame.fill(mine, call.fitted(result.values[mine], call.variable(mine)))
    if result.outcome == performing.first_outcome and call.request_open:
        call.resolved += 1
        call.request_open = False
    if performing.risk != "none":
        call.intent_doubt = False
    return edge_of(call, result.outcome, "failed")


def late(call: Conversation, done: ActionDone) -> None:
    """An action ended that the call no longer waits for."""
    started = call.tried.get(done.token, "")
    if started.endswith("under way"):
        call.tried[done.token] = f"{started.partition(':')[0]}: {done.result.outcome}, after the caller had moved on"
        identification.take_up_late(call, started.partition(":")[0], done.result)


def _confirmed(call: Conversation, gather: Gather, reading: Reading) -> Next:
    if reading.meaning.intent != "yes":
        return confirmation.declined(call, reading)
    if not reading.sure and gather.mode == Mode.CONSENT:
        return _unanswered(call, gather)
    if not reading.sure:  # what can't be undone is not done on a guess
        return NoMatch(gather, shade=SOFT_YES if reading.inferred else "")
    call.intent_doubt = False
    call.outbox.record(Decided("confirmed"))
    return perform(call)


def _keyed(call: Conversation, gather: Gather, index: int) -> Next:
    return _confirmed(call, gather, Reading(Meaning("no" if index else "yes"), "", 1.0))


CONFIRM = Handlers(_confirmed, _keyed, anew=lambda call, gather: confirmation.ask(call), menu=yes_no_menu)


def _silent(call: Conversation, gather: Gather) -> Next:
    call.outbox.record(Decided("failed", "silent", {"count": 1}))
    return _unanswered(call, gather)


def _unanswered(call: Conversation, gather: Gather) -> Next:
    return confirmation.declined(call, Reading(Meaning("no"), "", 1.0))


CONSENT = Handlers(
    _confirmed, _keyed, noinput=_silent, nomatch=_unanswered,
    anew=lambda call, gather: confirmation.ask(call), menu=yes_no_menu,
)  # fmt: skip
VERB = Verb(enter, arrived, {Mode.CONFIRM: CONFIRM, Mode.CONSENT: CONSENT, Mode.RUNNING: MEANWHILE})
