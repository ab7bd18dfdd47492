"""Commands: what a designer types during a simulated call: speech, keys, or a command that begins with a slash.

For the terminal and the web console alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from ivr.actions.http import METHODS
from ivr.errors import FlowError
from ivr.record import Entry
from ivr.workshop.simulate.driver import ACTION, PARTS
from ivr.workshop.simulate.mock_services import Exchange
from ivr.workshop.simulate.simulation import Simulation

KEYED = re.compile(r"[0-9*#][0-9*# ]*")

HELP = f"""\
  /silence                  say nothing
  /hangup, /call            the line drops; the same person calls again
  /time 03:00               set the clock
  /line POSITION MINUTES    who wants a person stands there; /line 0: an agent is free
  /fail PART, /mend PART    break and mend: {", ".join(PARTS)}, action NAME
  /answer ACTION OUTCOME    what that action (or the desk) answers from now on; values as name=value
  /http SERVICE JSON        what that service answers from now on; or a status, such as 404, or silence
  /http SERVICE GET /patients/{{number}} JSON
                            the same for one kind of request
  /doubt TEXT               say it so that it is understood, but not surely
  /state, /slots, /facts    where we are, what is known
  /help, /quit"""


@dataclass(frozen=True, slots=True)
class Typed:
    """What came of a line. ``text`` answers a question about the call."""

    entries: Sequence[Entry] = ()
    text: str = ""
    quit: bool = False


async def obey(simulation: Simulation, line: str) -> Typed:
    """Raises FlowError for a command that means nothing, CallOver after the end of the call."""
    line = line.strip()
    if not line:
        return Typed()
    if not line.startswith("/"):
        if KEYED.fullmatch(line):
            return Typed(await simulation.press(line.replace(" ", "")))
        return Typed(await simulation.say(line))
    command, _, rest = line[1:].partition(" ")
    rest = rest.strip()
    match command:
        case "silence":
            return Typed(await simulation.silence())
        case "hangup":
            return Typed(await simulation.hangup())
        case "call":
            return Typed(await simulation.begin())
        case "time":
            return Typed(simulation.set_time(rest))
        case "line":
            return Typed(await _line(simulation, rest.split()))
        case "fail":
            return Typed(await simulation.fail(_part(rest)))
        case "mend":
            return Typed(await simulation.mend(_part(rest)))
        case "answer":
            return Typed(_answer(simulation, rest.split()))
        case "http":
            return Typed(simulation.http(*_exchange(rest)))
        case "doubt":
            return Typed(await simulation.say(rest, doubt=True))
        case "state":
            tried = "".join(f"\n  tried {each}" for each in simulation.dialogue.tried)
            return Typed(text=f"in {simulation.state}; {simulation.now:%A %Y-%m-%d %H:%M}{tried}")
        case "slots":
            slots = simulation.slots
            return Typed(text=_table({name: simulation.label(name, value) for name, value in slots.items()}))
        case "facts":
            return Typed(text=_table(dict(simulation.facts)))
        case "help":
            return Typed(text=HELP)
        case "quit" | "exit":
            return Typed(quit=True)
    raise FlowError(f"there is no command /{command}", remedy="/help lists them")


def _part(text: str) -> str:
    """``action NAME`` and ``action:NAME`` are one."""
    kind, _, name = text.partition(" ")
    return f"{ACTION}{name.strip()}" if kind == ACTION.rstrip(":") and name else text


async def _line(simulation: Simulation, words: Sequence[str]) -> Sequence[Entry]:
    if not 1 <= len(words) <= 2 or not all(word.isdecimal() for word in words):
        raise FlowError("/line wants a position, and perhaps minutes", remedy="/line 2 5, or /line 0")
    return await simulation.line(*map(int, words))


def _answer(simulation: Simulation, words: Sequence[str]) -> Sequence[Entry]:
    if len(words) < 2:
        raise FlowError("/answer wants an action and an outcome", remedy="/answer queue.read empty")
    values = dict(word.split("=", 1) for word in words[2:] if "=" in word)
    return simulation.answer(words[0], words[1], values)


def _exchange(text: str) -> tuple[str, Exchange]:
    """SERVICE [METHOD PATH] [STATUS] [JSON], or silence for what is answered."""
    remedy = (
        '/http practice {"name": "Ada"}, /http practice 404, or /http practice GET /patients/{number} {"name": "Ada"}'
    )
    service, _, rest = text.partition(" ")
    given: dict[str, object] = {}
    method, _, path = rest.strip().partition(" ")
    if method in METHODS:
        path, _, rest = path.strip().partition(" ")
        given["on"] = f"{method} {path}"
    status, _, after = rest.strip().partition(" ")
    if status.isdecimal() and len(status) == 3:
        given["status"], rest = int(status), after
    if rest.strip() == "silence":
        given["silent"], rest = True, ""
    if not service or not (rest.strip() or given.keys() - {"on"}):
        raise FlowError("/http wants a service, and what it answers", remedy=remedy)
    try:
        given["json"] = json.loads(rest) if rest.strip() else None
        return service, Exchange.model_validate(given, by_alias=True, by_name=False)
    except ValidationError as error:
        raise FlowError(f"/http {text}: {error.errors()[0]['msg']}", remedy=remedy) from error
    except ValueError as error:
        raise FlowError(f"{rest.strip()!r} is no JSON: {error}", remedy=remedy) from error


def _table(values: dict[str, object] | dict[str, str]) -> str:
    return "\n".join(f"  {name} = {value}" for name, value in sorted(values.items())) or "  nothing yet"
