"""What a run reports: readable when something is otherwise, JUnit for CI, and what was covered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ivr.workshop.scripts.coverage import Observation, lines
from ivr.workshop.scripts.model import parse_script, read_script, script_files
from ivr.workshop.scripts.report import failure_lines, summary, write_junit
from ivr.workshop.scripts.runner import CallResult, Report, Runner
from ivr.workshop.simulate.sandbox import Sandbox
from tests.flows.reference import library
from tests.unit.dialogue.talk import HUMAN, made

HEAD = "tests: queue\nat: 2026-03-03T10:00\ncalls:\n"
HERE = Path("flows/queue.test.yaml")


async def run(sandbox: Sandbox, *calls: str) -> Report:
    text = HEAD + "".join(f"  - name: call {n}\n    steps:\n{call}" for n, call in enumerate(calls))
    file = parse_script(HERE, text)
    assert file.findings == ()
    return await Runner(library(), sandbox).run([file])


async def mismatches(sandbox: Sandbox, call: str) -> Sequence[tuple[str, str, str]]:
    (result,) = (await run(sandbox, call)).results
    return [(m.what, m.wanted, m.found) for m in result.failure.mismatches] if result.failure else []


async def test_a_failure_says_where_what_and_what_led_there(sandbox: Sandbox) -> None:
    report = await run(
        sandbox,
        "      - say: remove Vertigo\n"
        "      - expect: {state: queue.removed, prompt: [Take Vertigo out, Really]}\n"
        "      - say: yes\n",
    )
    (result,) = report.results
    assert result.failure is not None
    shown = list(failure_lines(result, result.failure))
    assert shown[:7] == [
        "FAILED  queue: call 0",
        "  flows/queue.test.yaml:7:9: expect",
        '    prompt: expected "Really"',
        "            but it was Take Vertigo out of your queue?",
        "    state: expected queue.removed",
        "           but it was queue.remove",
        "  the call so far:",
    ]
    spoke = shown.index("     caller  “remove Vertigo”")
    before, after = shown[7:spoke], shown[spoke:]
    assert "     action  member.identify_by_caller: found" in before
    assert before[-1] == "       line  What can I do for you?"
    assert after[1] == "             heard remove (title: Vertigo) 100%"
    assert after[-2:] == ["             → queue.remove", "       line  Take Vertigo out of your queue?"]
    assert summary(report).startswith("1 call, 1 failed; ")


async def test_a_wrong_queue_is_shown_beside_the_right_one(sandbox: Sandbox) -> None:
    report = await run(
        sandbox,
        "      - say: remove Vertigo\n      - say: yes\n"
        "    end: {queue: [Metropolis, Vertigo, Casablanca, The General, City Lights, Nosferatu, The Third Man]}\n",
    )
    (result,) = report.results
    assert result.failure is not None
    shown = list(failure_lines(result, result.failure))
    assert shown[1] == "  flows/queue.test.yaml:8:10: end"
    assert shown[2:7] == [
        "    queue:",
        "           expected       but it was",
        "         1 Metropolis     Metropolis",
        "      !  2 Vertigo        Casablanca",
        "      !  3 Casablanca     The General",
    ]


@pytest.mark.parametrize(
    ("call", "wrong"),
    [
        ("      - say: what's next\n      - expect: {prompt: '/Next is [A-Z]/', unsaid: sorry}\n", []),
        ("      - expect: {prompt: /^Goodbye/}\n", ["prompt"]),
        ("      - expect: {unsaid: Ada}\n", ["unsaid"]),
        ("      - say: remove Vertigo\n      - expect: {slots: {title: Vertigo, other: null}}\n", []),
        ("      - say: remove Vertigo\n      - expect: {slots: {title: Nosferatu}}\n", ["slots.title"]),
        ("      - expect: {slots: {title: Nosferatu}}\n", ["slots.title"]),
        ("      - say: remove Vertigo\n      - expect: {slots: {title: null}}\n", ["slots.title"]),
        ("      - say: remove Vertigo\n      - expect: {intent: remove}\n", []),
        ("      - say: remove Vertigo\n      - expect: {intent: hear_queue}\n", ["intent"]),
        ("      - {say: put Vertigo first, doubt: true}\n      - expect: {asks: move_to_top}\n", []),
        ("      - say: put Vertigo first\n      - expect: {asks: move_to_top}\n", ["asks"]),
        ("      - say: the weather is fine\n      - expect: {asks: move_to_top}\n", ["asks"]),
        ("      - say: the weather is fine\n      - expect: {hears: nothing}\n", []),
        ("      - say: what's next\n      - expect: {hears: nothing}\n", ["hears"]),
        ("      - say: agent\n    end: {outcome: connected, reason: asked, skill: general, priority: 5}\n", []),
        ("      - say: agent\n    end: {reason: bored, skill: discs, priority: 9}\n", ["reason", "skill", "priority"]),
        ("      - say: goodbye\n    end: {outcome: connected}\n", ["outcome"]),
        ("      - say: goodbye\n    end: {reason: asked}\n", ["reason"]),
        ("      - say: what's next\n    end: {actions: queue.next, resolved: 1}\n", []),
        ("      - say: what's next\n    end: {actions: [queue.undo], resolved: 7}\n", ["actions", "resolved"]),
        ("      - say: what's next\n    end: {outcome: goodbye}\n", ["outcome"]),
        ("      - say: goodbye\n      - say: one more thing\n", [""]),
        ("      - key: 0\n    end: {callbacks: []}\n", []),
        ("      - key: 0\n    end: {callbacks: [{number: 5035550101}]}\n", ["callbacks"]),
        (
            "      - fail: agent\n      - key: 0\n      - key: 1\n      - key: 1\n"
            "    end: {outcome: callback, callbacks: [{number: 5035550101, skill: general}]}\n",
            [],
        ),
        ("      - say: what's next\n    end: {notes: [], hold_until: ''}\n", []),
        ("      - say: what's next\n    end: {notes: [likes trains]}\n", ["notes"]),
        ("      - say: what's next\n    end: {discs: [Vertigo], hold_until: 2026-07-04}\n", ["discs", "hold_until"]),
        (
            "      - answer: {action: queue.next, outcome: empty}\n      - say: what's next\n"
            "      - expect: {prompt: empty}\n",
            [],
        ),
        ("      - time: 03:00\n      - say: agent\n      - expect: {prompt: office is closed}\n", []),
        (
            "      - agitated: louder\n      - agitated: faster\n      - agitated: louder\n"
            "    end: {skill: retention}\n",
            [],
        ),
        ("      - {say: put Vertigo first, doubt: true}\n      - expect: {state: queue.to_top}\n", []),
    ],
)
async def test_what_is_expected_is_held_against_what_is(sandbox: Sandbox, call: str, wrong: list[str]) -> None:
    assert [what for what, _, _ in await mismatches(sandbox, call)] == wrong


async def test_a_slot_is_shown_by_its_name(sandbox: Sandbox) -> None:
    found = await mismatches(sandbox, "      - say: remove Vertigo\n      - expect: {slots: {title: Nosferatu}}\n")
    assert found == [("slots.title", "Nosferatu", "Vertigo (253)")]


async def test_one_failing_call_stops_no_other(sandbox: Sandbox) -> None:
    told: list[CallResult] = []
    text = HEAD + (
        "  - {name: bad, steps: [{expect: {state: queue.menu}}]}\n  - {name: good, steps: [{say: what's next}]}\n"
    )
    report = await Runner(library(), sandbox).run([parse_script(HERE, text)], watch=told.append)
    assert [(r.name, r.passed) for r in report.results] == [("bad", False), ("good", True)]
    assert told == list(report.results)
    only = await Runner(library(), sandbox).run([parse_script(HERE, text)], only="queue: GOOD")
    assert [r.name for r in only.results] == ["good"]


async def test_a_script_with_faults_is_not_run(sandbox: Sandbox) -> None:
    file = parse_script(HERE, HEAD + "  - {name: x, steps: [{sya: hello}]}\n")
    report = await Runner(library(), sandbox).run([file])
    assert not report.passed
    assert report.results == ()
    assert [f.code for f in report.findings] == ["unknown-key"]


async def test_junit_says_the_same(sandbox: Sandbox, tmp_path: Path) -> None:
    text = HEAD + (
        "  - {name: 'good & <well>', steps: [{say: what's next}]}\n"
        '  - {name: bad, steps: [{say: "remove Vertigo"}, {expect: {prompt: Really}}]}\n'
    )
    broken = parse_script(Path("flows/hold.test.yaml"), HEAD + "  - {name: x, steps: [{sya: hello}]}\n")
    report = await Runner(library(), sandbox).run([parse_script(HERE, text), broken])
    path = tmp_path / "reports" / "junit.xml"
    write_junit(report, path)
    root = ElementTree.parse(path).getroot()
    assert root.tag == "testsuites"
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "1", "1")
    first, second = root
    assert (first.get("name"), first.get("tests"), first.get("failures")) == ("queue", "2", "1")
    good, bad = first
    assert (good.get("name"), good.get("file"), good.get("line")) == ("good & <well>", str(HERE), "4")
    assert len(good) == 0
    failure = bad[0]
    assert failure.tag == "failure"
    assert failure.get("message") == "prompt: expected Really, but it was Take Vertigo out of your queue?"
    assert failure.text is not None and "flows/queue.test.yaml:5:" in failure.text and "the call so far" in failure.text
    assert second[0][0].tag == "error"
    assert "sya means nothing" in str(second[0][0].get("message"))


async def test_junit_has_the_remarks(sandbox: Sandbox, tmp_path: Path) -> None:
    report = await run(sandbox, f"      - answer: {UNDO}\n      - say: agent\n", "      - say: agent\n")
    write_junit(report, tmp_path / "junit.xml")
    one, other = ElementTree.parse(tmp_path / "junit.xml").iter("testcase")
    assert "[unused-answer]" in str(one.findtext("system-out")) and other.find("system-out") is None


async def test_junit_survives_what_callers_may_say(sandbox: Sandbox, tmp_path: Path) -> None:
    text = HEAD + '  - {name: odd, steps: [{say: "bell \\a and \\x1b"}, {expect: {prompt: Really}}]}\n'
    report = await Runner(library(), sandbox).run([parse_script(HERE, text)])
    write_junit(report, tmp_path / "junit.xml")
    assert ElementTree.parse(tmp_path / "junit.xml").getroot().get("failures") == "1"


async def test_coverage_names_what_no_call_has_seen(sandbox: Sandbox) -> None:
    observation = Observation(library(), sandbox.classifiers)
    text = HEAD.replace("queue", "hold") + (
        "  - {name: x, steps: [{say: hold my deliveries until July fourth}, {say: yes}]}\n"
    )
    with observation.watching():
        report = await Runner(library(), sandbox).run([parse_script(Path("hold.test.yaml"), text)])
    assert report.passed
    await run(sandbox, "      - say: what's next\n")  # not watched
    hold = observation.coverage().of(["hold"])
    assert hold.unvisited == ["hold.sorry"]
    assert hold.state_share == 0.8
    assert "hold.hold: on refused" in hold.untaken
    assert "hold.hold: not confirmed" in hold.untaken
    assert "hold.hold: on ok" not in hold.untaken
    shown = list(lines(observation.coverage(), ["hold"]))
    assert shown[0].startswith("hold: states 4 of 5 (80%), edges ")
    assert "    never entered: hold.sorry" in shown
    assert "    never taken: hold.hold: on refused" in shown
    assert not any("hold.sorry:" in line for line in shown), "an edge nobody could take goes without saying"
    queue = observation.coverage().of(["queue"])
    assert queue.state_share == 0.0
    assert "queue.menu: choice move_after (key 4)" in " ".join(queue.untaken)


UNDO = "{action: queue.undo, outcome: changed_since}"


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        (("answer: UNDO", "say: remove Vertigo", "say: yes", "say: undo that"), ""),
        (("say: remove Vertigo", "say: yes", "say: undo that", "answer: UNDO"), "comes too late"),
        (("answer: UNDO", "say: what's in my queue"), "nothing asks queue.undo after this step"),
        (
            ("say: remove Vertigo", "say: yes", "say: undo that", "answer: UNDO", "expect: {state: queue.removed}"),
            "too late",
        ),
        (("answer: UNDO", "say: remove Vertigo", "expect: {state: queue.removed}", "say: yes", "say: undo that"), ""),
        (("answer: {action: desk, outcome: closed}", "say: agent"), ""),
        (("say: remove Vertigo", "answer: {action: desk, outcome: closed}"), "nobody is connected after this step"),
        (("answer: {action: recording, outcome: 'on'}", "say: agent"), ""),
    ],
)
async def test_an_answer_that_nothing_asks_for_is_remarked_on(
    sandbox: Sandbox, steps: tuple[str, ...], why: str
) -> None:
    (result,) = (await run(sandbox, "".join(f"      - {step}\n" for step in steps).replace("UNDO", UNDO))).results
    assert [remark.code for remark in result.remarks] == (["unused-answer"] if why else [])
    for remark in result.remarks:
        assert why in remark.why and "write it" in remark.remedy
        number = next(n for n, step in enumerate(steps) if step.startswith("answer"))
        assert (remark.file, remark.line) == (str(HERE), 6 + number)
    assert result.passed is ("expect: {state: queue.removed}" not in steps), "a remark fails nothing"


async def test_the_answers_that_scripts_here_give_are_asked_for(sandbox: Sandbox) -> None:
    files = [read_script(path) for path in script_files([Path("flows")])]
    report = await Runner(library(), sandbox).run(files)
    assert report.passed
    assert [remark.render() for result in report.results for remark in result.remarks] == []


COMPANY = """
company: Riverside Dental
actions:
  visit.book: {service: practice, path: /visits, outcomes: {taken: 409}, risk: none}
