"""Scripts made from calls, real or simulated: what the caller did, and what the line answered.

The timeline of a call says what was understood, not how it sounded. So that the script replays to the same call, each
utterance is written so that typing it means what was understood then; what was really heard stays beside it as a
comment. What was secret is not in the timeline and leaves a hole that the script's reader points at. Numbers that
the demonstration database doesn't know are somebody's: they are replaced by ones from the range kept for fiction.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from ivr.actions.consent import CONSENT
from ivr.dialogue.engine.contract import Start
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.errors import ConfigError, FlowError
from ivr.record import CallerActed, Decided, Entered, Entry, Failed, Happening, Keyed, Performed, Prompted, Understood
from ivr.store import Store
from ivr.store.url import missing_file
from ivr.workshop.scripts.model import MASKED, Step, parse_script
from ivr.workshop.scripts.runner import Report, Runner, perform
from ivr.workshop.simulate.driver import ACTION, DESK, RECORDING
from ivr.workshop.simulate.sandbox import Sandbox
from ivr.workshop.simulate.simulation import Simulation

FICTIONAL = "5035550101"  # 555-01xx belongs to nobody
LATER = timedelta(minutes=30)
_NOT_IN_THE_DEMONSTRATION = {("caller.earlier_calls", "third_call"), ("message.leave", "empty")}
_DIGITS = re.compile(r"\d{5,}")

Step_ = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Recording:
    """``text`` is a whole script file. ``remarks``: what a designer should look at; empty when it replays as it was."""

    text: str
    remarks: tuple[str, ...]
    replay: Report

    @property
    def faithful(self) -> bool:
        return self.replay.passed


@dataclass(slots=True)
class _Turn:
    """One thing the caller (or the world) did, and what the line made of it. The first one is the call's beginning."""

    step: Step_ | None
    comment: str = ""
    meant: tuple[str, Mapping[str, str]] | None = None
    said: list[str] = field(default_factory=list)
    state: str = ""
    before: list[Step_] = field(default_factory=list)  # what must break, or answer otherwise, for this to happen
    open: bool = True  # more keys may follow


async def record(
    call: Mapping[str, Any],
    library: FlowLibrary,
    sandbox: Sandbox,
    *,
    language: str = "en-US",
    persona: str = "neutral",
    name: str = "",
) -> Recording:
    """A script of ``call`` (as the store or a timeline has it), tried once on the demonstration data.

    ``language`` and ``persona`` stand in for what the call doesn't say of itself. Raises FlowError when the call
    began in a flow that these files don't have."""
    first = next((each.what.state for each in _entries(call) if isinstance(each.what, Entered)), "")
    entry = first.partition(".")[0] or str(call.get("flow") or "main")
    if entry not in library.flows:
        raise FlowError(f"the call began in {entry}, which is not among these flows", remedy="name their folder")
    at = datetime.fromisoformat(str(call["started_at"])).astimezone(sandbox.zone)
    await sandbox.reset(at)
    remarks: list[str] = []
    caller = await _caller(sandbox, str(call.get("caller") or ""), remarks)
    head: Step_ = {
        "name": name or f"call {call.get('call_id', '')}".strip(),
        "from": caller,
        "entry": entry,
        "language": str(call.get("language") or language),
        "persona": str(call.get("persona") or persona),
    }
    if call.get("keys_led"):
        head["keys_led"] = True
    turns = list(_turns(call, sandbox.zone))
    start = Start("call", entry, head["language"], head["persona"], caller)
    await _settle(turns, Simulation(library, sandbox, at, start), remarks)
    text = _script(entry, at, head, turns, _end(call, turns))
    file = parse_script(Path("recorded.test.yaml"), text)
    replay = await Runner(library, sandbox).run([file])
    remarks += [finding.render() for finding in replay.findings]
    for result in replay.results:
        if result.failure is not None:
            wrong = result.failure.mismatches[0]
            where = f"line {result.failure.place.line}"
            remarks.append(f"{where}: the replay differs: expected {wrong.wanted!r}, but it was {wrong.found!r}")
    return Recording(text, tuple(dict.fromkeys(remarks)), replay)


