"""The model of scripts, ``*.test.yaml``: read like flow files, every fault at once with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from ivr.company import Company, Record
from ivr.dialogue.flows.finding import Finding, ordered
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.model_errors import fault_of, locate, suggestion
from ivr.dialogue.flows.source import Place, read_file, source_files
from ivr.dialogue.flows.yaml_tree import MAX_FAULTS, Fault, Spot, read_tree
from ivr.identity import LevelWord
from ivr.workshop.simulate.driver import ACTION, DESK, PARTS, RECORDING
from ivr.workshop.simulate.mock_services import ByService, services_of

SUFFIX = ".test.yaml"
MASKED = "•"  # what stands where a recorded call had something secret
KEYS = re.compile(r"[0-9*#A-D]+")
CLOCK = re.compile(r"\d{1,2}:\d\d")


def _text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _true(value: object) -> object:
    if value is not True:
        raise ValueError("it happens or it doesn't: write true, or leave the step out")
    return value


Text = Annotated[str, BeforeValidator(_text)]
Happens = Annotated[Literal[True], BeforeValidator(_true)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Expect(_Model):
    """What must be so now. ``prompt`` and ``unsaid``: texts, or patterns between slashes, in what the line has said
    since the caller's last step."""

    prompt: Texts = Field((), description="parts of what was said, all of which must occur")
    unsaid: Texts = Field((), description="what must not have been said")
    state: str | None = Field(None, description="where the call is: flow.state")
    slots: Mapping[str, Any] = Field(default_factory=dict, description="variables by name; null: not filled")
    intent: str | None = Field(None, description="what the caller's last utterance meant")
    asks: str | None = Field(None, description="the same, and it was in doubt: nothing is done for it unasked")
    hears: Literal["nothing"] | None = Field(None, description="nothing: it was not understood")

    @field_validator("prompt", "unsaid")
    @classmethod
    def _patterns(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            if pattern := pattern_in(text):
                try:
                    re.compile(pattern)
                except re.error as error:
                    raise ValueError(f"{text} is not a pattern: {error}") from error
        return texts


class Answer(_Model):
    """What an action, the desk, or whether conversations are recorded, is from now on."""

    action: str = Field(description="the action's name, desk, or recording (on or off)")
    outcome: str = Field(description="the outcome it ends with")
    values: Mapping[str, Any] = Field(default_factory=dict, description="what it brings, for returns")


class LineStep(_Model):
    """Where who waits for a person stands from now on."""

    position: int = Field(ge=0, description="1 is next; 0: an agent is free, and takes who waits")
    minutes: int = Field(0, ge=0, description="the wait is less than so many; 0: nobody can say")


class Callback(_Model):
    number: Text = Field(description="the number to be called")
    skill: str | None = Field(None, description="the skill it waits for")


class End(_Model):
    """What must be so when the steps are done. Further keys are what the company keeps of a caller: ``records``."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)

    outcome: str | None = Field(None, description="connected, or the end's own word")
    reason: str | None = Field(None, description="why a human was wanted")
    skill: str | None = Field(None, description="which humans")
    priority: int | None = Field(None, description="0 to 10")
    actions: Texts = Field((), description="actions that must have run")
    callbacks: tuple[Callback, ...] | None = Field(None, description="who waits to be called back")
    resolved: int | None = Field(None, description="how many requests were completed")

    @property
    def records(self) -> Mapping[str, Any]:
        return self.model_extra or {}


class Step(_Model):
    """One thing that happens, or is expected."""

    say: Text | None = Field(None, description="what the caller says")
    doubt: bool = Field(False, description="beside say: heard, but not surely")
    key: Text | None = Field(None, description="what the caller keys: 0-9 * #")
    silence: Happens | None = Field(None, description="the caller says nothing")
    hangup: Happens | None = Field(None, description="the line drops")
    call: Literal["again"] | None = Field(None, description="the same person calls again")
    agitated: str | None = Field(None, description="how: louder, faster, mashed keys")
    fail: str | None = Field(None, description="what breaks: recogniser, synthesiser, store, agent, action:NAME")
    mend: str | None = Field(None, description="what works again")
    answer: Answer | None = Field(None, description="what an action answers from now on")
    line: LineStep | None = Field(None, description="where who waits for a person stands")
    http: ByService | None = Field(None, description="what a service answers from now on, by its name")
    time: Text | None = Field(None, description="what the clock shows: HH:MM")
    expect: Expect | None = Field(None, description="what must be so")

    @model_validator(mode="before")
    @classmethod
    def _one(cls, data: Any) -> Any:
        if isinstance(data, dict):
            given = [name for name in cls.model_fields if name != "doubt" and name in data]
            unknown = set(data) - set(cls.model_fields)
            if len(given) != 1 and not unknown:
                raise ValueError(
                    f"one thing at a time: {', '.join(given)}" if given else "nothing happens in this step"
                )
            if "doubt" in data and given != ["say"]:
                raise ValueError("doubt only goes with say")
        return data

    @field_validator("key")
    @classmethod
    def _keys(cls, keys: str | None) -> str | None:
        if keys is not None and MASKED in keys:
            raise ValueError("this was secret when the call was recorded; write what the test should key")
        if keys is not None and not KEYS.fullmatch(keys):
            raise ValueError(f"{keys!r} can't be keyed; a telephone has 0-9 * #")
        return keys

    @field_validator("say")
    @classmethod
    def _sayable(cls, text: str | None) -> str | None:
        if text is not None and MASKED in text:
            raise ValueError("this was secret when the call was recorded; write what the test should say")
        return text

    @field_validator("time")
    @classmethod
    def _clock(cls, clock: str | None) -> str | None:
        if clock is not None and not CLOCK.fullmatch(clock):
            raise ValueError(f"{clock!r} is no time of day; write 03:00")
        return clock

    @property
    def kind(self) -> str:
        return next(name for name in type(self).model_fields if name != "doubt" and getattr(self, name) is not None)


class _Beginning(_Model):
    caller: Text | None = Field(None, alias="from", description="who calls; empty: number withheld")
    called: Text | None = Field(None, description="the number they called")
    entry: str | None = Field(None, description="the flow that answers")
    language: str | None = Field(None, description="en-US, for instance")
    persona: str | None = Field(None, description="neutral, for instance")
    keys_led: bool | None = Field(None, description="as where no recogniser speaks the language")
    identity: LevelWord | None = Field(None, description="how surely the caller is known from the first state on")
    at: str | None = Field(None, description="when, local time: 2026-03-03T10:00")
    http: ByService = Field(default_factory=dict, description="what services answer, by their names")

    @field_validator("at")
    @classmethod
    def _moment(cls, at: str | None) -> str | None:
        if at is not None:
            try:
                datetime.fromisoformat(at)
            except ValueError as error:
                raise ValueError(f"{at!r} is no moment; write 2026-03-03T10:00") from error
        return at


class Call(_Beginning):
    """One script."""

    name: str = Field(description="what this call shows")
    steps: tuple[Step, ...] = Field(description="what happens, in order")
    end: End = Field(default_factory=End, description="what must be so at the end")


class Suite(_Beginning):
    """One file. What stands beside ``calls`` holds for each of them that doesn't say otherwise."""

    tests: str = Field(description="the flow that these calls are about")
    at: str | None = Field(description="when these calls happen, local time: 2026-03-03T10:00")
    calls: tuple[Call, ...] = Field(description="the scripts")


@dataclass(frozen=True, slots=True)
class ScriptFile:
    """A file as read. ``suite`` is None when there is any finding."""

    path: Path
    suite: Suite | None
    root: Spot
    findings: tuple[Finding, ...] = ()

    def place(self, *path: str | int) -> Place:
        spot = locate(self.root, path)[1]
        return Place(str(self.path), spot.line, spot.column, spot.text)


def pattern_in(text: str) -> str:
    """What stands between slashes; "" for a plain text."""
    return text[1:-1] if len(text) > 2 and text[0] == text[-1] == "/" else ""


def script_files(paths: Sequence[Path]) -> list[Path]:
    """The scripts in folders, and those named; a flow's file stands for its scripts. Sorted, each once."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys([file for file in source_files(path) if file.name.endswith(SUFFIX)]))
        elif path.name.endswith(SUFFIX):
            found[path] = None
        else:
            found[path.with_name(path.name.split(".")[0] + SUFFIX)] = None
    return list(found)


def read_script(path: Path) -> ScriptFile:
    """Raises OSError; whatever the file holds comes as findings."""
    return parse_script(path, read_file(path))


def parse_script(path: Path, text: str) -> ScriptFile:
    tree = read_tree(text)
    faults = list(tree.faults)
    suite = None
    if not faults:
        try:
            suite = Suite.model_validate(tree.data if tree.data is not None else {}, by_alias=True, by_name=False)
        except ValidationError as error:
            faults += [fault_of(each, Suite, tree.root)[1] for each in error.errors(include_url=False)]
    twice = list(_twice(suite, tree.root)) if suite is not None else []
    findings = ordered(fault.finding(str(path)) for fault in (*faults, *twice)[:MAX_FAULTS])
    return ScriptFile(path, suite if not findings else None, tree.root, findings)


def _twice(suite: Suite, root: Spot) -> Iterator[Fault]:
    names: set[str] = set()
    for index, call in enumerate(suite.calls):
        if call.name in names:
            spot = locate(root, ("calls", index, "name"))[1]
            why = f"there is another call named {call.name!r} in this file"
            yield Fault("duplicate-name", spot.line, spot.column, spot.text, why, "name it for what it shows")
        names.add(call.name)


def against(file: ScriptFile, library: FlowLibrary, company: Company) -> tuple[Finding, ...]:
    """What a script names that these flows, or the company, don't have."""
    if file.suite is None:
        return file.findings
    states = [f"{flow.flow}.{name}" for flow in library.flows.values() for name in flow.states]
    faults: list[Fault] = []

    def unknown(what: str, name: str, known: Sequence[str], *path: str | int) -> None:
        if name not in known:
            spot = locate(file.root, path)[1]
            why, remedy = f"there is no {what} {name}", suggestion(name, known, "see ivr flow graph")
            faults.append(Fault(f"unknown-{what}", spot.line, spot.column, spot.text or name, why, remedy))

    flows, actions = list(library.flows), list(library.signatures)
    unknown("flow", file.suite.tests, flows, "tests")
    languages, services = library.languages, sorted(services_of(library))
    for service in file.suite.http:
        unknown("service", service, services, "http", service)
    for index, call in enumerate(file.suite.calls):
        here: tuple[str | int, ...] = ("calls", index)
        if call.entry is not None:
            unknown("flow", call.entry, flows, *here, "entry")
        if call.language is not None:
            unknown("language", call.language, languages, *here, "language")
        for service in call.http:
            unknown("service", service, services, *here, "http", service)
        for number, step in enumerate(call.steps):
            at = (*here, "steps", number)
            for service in step.http or ():
                unknown("service", service, services, *at, "http", service)
            if step.expect is not None and step.expect.state is not None:
                unknown("state", step.expect.state, states, *at, "expect", "state")
            for kind, part in (("fail", step.fail), ("mend", step.mend)):
                if part is not None:
                    unknown("part", part, [*PARTS, *(f"{ACTION}{name}" for name in actions)], *at, kind)
            if step.answer is not None and step.answer.action not in (DESK, RECORDING):
                unknown("action", step.answer.action, actions, *at, "answer", "action")
        for number, action in enumerate(call.end.actions):
            unknown("action", action, actions, *here, "end", "actions", number)
        for name, wanted in call.end.records.items():
            if name not in company.records:
                unknown("key", name, [*End.model_fields, *company.records], *here, "end", name)
            elif not _fits(wanted, company.records[name]):
                spot = locate(file.root, (*here, "end", name))[1]
                text = company.records[name].kind == "text"
                why, remedy = f"{name} is {company.records[name].about}", "write a text" if text else "write a list"
                faults.append(Fault("bad-value", spot.line, spot.column, spot.text, why, remedy))
    return ordered(fault.finding(str(file.path)) for fault in faults[:MAX_FAULTS])


def _fits(value: object, record: Record) -> bool:
    if record.kind == "text":
        return isinstance(value, str)
    return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
