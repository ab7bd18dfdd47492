"""The runner of scripts: each call in a simulation, each expectation held against what came of it."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ivr.company import Company, Held
from ivr.config import Config
from ivr.dialogue.engine.contract import Start
from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.source import Place
from ivr.errors import ConfigError, IvrError
from ivr.events import CALLER_ID
from ivr.identity import CALLER_IDENTITY
from ivr.record import Entry
from ivr.workshop.folder import folders, library_of, mocks_of
from ivr.workshop.scripts.coverage import Coverage, Observation
from ivr.workshop.scripts.given_answers import GivenAnswers
from ivr.workshop.scripts.model import (
    Call,
    End,
    Expect,
    ScriptFile,
    Step,
    Suite,
    against,
    pattern_in,
    read_script,
    script_files,
)
from ivr.workshop.simulate.driver import USUAL
from ivr.workshop.simulate.mock_services import MockServices
from ivr.workshop.simulate.sandbox import Sandbox
from ivr.workshop.simulate.simulation import Simulation

UNHEARD = "nothing understood"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One thing that should have been otherwise. ``what`` is the expectation's key, "" for a step that can't be."""

    what: str
    wanted: str
    found: str
    kind: str = "text"  # or "list": items joined by ", "


@dataclass(frozen=True, slots=True)
class Failure:
    """Where a call went wrong. ``so_far``: everything until then, in order."""

    place: Place
    step: str
    mismatches: tuple[Mismatch, ...]
    so_far: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class CallResult:
    suite: str
    name: str
    place: Place
    seconds: float
    turns: int
    failure: Failure | None = None
    remarks: tuple[Finding, ...] = ()  # on the script, whether it passed or not

    @property
    def passed(self) -> bool:
        return self.failure is None


@dataclass(frozen=True, slots=True)
class Report:
    """``findings`` are what is wrong with the scripts themselves; a file that has any is not run."""

    results: tuple[CallResult, ...]
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        return not self.findings and all(result.passed for result in self.results)

    @property
    def turns(self) -> int:
        """Events that the dialogue handled."""
        return sum(result.turns for result in self.results)


class Runner:
    """Runs any number of files on one library. ``sandbox`` is reset for each call."""

    def __init__(self, library: FlowLibrary, sandbox: Sandbox) -> None:
        self._library = library
        self._sandbox = sandbox

    async def run(
        self,
        files: Sequence[ScriptFile],
        *,
        only: str = "",
        watch: Callable[[CallResult], None] | None = None,
    ) -> Report:
        """``only``: calls whose "suite: name" contains this; ``watch`` is told of each result at once."""
        began = time.perf_counter()
        results: list[CallResult] = []
        findings: list[Finding] = []
        for file in files:
            wrong = against(file, self._library, self._sandbox.company)
            findings += wrong
            if wrong or file.suite is None:
                continue
            for index, call in enumerate(file.suite.calls):
                if only.lower() not in f"{file.suite.tests}: {call.name}".lower():
                    continue
                result = await self._call(file, file.suite, index, call)
                results.append(result)
                if watch is not None:
                    watch(result)
        return Report(tuple(results), tuple(findings), time.perf_counter() - began)

    async def begin(self, suite: Suite, call: Call) -> Simulation:
        """The simulation of one call, not begun yet, on fresh data."""
        at = datetime.fromisoformat(str(call.at or suite.at))
        moment = at if at.tzinfo is not None else at.replace(tzinfo=self._sandbox.zone)
        await self._sandbox.reset(moment)
        simulation = Simulation(self._library, self._sandbox, moment, start_of(suite, call))
        for answers in (suite.http, call.http):
            told = MockServices(simulation.services).before(answers).answers
            simulation.services = {name: tuple(exchanges) for name, exchanges in told.items()}
        return simulation

    async def _call(self, file: ScriptFile, suite: Suite, index: int, call: Call) -> CallResult:
        began = time.perf_counter()
        simulation = await self.begin(suite, call)
        given = GivenAnswers(self._library)
        failure = await self._steps(simulation, file, index, call, given)
        place, seconds = file.place("calls", index, "name"), time.perf_counter() - began
        remarks = given.unused(simulation, whole=failure is None)
        return CallResult(suite.tests, call.name, place, seconds, simulation.events, failure, remarks)

    async def _steps(
        self, simulation: Simulation, file: ScriptFile, index: int, call: Call, given: GivenAnswers
    ) -> Failure | None:
        at: tuple[str | int, ...] = ("calls", index, "name")
        doing = "call"
        try:
            await simulation.begin()
            for number, step in enumerate(call.steps):
                at = ("calls", index, "steps", number)
                doing = step.kind
                if step.expect is not None:
                    wrong = tuple(unexpected(simulation, step.expect))
                else:
                    await perform(simulation, step)
                    given.note(step, file.place(*at), simulation)
                    wrong = ()
                if wrong:
                    return Failure(file.place(*at), doing, wrong, tuple(simulation.entries))
            at, doing = ("calls", index, "end"), "end"
            wrong = tuple([mismatch async for mismatch in unended(self._sandbox, simulation, call.end)])
        except IvrError as error:
            wrong = (Mismatch("", "", str(error)),)
        return Failure(file.place(*at), doing, wrong, tuple(simulation.entries)) if wrong else None


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of one folder's scripts. ``tested``: the flows that they are about."""

    report: Report
    coverage: Coverage
    tested: tuple[str, ...]