def load(path: Path) -> Mapping[str, Any]:
    """A call saved by ``ivr flow simulate --save``. Raises ConfigError."""
    try:
        call = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{path}: {why}", remedy="save one with ivr flow simulate FLOW --save FILE") from error
    if not isinstance(call, dict) or not isinstance(call.get("entries"), list) or "started_at" not in call:
        raise ConfigError(f"{path} is no saved call", remedy="save one with ivr flow simulate FLOW --save FILE")
    return call


async def past_call(call_id: str, url: str) -> Mapping[str, Any]:
    """A call from the store, by the beginning of its id, with its timeline. Raises ConfigError when it isn't there,
    StoreUnavailable."""
    if path := missing_file(url):
        raise ConfigError(f"{path}: no database there", remedy="pass --database URL, or --config FILE")
    store = Store(url)
    try:
        call = await store.calls.get(await store.whole_id(call_id))
    finally:
        await store.close()
    if call is None:
        raise ConfigError(f"the call {call_id} has just been deleted", remedy="choose another one")
    return call


def append(path: Path, recording: Recording) -> None:
    """Add the call to a script file, or begin one. Raises ConfigError rather than spoil what is there."""
    text = recording.text
    if path.exists():
        before = path.read_text(encoding="utf-8")
        text = before.rstrip("\n") + "\n" + text.partition("\ncalls:\n")[2]
        file = parse_script(path, text)
        if any(finding.code != "bad-value" for finding in file.findings):
            raise ConfigError(
                f"{path}: the call can't be added\n" + "\n".join(f.render() for f in file.findings),
                remedy="keep calls: the last key, and give the call another name with --name",
            )
    path.write_text(text, encoding="utf-8")


# --- what happened, turn by turn ----------------------------------------------------------------------------------


def _entries(call: Mapping[str, Any]) -> list[Entry]:
    return [Entry.from_json(entry) for entry in call.get("entries") or ()]


def _turns(call: Mapping[str, Any], zone: ZoneInfo) -> Iterator[_Turn]:
    """From the timeline. A simulation also tells what the caller did; of a phone call it has to be inferred."""
    entries = _entries(call)
    told = any(isinstance(entry.what, CallerActed) for entry in entries)
    turn = _Turn(None)
    forced: dict[str, str] = {}
    clock = datetime.fromisoformat(str(call["started_at"]))
    for entry in entries:
        step = _told(entry.what) if told else _inferred(entry.what, turn)
        if step is not None:
            yield turn
            turn = _Turn(step, open="key" in step)
            if not told and entry.at - clock >= LATER:  # opening hours may have changed
                clock = entry.at
                turn.before.append({"time": f"{entry.at.astimezone(zone):%H:%M}"})
        match entry.what:
            case Entered(state):
                turn.state = state
                turn.open = False
            case Prompted(text):
                turn.said.append(text)
                turn.open = False
            case Understood() as heard if turn.step is not None and "say" in turn.step:
                if heard.intent:
                    turn.meant = (heard.intent, {name: str(label) for name, label in heard.slots.items()})
                if heard.doubt:
                    turn.step["doubt"] = True
            case Performed(action, outcome) if not told:
                turn.before += _forced(action, outcome, forced)
            case Decided("place", int() as position, detail) if not told and position:
                minutes = int(detail.get("minutes") or 0)
                turn.before.append({"line": {"position": position, "minutes": minutes}})
            case Decided("handoff", outcome) if not told:
                turn.before += _forced(DESK, str(outcome), forced)
    yield turn
    canonical = call.get("canonical") or {}
    if not told and canonical.get("ended_by") == "caller" and call.get("outcome") in ("abandoned", "resolved"):
        yield _Turn({"hangup": True})


