"""Errands: confirming an action where that is due, running it, and taking the edge of its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from ivr.dialogue.engine.broken import Broken
from ivr.dialogue.engine.contract import Perform
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.gather import key_menu
from ivr.dialogue.flows.state import Http, State
from ivr.dialogue.flows.wording import SLOT
from ivr.dialogue.understanding.grammar import SlotValue
from ivr.events import ActionResult

MOST_TRIED = 100  # actions remembered for the human; the oldest go first

if TYPE_CHECKING:
    from ivr.dialogue.engine.walk import Walk


@dataclass(frozen=True, slots=True)
class Running:
    """An action under way. ``used``: the variables its arguments drew on."""

    token: int
    name: str
    risk: str
    first_outcome: str


class Errands:
    def __init__(self, conversation: Conversation, walk: Walk) -> None:
        self.call = conversation
        self.walk = walk
        self.running: Running | None = None
        self._performed = 0

    def act(self) -> str | None:
        """Confirm first where that is due, else perform."""
        call, state = self.call, self.call.state
        used = self._used(state)
        policy = state.confirm.policy if state.confirm is not None else "auto"
        doubt = call.intent_doubt or not used.isdisjoint(call.frame.doubtful)
        risk = self._risk(state)
        asks = state.confirm is not None or risk != "none"  # what only looks something up asks where the flow says so
        explicit = policy == "explicit" or risk == "irreversible" or (policy == "auto" and doubt and asks)
        return self.ask_confirmation() if explicit else self.perform()

    def ask_confirmation(self) -> str | None:
        call, state = self.call, self.call.state
        self.walk.failures = 0
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
        listening = self.walk.listener.confirm(used)
        if call.keys_led:
            call.say(key_menu(call, listening))
        self.walk.listen(listening, asked=True)
        return None

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

    def perform(self) -> str | None:
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
        if len(call.tried) > MOST_TRIED:
            del call.tried[next(iter(call.tried))]
        key = f"{call.call_id}/{call.here}/{self._performed}"
        call.outbox.put(Perform(token, name, arguments, key, call.flow.defaults.action_timeout))
        self.walk.listen(self.walk.listener.running(), asked=True)
        return None

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
        self.running = self.walk.listening = None
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
        return self.walk.edge(f"on.{outcome}", edge, f"on.{outcome}")
