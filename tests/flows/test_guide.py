"""The flow guide, followed to the letter: its blocks make the files that are there, and it names every key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from ivr.__main__ import main
from ivr.dialogue.checker.check import check
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows import company_file, model, prompt, state
from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.dialogue.flows.source import read_directory
from ivr.dialogue.flows.wording import FILTERS, Wordings
from ivr.dialogue.spoken.languages import SYSTEM_PROMPTS
from ivr.ports import ActionCall
from ivr.reference import COMPANY
from ivr.workshop.simulate.mock_services import MockServices, parse_mock
from tests.flows.reference import FLOWS
from tests.unit.dialogue.talk import HUMAN, Talk, made

VISIT = """
tests: visit
at: 2026-03-03T10:00
calls:
  - name: hours of the day
    from: "5035550101"
    entry: visit
    steps:
      - say: Sunday
      - expect: {prompt: ["Nobody works on Sunday, March eighth", "What day suits you"]}
      - say: Saturday
      - say: half past three
      - expect: {prompt: ["That day we come from nine in the morning to noon", "At what time"]}
      - say: ten thirty
      - expect: {prompt: "See you on Saturday, March seventh, at ten thirty in the morning"}
    end: {outcome: resolved}
  - name: the same hour on another day
    from: "5035550101"
    entry: visit
    steps:
      - say: Friday
      - say: half past three
      - expect: {prompt: "See you on Friday, March sixth, at three thirty in the afternoon", unsaid: "we come from"}
    end: {outcome: resolved}
"""
CALLS_REMARK = """
flow: front
start: ask
intents: {message: [leave a message]}
states:
  ask: {prompt: "What can I do for you?", choices: [{intent: message, key: 1, label: a message, goto: take}]}
  take: {call: remark, on: {done: bye}}
  bye: {prompt: "Goodbye.", end: resolved}
"""
REMARK = """
tests: remark
entry: front
at: 2026-03-03T10:00
calls:
  - name: other words
    from: "5035550101"
    steps:
      - answer: {action: message.take, outcome: ok, values: {words: please bring a ladder}}
      - say: leave a message
      - expect: {state: remark.deliver, prompt: "Shall I pass that on"}
      - say: "yes"
      - expect: {prompt: "Somebody will read it"}
    end: {outcome: resolved, actions: [message.take, remark.send]}
  - name: nothing is passed on unasked
    from: "5035550101"
    steps:
      - say: leave a message
      - say: "no"
      - expect: {prompt: "I pass nothing on"}
    end: {outcome: resolved, actions: [message.take]}