def _told(what: Happening) -> Step_ | None:
    if not isinstance(what, CallerActed):
        return None
    match what.do:
        case "say":
            return {"say": what.text, **({"doubt": True} if what.detail.get("doubt") else {})}
        case "silence" | "hangup":
            return {what.do: True}
        case "call":
            return {"call": "again"}
        case "answer":
            action, _, outcome = what.text.partition(": ")
            return {"answer": {"action": action, "outcome": outcome}}
        case "line":
            position, _, minutes = what.text.partition(" ")
            return {"line": {"position": int(position), "minutes": int(minutes or 0)}}
        case "time":
            return {"time": what.text[-5:]}
    return {what.do: what.text}


def _inferred(what: Happening, turn: _Turn) -> Step_ | None:
    match what:
        case Understood(text):
            return {"say": text}
        case Keyed(key):
            if turn.step is not None and turn.open and "key" in turn.step:
                turn.step["key"] += key
                return None
            return {"key": key}
        case Decided("failed", "silent"):
            return {"silence": True}
        case Decided("agitated", evidence):
            return {"agitated": str(evidence)}
        case Failed("recogniser" | "synthesiser" as part):
            return {"fail": part}
    return None


def _forced(what: str, outcome: str, forced: dict[str, str]) -> list[Step_]:
    """Steps that make an action (or the desk) end as it did then, where left alone it wouldn't."""
    if what == CONSENT:  # asked for where conversations are recorded, and nowhere else
        known = forced.setdefault(RECORDING, "")
        forced[RECORDING] = "on"
        return [] if known else [{"answer": {"action": RECORDING, "outcome": "on"}}]
    usual = outcome == "connected" if what == DESK else outcome not in ("failed", "timeout")
    usual = usual and (what, outcome) not in _NOT_IN_THE_DEMONSTRATION
    if usual and what == "http.call":
        usual = outcome == "ok"
    if usual:
        if forced.pop(what, None) is None:
            return []
        return [{"answer": {"action": DESK, "outcome": outcome}} if what == DESK else {"mend": f"{ACTION}{what}"}]
    if forced.get(what) == outcome:
        return []
    forced[what] = outcome
    return [{"answer": {"action": what, "outcome": outcome}}]


async def _caller(sandbox: Sandbox, number: str, remarks: list[str]) -> str:
    if not number or MASKED in number:
        return FICTIONAL if MASKED in number else ""
    if await sandbox.knows(number) or re.fullmatch(r"1?\d{3}55501\d\d", re.sub(r"\D", "", number)):
        return number
    remarks.append(f"the caller's number is somebody's: the script calls from {FICTIONAL}, who is somebody else")
    return FICTIONAL


# --- so that it means the same when typed ---------------------------------------------------------------------------


async def _settle(turns: Sequence[_Turn], simulation: Simulation, remarks: list[str]) -> None:
    """Walk the call once, choosing for each utterance words that mean what was understood then."""
    for turn in turns:
        if turn.step is None:
            for step in turn.before:
                await perform(simulation, Step.model_validate(step))
            await simulation.begin()
            continue
        _words(turn, simulation, remarks)
        for step in (*turn.before, turn.step):
            if MASKED in str(step):
                return
            if simulation.over and not {"call", "time", "fail", "mend", "answer"} & step.keys():
                remarks.append("the replay is over before the call was")
                return
            await perform(simulation, Step.model_validate(step))


def _words(turn: _Turn, simulation: Simulation, remarks: list[str]) -> None:
    assert turn.step is not None
    if "key" in turn.step and (keys := _fictional(turn.step["key"])) != turn.step["key"]:
        remarks.append("a long number that was keyed is replaced")
        turn.step["key"] = keys
    if MASKED in turn.step.get("key", ""):
        remarks.append("something secret was keyed; write what the test should key")
    if "say" not in turn.step:
        return
    said = turn.step["say"]
    if MASKED in said:
        remarks.append("something secret was said; write what the test should say")
    listening = simulation.listening
    if turn.meant is None or listening is None:
        return
    phrase = _phrase(listening.grammar, said, *turn.meant)
    if phrase and phrase != said.lower():
        turn.step["say"], turn.comment = phrase, f"heard: {said}"


