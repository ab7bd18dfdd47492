"""The verbs that wait for nothing: ``say``, ``when`` (branch), ``call`` and ``return`` (sub-flows).

All say the prompt. Say takes ``goto``, branch ``when.N`` of the first case that holds. Call goes to another flow's
start with arguments, return back to the state that called, of which it takes ``on.RESULT``, else ``goto``.
"""

from __future__ import annotations

from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.next import Broken, Goto, Next, Take
from ivr.dialogue.engine.states.verb import Verb
from ivr.dialogue.engine.variables import Frame


def say(call: Conversation) -> Next:
    call.arrive()
    if call.state.goto is None:
        raise Broken(f"{call.here} leads nowhere")
    return Take("goto", call.state.goto)


def branch(call: Conversation) -> Next:
    call.arrive()
    for index, case in enumerate(call.state.when):
        if call.holds(case.condition):
            return Take(f"when.{index}", case)
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
    caller = call.state
    for mine, theirs in caller.returns.items():
        call.frame.fill(mine, values.get(theirs), doubt=theirs in doubtful)
    trigger = f"on.{state.result}" if state.result in caller.on else "goto"
    edge = caller.on.get(state.result) or caller.goto
    if edge is None:
        raise Broken(f"{call.here} has no edge for {state.result}")
    return Take(trigger, edge)


SAY = Verb(say)
BRANCH = Verb(branch)
CALL = Verb(call_flow)
RETURN = Verb(return_)