"""
GUIDE = (FLOWS / "README.md").read_text()


def block(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n```yaml\n(.*?)```", GUIDE, re.S)
    assert found is not None, name
    return found[1]


def steps() -> tuple[str, str, str]:
    """hold.yaml as it is after each of the first three steps."""
    first, second, third = block("step 1"), block("step 2"), block("step 3")
    head, tail = first.split("    goto: done\n")
    assert tail == "  done: {return: done}\n"
    acting = f"{head}    goto: hold\n{second}{tail}"
    return first, acting, acting.replace('    wait: "One moment."\n', f'{third}    wait: "One moment."\n')


def test_the_steps_make_the_worked_example() -> None:
    assert steps()[-1] == (FLOWS / "hold.yaml").read_text()


@pytest.mark.parametrize("step", [1, 2, 3])
def test_after_every_step_only_the_spanish_words_are_missing(step: int) -> None:
    sources = {**read_directory(FLOWS), "hold.yaml": steps()[step - 1]}
    del sources["hold.es-ES.yaml"]  # step 7
    loaded = load_library(sources, COMPANY.all_signatures)
    assert loaded.library is not None, "\n".join(f.render() for f in loaded.findings)
    findings = check(loaded.library, LineFacts(skills=("general", "retention", "discs"), services=("deliveries",)))
    assert [(f.code, f.file) for f in findings] == [("missing-wording", "hold.yaml")]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("main intents", "main.yaml"),
        ("main choice", "main.yaml"),
        ("main states", "main.yaml"),
        ("test", "hold.test.yaml"),
        ("spanish", "hold.es-ES.yaml"),
    ],
)
def test_what_the_guide_says_to_write_stands_in_the_files(name: str, file: str) -> None:
    assert block(name) in (FLOWS / file).read_text()


def test_the_company_file_of_the_guide_is_one() -> None:
    sources = {**read_directory(FLOWS), "company.yaml": block("company")}
    sources["dentists.csv"] = "id,label,spoken\nm,Doctor Molar,molar|the doctor\n"
    loaded = load_library(sources, COMPANY.all_signatures)
    assert loaded.library is not None, "\n".join(f.render() for f in loaded.findings)
    facts = LineFacts(skills=("general", "retention", "discs"), services=("deliveries", "practice"))
    findings = check(loaded.library, facts)
    assert [f.render() for f in findings if f.file in ("company.yaml", "dentists.csv")] == []
    assert loaded.library.signatures["visit.cancel"].risk == "irreversible"
    assert [term.spoken for term in loaded.library.vocabularies["dentists"]] == [("molar", "the doctor")]


def test_the_universals_of_another_language_are_as_the_guide_has_them() -> None:
    """Every name in its example is one of the universals'; what the line has beside these is named as missing."""
    sources = {**read_directory(FLOWS), "universals.es-ES.yaml": block("universals")}
    loaded = load_library(sources, COMPANY.all_signatures)
    assert loaded.library is not None, "\n".join(f.render() for f in loaded.findings)
    facts = LineFacts(skills=("general", "retention", "discs"), services=("deliveries",))
    found = [f for f in check(loaded.library, facts) if f.file == "universals.es-ES.yaml"]
    assert {f.code for f in found} == {"missing-wording"}, "\n".join(f.render() for f in found)
    missing = {f.text for f in found}
    assert "anger" in missing and "risk.anger" in missing
    assert not missing & {"human", "yes", "no", "start_over", "cancellation", "risk.cancellation", "noinput"}
    words = Wordings(loaded.library, "es-ES", "neutral")
    assert "claro" in words.universal("yes") and "quiero cancelar mi membresía" in words.universal("cancellation")


def without_spanish(name: str, text: str) -> FlowLibrary:
    """The reference flows with one more, of which nothing is wrong but that its Spanish is the reader's."""
    loaded = load_library({**read_directory(FLOWS), name: text}, COMPANY.all_signatures)
    assert loaded.library is not None, "\n".join(f.render() for f in loaded.findings)
    facts = LineFacts(skills=("general", "retention", "discs"), services=("deliveries",))
    assert {f.code for f in check(loaded.library, facts) if f.file == name} == {"missing-wording"}
    return loaded.library


def test_the_bounds_of_the_guide_hold() -> None:
    library = without_spanish("cleaning.yaml", block("bounds"))
    talk = Talk(library, entry="cleaning")  # on 3 March 2026
    for said in ("December twentieth", "last year", "May first", "half past three"):
        talk.say(said)
    assert "on Saturday, December twentieth, twenty twenty five." in talk.said
    assert "on Friday, May first, at three thirty in the afternoon." in talk.said


def test_the_emergency_of_the_guide_is_a_person_s_at_once() -> None:
    universals = (FLOWS / "universals.yaml").read_text("utf-8").replace("risks:\n", block("emergency"), 1)
    sources = {"cleaning.yaml": block("bounds"), "universals.yaml": universals, "human.yaml": HUMAN}
    talk = Talk(made(sources, {}), entry="cleaning")
    talk.say("my tooth is bleeding badly")
    assert "Connecting." in talk.said


def test_the_measures_of_the_guide_hold() -> None:
    talk = Talk(without_spanish("repair.yaml", block("measures")), entry="repair")
    for said in ("bravo kilo one two three four", "two", "about a hundred and fifty dollars"):
        talk.say(said)
    assert (
        "B as in bravo, K as in kilo, one two three four, for two hours, up to one hundred fifty dollars." in talk.said
    )


def test_the_range_of_the_guide_holds() -> None:
    library = without_spanish("room.yaml", block("range"))
    talk = Talk(library, entry="room")  # on 3 March 2026
    talk.say("from the first to the thirtieth of May")
    assert "no room for twenty nine nights" in talk.said
    talk.say("from the third to the seventh of May")
    said = "A room from Sunday, May third to Thursday, May seventh. Be here by six on Sunday, May third."
    assert said in talk.said