"""
MAIN = """
flow: main
start: ask
intents: {book: [book it], look: [look around]}
states:
  ask:
    prompt: "What?"
    choices: [{intent: book, key: 1, label: book, goto: book}, {intent: look, key: 2, label: look, goto: ask}]
  book:
    action: visit.book
    on: {ok: {goto: ask, say: Booked.}, taken: {goto: ask, say: Taken.}, failed: human, timeout: human}
"""
TAKEN = 'http: {practice: {on: "POST /visits", status: 409}}'


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ((TAKEN, "say: book it", "expect: {prompt: Taken}"), ""),
        (("say: book it", TAKEN, "say: look around"), "practice POST /visits has been asked before this step"),
        ((TAKEN, "say: look around"), "nothing asks practice POST /visits after this step"),
    ],
)
async def test_so_is_an_answer_of_a_service(sandbox: Sandbox, steps: tuple[str, ...], why: str) -> None:
    universals = {path.name: path.read_text() for path in Path("flows").glob("universals*.yaml")}
    flows = made({"main.yaml": MAIN, "company.yaml": COMPANY, "human.yaml": HUMAN, **universals}, {})
    text = "tests: main\nat: 2026-03-03T10:00\nhttp: {practice: {status: 201, json: {}}}\n"
    text += "calls:\n  - name: x\n    steps:\n"
    file = parse_script(Path("main.test.yaml"), text + "".join(f"      - {step}\n" for step in steps))
    assert file.findings == ()
    (result,) = (await Runner(flows, sandbox).run([file])).results
    assert result.failure is None and [why in remark.why for remark in result.remarks] == ([True] if why else [])
