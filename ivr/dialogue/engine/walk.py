"""Walking the states: entering one, taking edges, asking, branching, calling flows, taking up a dropped call."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ivr.dialogue.engine.broken import Broken
from ivr.dialogue.engine.contract import LoadResume
from ivr.dialogue.engine.conversation import Conversation, HandoffNeed
from ivr.dialogue.engine.cursor import RESERVED, Asked, Frame
from ivr.dialogue.engine.departure import Departure
from ivr.dialogue.engine.errand import Errands
from ivr.dialogue.engine.gather import Listener, Listening, Mode, key_menu
from ivr.dialogue.engine.snapshot import speak_as
from ivr.dialogue.flows.model import EdgeSpec
from ivr.events import Recognition
from ivr.record import Entered

MOST_STEPS = 50  # states without listening: more is a loop


class Walk:
    def __init__(self, conversation: Conversation) -> None:
        self.call = conversation
        self.listener = Listener(conversation)
        self.listening: Listening | None = None
        self.errands = Errands(conversation, self)
        self.departure = Departure(conversation, self)
        self.loading: int | None = None
        self.failures = 0  # noinput and nomatch since the last progress
        self.kept: Recognition | None = None  # said while nobody could take it up
        self.take_up: Callable[[Listening], Callable[[], str | None] | None] = lambda listening: None

    # -- moving -----------------------------------------------------------------------------------------------

    def go(self, target: str | None) -> None:
        """Enter ``target`` ("flow.state") and all that follows until something is waited for."""
        while target is not None and not self.departure.ended:
            target = self._enter(target)

    def _enter(self, target: str) -> str | None:
        call = self.call
        call.steps += 1
        if call.steps > MOST_STEPS:
            raise Broken(f"{MOST_STEPS} states without listening, the last {target}")
        call.shared.table.place(call.cursor, target)
        flow, _, name = target.partition(".")
        call.frame.flow, call.frame.state = flow, name
        state = call.state
        self.listening = None
        call.outbox.record(Entered(target, state.kinds[0]))
        self._set(state.set)
        if state.ask and state.ask in call.frame.variables and state.goto is not None:
            return self.edge("goto", state.goto, "goto")  # answered already: passed through silently
        call.visits[target] = call.visits.get(target, 0) + 1
        if state.kinds[0] == "question" and self.kept is not None and (go_on := self._taken_up()) is not None:
            return go_on()
        if not state.resume:  # whose prompt is an offer, made once there is something to offer
            self._prompt()
        match state.kinds[0]:
            case "question":
                return self.ask()
            case "action" | "http":
                return self.errands.act()
            case "branch":
                return self._branch()
            case "call":
                return self._call_flow()
            case "return":
                return self._return()
            case "handoff":
                return self.departure.hand_over()
            case "end":
                return self.departure.end(state.end)
            case "resume":
                return self._load_resume()
        if state.goto is None:
            raise Broken(f"{target} leads nowhere")
        return self.edge("goto", state.goto, "goto")

    def edge(self, trigger: str, edge: EdgeSpec, part: str) -> str | None:
        """Take an edge of the current state: say, set, clear, move. ``part`` names its prompt in wordings."""
        call, leaving = self.call, self.call.state
        if edge.say is not None:
            call.say(call.own(part, edge.say, max(1, call.visits.get(call.here, 1))))
        self._set(edge.set)
        if edge.language or edge.persona:
            call.speak(edge.language or call.language, edge.persona or call.words.persona)
        need = HandoffNeed(call.filled_text(edge.reason), call.filled_text(edge.skill), edge.priority)
        call.frame.clear(*leaving.clear, *edge.clear)
        target = call.shared.table.take(call.cursor, trigger)
        return self._reserved(target[1:], need) if target.startswith(RESERVED) else target

    def _reserved(self, target: str, need: HandoffNeed) -> str | None:
        call = self.call
        call.shared.table.place(call.cursor, call.here)
        match target:
            case "human":
                return self.departure.human(need)
            case "goodbye":
                return self.departure.goodbye()
            case "back":
                return self.back()
            case "repeat":
                if self.listening is not None:
                    self.say_again(self.listening)
                    return None
        return call.here

    def _set(self, values: Mapping[str, object]) -> None:
        call = self.call
        for name, value in values.items():
            doubt = not call.frame.doubtful.isdisjoint(call.names_in(value))
            call.frame.fill(name, call.fitted(call.evaluate(value), call.variable(name)), doubt=doubt)

    # -- questions ----------------------------------------------------------------------------------------------

    def _prompt(self) -> None:
        call, state = self.call, self.call.state
        bargein = call.flow.defaults.bargein if state.bargein is None else state.bargein
        call.say(call.own("", state.prompt, max(1, call.visits.get(call.here, 1))), bargein=bargein)

    def _taken_up(self) -> Callable[[], str | None] | None:
        """What the caller said earlier, where this question is one that it answers: nothing is asked then."""
        self.listening = self.listener.question()
        go_on = self.take_up(self.listening)
        if go_on is None:
            self.listening = None
            return None
        self.kept = None
        self._asking()
        return go_on

    def _asking(self) -> None:
        asked = self.call.frame.asked
        self.failures = 0
        self.call.steps = 0
        if not asked or asked[-1].state != self.call.frame.state:
            asked.append(Asked(self.call.frame.state))
            del asked[:-50]

    def anew(self, listening: Listening) -> str | None:
        """Ask what was being asked once more, from its first word, in the language now spoken."""
        match listening.mode:
            case Mode.QUESTION:
                self._prompt()
                return self.ask()
            case Mode.CONFIRM:
                return self.errands.ask_confirmation()
            case Mode.RESUME:
                self.offer_resume(listening.snapshot)
            case Mode.RUNNING:
                self.listen(self.listener.running(), asked=True)
            case Mode.STRANDED:
                self.departure.strand()
            case _:
                assert listening.beneath is not None
                return self.anew(listening.beneath)
        return None

    def ask(self) -> str | None:
        call = self.call
        self._asking()
        listening = self.listener.question()
        if call.keys_led:
            call.say(key_menu(call, listening))
        self.listen(listening, asked=True)
        return None

    def let_go(self) -> None:
        """Wait for nothing any more; late answers will find nobody."""
        self.errands.running = self.loading = self.listening = None

    def listen(self, listening: Listening, *, asked: bool = False) -> None:
        """Start (or go on) listening. ``asked``: what this turn said is what "repeat" says again."""
        if asked:
            listening.prompt = tuple(self.call.outbox.turn)
        listening.token = self.call.outbox.token()
        self.listening = listening
        self.call.outbox.put(listening.effect())

    def say_again(self, listening: Listening) -> None:
        self.call.say(listening.prompt)
        self.listen(listening)

    def back(self) -> str | None:
        """The question before this one, its answer forgotten; the same one anew when there is none."""
        call = self.call
        state = call.state
        while True:
            asked = call.frame.asked
            if asked and asked[-1].state == call.frame.state and state.kinds[0] == "question":
                current = asked.pop()
                if not asked and len(call.stack) == 1:
                    asked.append(current)
                    call.say(call.system("back_at_start"))
                    return call.here
            if asked:
                previous = asked.pop()
                call.frame.clear(*previous.filled)
                spec = call.flow.states.get(previous.state)
                if spec is not None and spec.ask:
                    call.frame.clear(spec.ask)
                return f"{call.frame.flow}.{previous.state}"
            if len(call.stack) == 1:
                call.say(call.system("back_at_start"))
                return f"{call.frame.flow}.{call.flow.start}"
            call.stack.pop()
            state = call.state

    # -- branches and flows ---------------------------------------------------------------------------------------

    def _branch(self) -> str | None:
        call = self.call
        for index, case in enumerate(call.state.when):
            if call.holds(case.condition):
                return self.edge(f"when.{index}", case, f"when.{index}")
        raise Broken(f"no case of {call.here} holds")

    def _call_flow(self) -> str | None:
        call = self.call
        flow = call.library.flows.get(call.state.call)
        if flow is None:
            raise Broken(f"there is no flow {call.state.call}")
        frame = Frame(flow.flow)
        for name, value in call.state.arguments.items():
            doubt = not call.frame.doubtful.isdisjoint(call.names_in(value))
            frame.fill(name, call.fitted(call.evaluate(value), flow.parameters.get(name)), doubt=doubt)
        call.stack.append(frame)
        return f"{flow.flow}.{flow.start}"

    def _return(self) -> str | None:
        call = self.call
        state = call.state
        values = {name: call.fitted(call.evaluate(value), None) for name, value in state.values.items()}
        if len(call.stack) < 2:
            raise Broken(f"{call.here} returns, but nobody called")
        doubtful = {n for n, v in state.values.items() if not call.frame.doubtful.isdisjoint(call.names_in(v))}
        call.stack.pop()
        call.shared.table.place(call.cursor, call.here)
        caller = call.state
        for mine, theirs in caller.returns.items():
            call.frame.fill(mine, values.get(theirs), doubt=theirs in doubtful)
        edge = caller.on.get(state.result) or caller.goto
        if edge is None:
            raise Broken(f"{call.here} has no edge for {state.result}")
        trigger = f"on.{state.result}" if state.result in caller.on else "goto"
        return self.edge(trigger, edge, trigger)

    # -- a dropped call taken up again ----------------------------------------------------------------------------

    def _load_resume(self) -> str | None:
        call = self.call
        member = call.facts.get("member.number")
        if not member:
            return self.not_resumed()
        self.loading = call.outbox.token()
        call.outbox.put(LoadResume(self.loading, str(member)))
        self.listen(self.listener.running(), asked=True)
        return None

    def not_resumed(self) -> str | None:
        call = self.call
        trigger = "on.none" if "none" in call.state.on else "goto"
        edge = call.state.on.get("none") or call.state.goto
        if edge is None:
            raise Broken(f"{call.here} has no edge for none")
        return self.edge(trigger, edge, trigger)

    def offer_resume(self, snapshot: Mapping[str, object]) -> None:
        call = self.call
        self.failures = 0
        call.steps = 0
        speak_as(call, snapshot)
        call.say(call.own("", call.state.prompt, 1) or call.system("resume_offer"))
        listening = self.listener.yes_no(Mode.RESUME)
        listening.snapshot = snapshot
        self.listen(listening, asked=True)