def test_the_flow_of_the_guide_that_takes_a_message_is_one() -> None:
    company = f"company: Riverside\n{block('message action')}"
    sources = {**read_directory(FLOWS), "remark.yaml": block("message"), "company.yaml": company}
    loaded = load_library(sources, COMPANY.all_signatures)
    assert loaded.library is not None, "\n".join(f.render() for f in loaded.findings)
    facts = LineFacts(skills=("general", "retention", "discs"), services=("deliveries", "office"))
    mock = parse_mock("office.mock.yaml", block("message mock"))
    send = {"service": "office", "method": "POST", "path": "/remarks", "body": {"words": "x"}}
    assert MockServices.of([mock]).perform(ActionCall("http.call", send, "k", "c", {})).outcome == "ok"
    findings = check(loaded.library, facts)
    assert [f.render() for f in findings if f.file == "company.yaml"] == []
    found = {f.code for f in findings if f.file == "remark.yaml"}
    assert found == {"missing-wording", "unused-flow"}, "its Spanish is the reader's, and nobody comes there yet"


def begun_with(kind: str, flow: str, script: str) -> None:
    """In a line begun by `ivr new`, what the guide says to write, and a script of it."""
    assert main(["new", ".", "--template", "reception", "--company", "Riverside House"]) == 0
    company, mock = Path("flows/company.yaml"), Path("flows/office.mock.yaml")
    company.write_text(company.read_text().replace("actions:\n", block(f"{kind} action")))
    mock.write_text(mock.read_text() + block(f"{kind} mock").split("answers:\n")[1])
    Path(f"flows/{flow}.yaml").write_text(block(kind))
    Path(f"flows/{flow}.test.yaml").write_text(script)


def test_the_hours_of_the_guide_depend_on_the_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    begun_with("hours", "visit", VISIT)
    assert main(["flow", "check"]) == 0
    assert "nothing wrong" in (told := "".join(capsys.readouterr())), told
    assert main(["flow", "test", "flows/visit.test.yaml"]) == 0, capsys.readouterr().out


def test_the_message_of_the_guide_is_passed_on_once_the_caller_agrees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The script says other words, as the guide has it; the sound comes by itself."""
    monkeypatch.chdir(tmp_path)
    begun_with("message", "remark", REMARK)
    Path("flows/front.yaml").write_text(CALLS_REMARK)
    assert main(["flow", "check"]) == 0, capsys.readouterr().out
    assert main(["flow", "test", "flows/remark.test.yaml"]) == 0, capsys.readouterr().out


def test_every_example_is_yaml() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", GUIDE, re.S)
    assert len(examples) > 15
    for example in examples:
        if example.startswith("prompt: "):  # alternatives of one key, not one file
            example = example.replace("prompt:", "- prompt:").replace("\n  -", "\n    -")
        yaml.load(example, yaml.CSafeLoader)  # as the line reads flows: PyYAML's own reader stumbles over {day: day?}


def aliases() -> Iterator[str]:
    kinds = [
        value
        for part in (company_file, model, state, prompt)
        for value in vars(part).values()
        if isinstance(value, type) and issubclass(value, BaseModel)
    ]
    for kind in kinds:
        for name, field in kind.model_fields.items():
            yield field.alias or name


def mentioned(word: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(word)}(?![\w])", GUIDE) is not None


@pytest.mark.parametrize("key", sorted(set(aliases())))
def test_every_key_of_the_language_is_explained(key: str) -> None:
    assert mentioned(key)


@pytest.mark.parametrize("action", sorted(set(COMPANY.all_signatures) - {"http.call"}))
def test_every_action_is_listed_with_its_outcomes(action: str) -> None:
    row = next(line for line in GUIDE.splitlines() if line.startswith("| `") and f"`{action}`" in line)
    signature = COMPANY.all_signatures[action]
    outcomes = {cell.strip() for cell in row.split("|")[3].split(",")}
    assert outcomes == set(signature.outcomes)
    returned = {cell.strip() for cell in row.split("|")[4].split(",")} - {""}
    assert returned == set(signature.returns)


@pytest.mark.parametrize("name", sorted({*SYSTEM_PROMPTS, *FILTERS, *state.RESERVED_TARGETS, *state.WAIT_TARGETS}))
def test_every_system_prompt_filter_and_target_is_named(name: str) -> None:
    assert mentioned(name)