async def rehearse(
    paths: Sequence[Path],
    config: Config | None,
    sandbox: Sandbox,
    *,
    only: str = "",
    watch: Callable[[CallResult], None] | None = None,
) -> list[Rehearsal]:
    """One for each folder. Raises ConfigError for paths without scripts, FlowError for flows that can't run."""
    found = []
    for folder, files in scripts_by_folder(paths).items():
        library = library_of(folders([folder], config)[0])
        sandbox.mocks = mocks_of(folder)
        observation = Observation(library, sandbox.classifiers)
        with observation.watching():
            report = await Runner(library, sandbox).run(files, only=only, watch=watch)
        tested = tuple(dict.fromkeys(f.suite.tests for f in files if f.suite is not None))
        found.append(Rehearsal(report, observation.coverage(), tested))
    return found


def scripts_by_folder(paths: Sequence[Path]) -> dict[Path, list[ScriptFile]]:
    """Raises ConfigError where there are none, or they can't be read."""
    found: dict[Path, list[ScriptFile]] = {}
    for path in script_files(paths):
        try:
            found.setdefault(path.parent, []).append(read_script(path))
        except OSError as error:
            remedy = "name folders with *.test.yaml in them, or such files"
            raise ConfigError(f"{path}: {error.strerror}", remedy=remedy) from error
    if not found:
        remedy = "write NAME.test.yaml beside the flow; see the flow guide"
        raise ConfigError(f"no scripts in {', '.join(map(str, paths))}", remedy=remedy)
    return found


def together(rehearsals: Sequence[Rehearsal]) -> Report:
    """All folders' reports as one."""
    reports = [rehearsal.report for rehearsal in rehearsals]
    results = tuple(result for report in reports for result in report.results)
    findings = tuple(finding for report in reports for finding in report.findings)
    return Report(results, findings, sum(report.seconds for report in reports))


async def unended(sandbox: Sandbox, simulation: Simulation, end: End) -> AsyncIterator[Mismatch]:
    """What is otherwise than ``end`` says, in the call and in the database."""
    connect = simulation.connected
    if end.outcome is not None and end.outcome != simulation.result:
        yield Mismatch("outcome", end.outcome, simulation.result or f"the call goes on in {simulation.state}")
    for name in ("reason", "skill", "priority"):
        wanted = getattr(end, name)
        if wanted is not None:
            found = getattr(connect, name) if connect is not None else "nobody was connected"
            if found != wanted:
                yield Mismatch(name, str(wanted), str(found))
    for action in end.actions:
        if action not in simulation.performed:
            yield Mismatch("actions", action, ", ".join(simulation.performed) or "no action ran")
    if end.resolved is not None and end.resolved != simulation.dialogue.resolved:
        yield Mismatch("resolved", str(end.resolved), str(simulation.dialogue.resolved))
    if end.callbacks is not None:
        waiting = await sandbox.callbacks()
        same = len(waiting) == len(end.callbacks) and all(
            one.number == c.number and one.skill in (None, c.skill)
            for one, c in zip(end.callbacks, waiting, strict=True)
        )
        if not same:
            expected = _listed(f"{c.number} {c.skill or ''}" for c in end.callbacks)
            yield Mismatch("callbacks", expected, _listed(f"{c.number} {c.skill}" for c in waiting))
    if end.records:
        caller_id = simulation.facts.get(CALLER_ID)
        held = await sandbox.records(str(caller_id)) if caller_id else None
        if held is None:
            yield Mismatch("caller", "somebody known", "nobody was identified in this call")
        for mismatch in _records(end.records, held, sandbox.company) if held is not None else ():
            yield mismatch