def _phrase(grammar: StateGrammar, said: str, intent: str, slots: Mapping[str, str]) -> str:
    """The grammar's own words for a meaning, nearest to what was said; "" when they are fine as they are."""
    wanted = list(grammar.ways(intent, slots))
    plain = " ".join(re.findall(r"[\w']+", said.lower()))
    if not wanted or plain in wanted:
        return ""
    words = set(plain.split())
    return min(wanted, key=lambda phrase: (len(words.symmetric_difference(phrase.split())), phrase))


def _fictional(keys: str) -> str:
    """Membership numbers of the demonstration (100xx) and fictional phone numbers stay; other long ones don't."""

    def replaced(match: re.Match[str]) -> str:
        digits = match.group()
        if re.fullmatch(r"100\d\d|\d{3}55501\d\d|(\d)\1+", digits):
            return digits
        return (digits[:3] + "5550177") if len(digits) == 10 else ("12345678901234567890"[: len(digits)])

    return _DIGITS.sub(replaced, keys)


# --- writing it down -----------------------------------------------------------------------------------------------


def _end(call: Mapping[str, Any], turns: Sequence[_Turn]) -> Step_:
    canonical = call.get("canonical") or {}
    outcome = str(call.get("outcome") or canonical.get("outcome") or "")
    hung_up = any(turn.step is not None and "hangup" in turn.step for turn in turns[-1:])
    end: Step_ = {}
    if outcome == "handed over":
        end["outcome"] = "connected"
        if canonical.get("handoff_reason"):
            end["reason"] = canonical["handoff_reason"]
    elif outcome and not hung_up:
        end["outcome"] = outcome
    actions = [entry.what.action for entry in _entries(call) if isinstance(entry.what, Performed)]
    if actions:
        end["actions"] = list(dict.fromkeys(actions))
    return end


def _script(entry: str, at: datetime, head: Step_, turns: Sequence[_Turn], end: Step_) -> str:
    suite: Step_ = {"tests": entry, "at": f"{at:%Y-%m-%dT%H:%M}"}
    lines = [*(_pair(key, value, 0) for key, value in suite.items()), "calls:"]
    lines += ["  - " + _pair("name", head["name"], 0)]
    usual = {"entry": "main", "language": "en-US", "persona": "neutral"}
    lines += [_pair(k, v, 4) for k, v in head.items() if k != "name" and usual.get(k) != v]
    lines.append("    steps:")
    for turn in turns:
        steps = [*turn.before, *([turn.step] if turn.step is not None else [])]
        for step in steps:
            last = step is turn.step
            lines.append(f"      - {_flow(step)}" + (f"  # {turn.comment}" if last and turn.comment else ""))
        if turn.step is not None and "hangup" in turn.step:
            continue
        expect: Step_ = {"state": turn.state} if turn.state else {}
        said = [text for text in turn.said if text and MASKED not in text]
        if said:
            expect["prompt"] = said[0] if len(said) == 1 else said
        if expect:
            lines.append(f"      - expect: {_flow(expect, braces=True)}")
    if end:
        lines.append(_pair("end", end, 4))
    return "\n".join(lines) + "\n"


def _pair(key: str, value: object, indent: int) -> str:
    return " " * indent + f"{key}: {_flow(value, braces=True)}"


def _flow(value: object, *, braces: bool = False) -> str:
    """YAML on one line; a mapping with one key without its braces."""
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=100_000, sort_keys=False)
    text = text.removesuffix("\n").removesuffix("\n...")
    single = isinstance(value, dict) and len(value) == 1 and not braces
    return text[1:-1] if single else text
