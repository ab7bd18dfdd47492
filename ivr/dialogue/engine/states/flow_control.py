"""The verbs that wait for nothing: ``say``, ``when`` (branch), ``call`` and ``return`` (sub-flows), ``end``.

All say the prompt. Say takes ``goto``, branch ``when.N`` of the first case that holds. Call goes to another flow's
start with arguments, return back to the state that called, of which it takes ``on.RESULT``, else ``goto``. End hangs up
with the state's outcome, as does the goodbye that callers say.
"""

from __future__ import annotations

from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.gather import Verb, edge_of, say_again, yes_no_gather, yes_or_no
from ivr.dialogue.engine.next import Ask, Broken, Done, Gather, Goto, Mode, Next, Take
from ivr.dialogue.engine.variables import Frame
from ivr.record import Decided


def say(call: Conversation) -> Next:
    call.arrive()
    then = call.state.transition("then")
    if then is None:
        raise Broken(f"{call.here} leads nowhere")
    return Take(then)


def branch(call: Conversation) -> Next:
    call.arrive()
    for case in call.state.transitions():
        if case.kind == "case" and call.holds(case.condition):
            return Take(case)
    raise Broken(f"no case of {call.here} holds")


def call_flow(call: Conversation) -> Next:
    call.arrive()
    flow = call.library.flows.get(call.state.call)
    if flow is None:
        raise Broken(f"there is no flow {call.state.call}")
    frame = Frame(flow.flow)
    for name, value in call.state.arguments.items():
        frame.fill(name, call.fitted(call.evaluate(value), flow.parameters.get(name)), doubt=call.doubts(value))
    call.stack.append(frame)
    return Goto(f"{flow.flow}.{flow.start}")


def return_(call: Conversation) -> Next:
    call.arrive()
    state, here = call.state, call.here
    values = {name: call.fitted(call.evaluate(value), None) for name, value in state.values.items()}
    if len(call.stack) < 2:
        raise Broken(f"{here} returns, but nobody called")
    doubtful = {name for name, value in state.values.items() if call.doubts(value)}
    call.stack.pop()
    call.shared.table.place(call.cursor, call.here)
    for mine, theirs in call.state.returns.items():
        call.frame.fill(mine, values.get(theirs), doubt=theirs in doubtful)
    return edge_of(call, state.result)


def end(call: Conversation) -> Next:
    call.arrive()
    return Done(call.state.end)


def goodbye(call: Conversation) -> Done:
    call.say(call.system("goodbye"), bargein=False)
    return Done("goodbye")


def ask_goodbye(call: Conversation, gather: Gather) -> Ask:
    """A goodbye was heard with doubt."""
    call.say(call.system("confirm_goodbye"))
    return Ask(yes_no_gather(call, Mode.GOODBYE, gather.base))


def _decided(call: Conversation, gather: Gather, yes: bool) -> Next:
    call.outbox.record(Decided("goodbye", yes))
    return goodbye(call) if yes else say_again(call, gather.base)


SAY = Verb(say)
BRANCH = Verb(branch)
CALL = Verb(call_flow)
RETURN = Verb(return_)
END = Verb(end)
GOODBYE = yes_or_no(_decided)