def start_of(suite: Suite, call: Call) -> Start:
    """The call's own beginning, the suite's where it has none, the line's usual one where neither has."""
    given: dict[str, Any] = {}
    for name in ("caller", "called", "entry", "language", "persona", "keys_led"):
        said = [getattr(each, name) for each in (suite, call) if getattr(each, name) is not None]
        given |= {name: said[-1]} if said else {}
    known = call.identity or suite.identity
    return replace(USUAL, **given, facts={CALLER_IDENTITY: known} if known else {})


async def perform(simulation: Simulation, step: Step) -> Sequence[Entry]:
    """Do what a step says; an expectation does nothing. Raises CallOver, FlowError."""
    if step.say is not None:
        return await simulation.say(step.say, doubt=step.doubt)
    if step.key is not None:
        return await simulation.press(step.key)
    if step.silence:
        return await simulation.silence()
    if step.hangup:
        return await simulation.hangup()
    if step.call:
        return await simulation.begin()
    if step.agitated is not None:
        return await simulation.agitated(step.agitated)
    if step.fail is not None:
        return await simulation.fail(step.fail)
    if step.mend is not None:
        return await simulation.mend(step.mend)
    if step.answer is not None:
        return simulation.answer(step.answer.action, step.answer.outcome, step.answer.values)
    if step.http is not None:
        for service, answers in step.http.items():
            for exchange in reversed(answers):
                simulation.http(service, exchange)
        return ()
    if step.line is not None:
        return await simulation.line(step.line.position, step.line.minutes)
    if step.time is not None:
        return simulation.set_time(step.time)
    return ()


def unexpected(simulation: Simulation, expect: Expect) -> Iterator[Mismatch]:
    """What is otherwise than ``expect`` says, now."""
    said = " ".join(simulation.said)
    for text in expect.prompt:
        if not _occurs(text, said):
            yield Mismatch("prompt", text, said or "nothing was said")
    for text in expect.unsaid:
        if _occurs(text, said):
            yield Mismatch("unsaid", text, said)
    if expect.state is not None and expect.state != simulation.state:
        yield Mismatch("state", expect.state, simulation.state)
    if expect.intent is not None and expect.intent != simulation.heard.intent:
        yield Mismatch("intent", expect.intent, simulation.heard.intent or UNHEARD)
    if expect.asks is not None and (expect.asks != simulation.heard.intent or not simulation.heard.doubt):
        surely = "" if simulation.heard.doubt else ", surely"
        yield Mismatch(
            "asks", expect.asks, f"{simulation.heard.intent}{surely}" if simulation.heard.intent else UNHEARD
        )
    if expect.hears is not None and simulation.heard.intent:
        yield Mismatch("hears", expect.hears, simulation.heard.intent)
    slots = simulation.slots
    for name, wanted in expect.slots.items():
        found = slots.get(name)
        if wanted is None and found is None:
            continue
        label = simulation.label(name, found) if found is not None else "not filled"
        if wanted is None or found is None or str(wanted) not in (str(found), label):
            shown = label if found is None or label == str(found) else f"{label} ({found})"
            yield Mismatch(f"slots.{name}", "not filled" if wanted is None else str(wanted), shown)


def _records(wanted: Mapping[str, Held], held: Mapping[str, Held], company: Company) -> Iterator[Mismatch]:
    for name, expected in wanted.items():
        about, found = company.records[name], held[name]
        if about.kind == "text":
            if expected != found:
                yield Mismatch(name, str(expected) or "none", str(found) or "none")
        elif about.kind == "list":
            if tuple(expected) != found:
                yield Mismatch(name, _listed(expected), _listed(found), "list")
        elif len(expected) != len(found) or not all(map(_occurs, expected, found)):
            yield Mismatch(name, _listed(expected), _listed(found))


def _listed(items: Iterator[str] | Sequence[str]) -> str:
    return ", ".join(items) or "none"


def _occurs(part: str, text: str) -> bool:
    if pattern := pattern_in(part):
        return re.search(pattern, text) is not None
    return part.lower() in text.lower()
