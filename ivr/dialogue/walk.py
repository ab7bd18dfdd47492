"""Walking the states: entering one, taking edges, running actions, calling flows, and the ways to a human."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from ivr.dialogue.conversation import Conversation, HandoffNeed
from ivr.dialogue.cursor import RESERVED, Asked, Frame
from ivr.dialogue.grammar import SlotValue
from ivr.dialogue.listening import Listener, Listening, Mode, key_menu
from ivr.dialogue.model import EdgeSpec, Http, State
from ivr.dialogue.turns import Connect, End, LoadResume, Perform
from ivr.dialogue.wording import SLOT
from ivr.errors import FlowError
from ivr.events import ActionResult

MOST_STEPS = 50  # states without listening: more is a loop
DEFAULT_SKILL = "general"
DEFAULT_PRIORITY = 5


class Broken(FlowError):
    """The flow led where the engine cannot go; the caller goes to a human."""


@dataclass(frozen=True, slots=True)
class Running:
    """An action under way. ``used``: the variables its arguments drew on."""

    token: int
    name: str
    risk: str
    first_outcome: str


class Walk:
    def __init__(self, conversation: Conversation) -> None:
        self.call = conversation
        self.listener = Listener(conversation)
        self.listening: Listening | None = None
        self.running: Running | None = None
        self.connecting: int | None = None  # token of the Connect under way
        self.connected = False
        self.direct = False  # that Connect is our own last resort, not a handoff state's
        self.loading: int | None = None
        self.ended = False
        self.failures = 0  # noinput and nomatch since the last progress
        self._performed = 0
        self._arguments: tuple[dict[str, object], frozenset[str]] | None = None

    # -- moving -----------------------------------------------------------------------------------------------

    def go(self, target: str | None) -> None:
        """Enter ``target`` ("flow.state") and all that follows until something is waited for."""
        while target is not None and not self.ended:
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
        call.outbox.note("state", {"state": target, "kind": state.kinds[0]})
        self._set(state.set)
        if state.ask and state.ask in call.frame.variables and state.goto is not None:
            return self.edge("goto", state.goto, "goto")  # answered already: passed through silently
        call.visits[target] = call.visits.get(target, 0) + 1
        bargein = call.flow.defaults.bargein if state.bargein is None else state.bargein
        if not state.resume:  # whose prompt is an offer, made once there is something to offer
            call.say(call.own("", state.prompt, call.visits[target]), bargein=bargein)
        match state.kinds[0]:
            case "question":
                return self.ask()
            case "action" | "http":
                return self._act()
            case "branch":
                return self._branch()
            case "call":
                return self._call_flow()
            case "return":
                return self._return()
            case "handoff":
                return self._hand_over()
            case "end":
                return self._end(state.end)
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
        need = HandoffNeed(call.filled_text(edge.reason), call.filled_text(edge.skill), edge.priority)
        call.frame.clear(*leaving.clear, *edge.clear)
        target = call.shared.table.take(call.cursor, trigger)
        return self._reserved(target[1:], need) if target.startswith(RESERVED) else target

    def _reserved(self, target: str, need: HandoffNeed) -> str | None:
        call = self.call
        call.shared.table.place(call.cursor, call.here)
        match target:
            case "human":
                return self.human(need)
            case "goodbye":
                return self.goodbye()
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

    def ask(self) -> None:
        call = self.call
        self.failures = 0
        call.steps = 0
        asked = call.frame.asked
        if not asked or asked[-1].state != call.frame.state:
            asked.append(Asked(call.frame.state))
            del asked[:-50]
        listening = self.listener.question()
        if call.keys_led:
            call.say(key_menu(call, listening))
        self.listen(listening, asked=True)

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
            if not case.condition or call.evaluate(case.condition):
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

    # -- actions ----------------------------------------------------------------------------------------------------

    def _act(self) -> str | None:
        """Confirm first where that is due, else perform."""
        call, state = self.call, self.call.state
        used = self._used(state)
        policy = state.confirm.policy if state.confirm is not None else "auto"
        doubt = call.intent_doubt or not used.isdisjoint(call.frame.doubtful)
        risk = self._risk(state)
        explicit = policy == "explicit" or risk == "irreversible" or (policy == "auto" and doubt and risk != "none")
        return self.ask_confirmation() if explicit else self.perform()

    def ask_confirmation(self) -> None:
        call, state = self.call, self.call.state
        self.failures = 0
        call.steps = 0
        prompt = state.confirm.prompt if state.confirm is not None else None
        used = sorted(self._used(state))
        words = call.own("confirm", prompt, max(1, call.visits.get(call.here, 1)))
        if not words:
            labels = [v.label for name in used if (v := call.frame.variables.get(name)) is not None]
            words = (
                call.system("did_you_mean_one", first=", ".join(labels)) if labels else call.system("confirm_default")
            )
        call.say(words)
        listening = self.listener.confirm(used)
        if call.keys_led:
            call.say(key_menu(call, listening))
        self.listen(listening, asked=True)

    def _used(self, state: State) -> frozenset[str]:
        values = [*state.arguments.values(), *(state.http.body.values() if state.http else ())]
        names = {name for value in values for name in self.call.names_in(value)}
        if state.http is not None:
            names |= {match.group(1).strip() for match in SLOT.finditer(state.http.path)}
        return frozenset(name for name in names if "." not in name)

    def _risk(self, state: State) -> str:
        if state.http is not None:
            return state.http.risk
        signature = self.call.library.signatures.get(state.action)
        return signature.risk if signature is not None else "reversible"

    def perform(self) -> None:
        call, state = self.call, self.call.state
        call.frame.doubtful.difference_update(self._used(state))
        arguments = self._http(state.http) if state.http is not None else self._evaluated(state.arguments)
        name = "http.call" if state.http is not None else state.action
        signature = call.library.signatures.get(name)
        self._performed += 1
        token = call.outbox.token()
        first = signature.outcomes[0] if signature is not None and state.http is None else "ok"
        self.running = Running(token, name, self._risk(state), first)
        call.tried[token] = f"{name}: under way"
        key = f"{call.call_id}/{call.here}/{self._performed}"
        call.outbox.put(Perform(token, name, arguments, key, call.flow.defaults.action_timeout))
        self.listen(self.listener.running(), asked=True)

    def _evaluated(self, values: Mapping[str, object]) -> dict[str, object]:
        arguments: dict[str, object] = {}
        for name, value in values.items():
            found = self.call.evaluate(value)
            plain = found.value if isinstance(found, SlotValue) else found
            if plain is None and isinstance(value, str) and "." not in value:
                raise Broken(f"{self.call.here}: nothing is known for {name}")
            arguments[name] = plain
        return arguments

    def _http(self, http: Http) -> dict[str, object]:
        def part(name: str) -> str:
            found = self.call.look(name)
            if found is None:
                raise Broken(f"{self.call.here}: nothing is known for {name}")
            return quote(str(found.value if isinstance(found, SlotValue) else found), safe="")

        return {
            "service": http.service,
            "method": http.method,
            "path": SLOT.sub(lambda match: part(match.group(1).strip()), http.path),
            "body": self._evaluated(http.body),
            "returns": dict(http.returns),
            "refused": list(http.refused),
        }

    def done(self, result: ActionResult) -> str | None:
        """The running action ended: bind what it brought, take its outcome's edge."""
        call, running = self.call, self.running
        assert running is not None
        self.running = self.listening = None
        call.tried[running.token] = f"{running.name}: {result.outcome}"
        call.facts.update(result.facts)
        call.learn(result.vocabularies)
        for mine, theirs in call.state.returns.items():
            call.frame.fill(mine, call.fitted(result.values.get(theirs), call.variable(mine)))
        if call.state.http is not None:
            for mine in call.state.http.returns:
                if mine in result.values:
                    call.frame.fill(mine, call.fitted(result.values[mine], call.variable(mine)))
        if result.outcome == running.first_outcome and call.request_open:
            call.resolved += 1
            call.request_open = False
        if running.risk != "none":
            call.intent_doubt = False
        outcome = result.outcome if result.outcome in call.state.on else "failed"
        edge = call.state.on.get(outcome)
        if edge is None:
            raise Broken(f"{call.here} has no edge for {result.outcome}")
        return self.edge(f"on.{outcome}", edge, f"on.{outcome}")

    # -- the ways out ---------------------------------------------------------------------------------------------

    @property
    def in_human_flow(self) -> bool:
        stack = self.call.stack
        return bool(stack) and stack[0].flow == self.call.library.universals.human_flow

    def human(self, need: HandoffNeed) -> str | None:
        """Jump to the human flow: no way back. What led here first is kept when asked again."""
        call = self.call
        if self.connecting is not None:
            return None
        if not (self.in_human_flow and call.need.reason and need.reason in ("", "asked")):
            call.need = HandoffNeed(
                need.reason or call.need.reason or "asked",
                need.skill or call.need.skill,
                need.priority if need.priority is not None else call.need.priority,
            )
        if not self.in_human_flow:
            call.left_at = call.here
        flow = call.library.flows[call.library.universals.human_flow]
        call.outbox.note("decision", {"to": "human", "reason": call.need.reason, "from": call.here})
        self.running = self.loading = self.listening = None
        call.stack[:] = [Frame(flow.flow)]
        call.intent_doubt = call.request_open = False
        return f"{flow.flow}.{flow.start}"

    def _hand_over(self) -> None:
        call = self.call
        handoff = call.state.handoff
        assert handoff is not None
        need = call.need
        priority = handoff.priority if handoff.priority is not None else need.priority
        call.need = HandoffNeed(
            call.filled_text(handoff.reason) or need.reason or "asked",
            call.filled_text(handoff.skill) or need.skill or DEFAULT_SKILL,
            DEFAULT_PRIORITY if priority is None else priority,
        )
        self._connect(direct=False)

    def connect_directly(self, reason: str) -> None:
        """The human flow itself is broken: no flow, just a human."""
        need = self.call.need
        self.call.need = HandoffNeed(need.reason or reason, need.skill or DEFAULT_SKILL, need.priority)
        self._connect(direct=True)

    def _connect(self, *, direct: bool) -> None:
        call = self.call
        token = call.outbox.token()
        self.running = self.loading = self.listening = None
        self.connecting, self.direct, self.connected = token, direct, False
        priority = DEFAULT_PRIORITY if call.need.priority is None else call.need.priority
        call.outbox.put(Connect(token, call.need.reason, call.need.skill, priority))

    def handed_over(self, outcome: str) -> str | None:
        call = self.call
        if outcome == "connected":
            self.connected = True
            return None
        self.connecting, self.connected = None, False
        if self.direct:
            self.strand()
            return None
        on = call.state.on
        outcome = outcome if outcome in on else "failed" if "failed" in on else "closed"
        edge = on.get(outcome)
        if edge is None:
            raise Broken(f"{call.here} has no edge for {outcome}")
        return self.edge(f"on.{outcome}", edge, f"on.{outcome}")

    def strand(self) -> None:
        """Nobody can be reached and no flow knows better: stay with the caller and keep trying."""
        call = self.call
        call.steps = 0
        call.say(call.system("nobody_yet"))
        self.listen(self.listener.stranded(), asked=True)

    def goodbye(self) -> None:
        call = self.call
        call.say(call.system("goodbye"), bargein=False)
        return self._end("goodbye")

    def _end(self, outcome: str) -> None:
        call = self.call
        call.outcome, self.ended = outcome, True
        self.listening = self.running = None
        call.outbox.put(End(outcome))

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
        call.say(call.own("", call.state.prompt, 1) or call.system("resume_offer"))
        listening = self.listener.yes_no(Mode.RESUME)
        listening.snapshot = snapshot
        self.listen(listening, asked=True)
