"""Scripts are read like flow files: every fault at once, each with its place and a remedy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.errors import ConfigError
from ivr.reference import COMPANY
from ivr.workshop.scripts.model import against, parse_script, script_files
from ivr.workshop.scripts.runner import scripts_by_folder
from tests.flows.reference import FLOWS, library

HEAD = "tests: queue\nat: 2026-03-03T10:00\ncalls:\n  - name: one\n    steps:\n"
HERE = Path("queue.test.yaml")


def faults(steps: str, end: str = "") -> list[tuple[str, int, str]]:
    file = parse_script(HERE, HEAD + steps + end)
    return [(f.code, f.line, f.why) for f in against(file, library(), COMPANY)]


@pytest.mark.parametrize(
    ("step", "code", "why"),
    [
        ("      - sya: hello\n", "unknown-key", "sya means nothing"),
        ("      - {say: hello, key: 1}\n", "bad-value", "one thing at a time"),
        ("      - {}\n", "bad-value", "nothing happens"),
        ("      - key: abc\n", "bad-value", "can't be keyed"),
        ("      - {key: 1, doubt: true}\n", "bad-value", "doubt only goes with say"),
        ("      - say: my number is ••••\n", "bad-value", "secret when the call was recorded"),
        ("      - time: noon\n", "bad-value", "no time of day"),
        ("      - silence: maybe\n", "bad-value", "silence: it happens or it doesn't"),
        ("      - expect: {prompt: /un(closed/}\n", "bad-value", "not a pattern"),
        ("      - expect: {stat: main.ask}\n", "unknown-key", "stat means nothing"),
        ("      - expect: {state: main.aks}\n", "unknown-state", "no state main.aks"),
        ("      - fail: toaster\n", "unknown-part", "no part toaster"),
        ("      - fail: action:queue.fly\n", "unknown-part", "no part action:queue.fly"),
        ("      - answer: {action: queue.fly, outcome: ok}\n", "unknown-action", "no action queue.fly"),
        ("      - say: [a, b]\n", "bad-value", "wants text"),
        ("      - *here\n", "alias", "alias"),
    ],
)
def test_each_fault_has_its_line_and_reason(step: str, code: str, why: str) -> None:
    found = faults(step)
    assert [(c, line) for c, line, _ in found] == [(code, 6)]
    assert why in found[0][2]


def test_all_faults_at_once() -> None:
    text = "      - sya: hello\n      - key: abc\n      - time: noon\n"
    assert [line for _, line, _ in faults(text, "    edn: {outcome: x}\n")] == [6, 7, 8, 9]


@pytest.mark.parametrize(
    ("end", "code", "why"),
    [
        ("{quueue: [Vertigo]}", "unknown-key", "there is no key quueue"),
        ("{queue: Vertigo}", "bad-value", "queue is the member's titles, in order"),
        ("{hold_until: [2026-07-04]}", "bad-value", "hold_until is YYYY-MM-DD"),
    ],
)
def test_what_the_company_keeps_is_the_companys_to_say(end: str, code: str, why: str) -> None:
    found = faults("      - key: 1\n", f"    end: {end}\n")
    assert [(c, line) for c, line, _ in found] == [(code, 7)]
    assert why in found[0][2]


def test_names_are_suggested() -> None:
    file = parse_script(HERE, HEAD + "      - expect: {state: main.aks}\n")
    (finding,) = against(file, library(), COMPANY)
    assert finding.remedy == "did you mean main.ask?"
    assert finding.render().startswith("queue.test.yaml:6:25: error: there is no state main.aks [unknown-state]")


def test_two_calls_of_one_name_are_one_too_many() -> None:
    text = HEAD + "      - say: hello\n  - name: one\n    steps: []\n"
    assert [(f.code, f.line) for f in parse_script(HERE, text).findings] == [("duplicate-name", 7)]


def test_a_script_for_another_flow_is_noticed() -> None:
    file = parse_script(HERE, HEAD.replace("tests: queue", "tests: quee") + "      - say: hello\n")
    assert [f.code for f in against(file, library(), COMPANY)] == ["unknown-flow"]


def test_plain_words_need_no_quotes() -> None:
    file = parse_script(HERE, HEAD + "      - say: yes\n      - key: 0\n      - say: no\n      - key: 704#\n")
    assert file.suite is not None
    assert [(s.say, s.key) for s in file.suite.calls[0].steps] == [
        ("yes", None),
        (None, "0"),
        ("no", None),
        (None, "704#"),
    ]


@given(st.text(max_size=300))
def test_no_file_makes_the_reader_fall_over(text: str) -> None:
    file = parse_script(HERE, text)
    assert file.suite is not None or file.findings


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["say", "key", "expect", "prompt", "state", "end", "steps", "name"]), inner, max_size=3
            )
        ),
        max_leaves=12,
    )
)
def test_nor_any_steps(steps: object) -> None:
    file = parse_script(
        HERE, json.dumps({"tests": "queue", "at": "2026-03-03T10:00", "calls": [{"name": "x", "steps": steps}]})
    )
    if file.suite is not None:
        against(file, library(), COMPANY)
    else:
        assert all(f.why and f.remedy for f in file.findings)


def test_folders_flows_and_scripts_can_be_named() -> None:
    assert len(script_files([FLOWS])) == 7
    assert script_files([FLOWS / "hold.yaml", FLOWS / "hold.test.yaml"]) == [FLOWS / "hold.test.yaml"]


def test_where_there_are_none_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no scripts"):
        scripts_by_folder([tmp_path])
    with pytest.raises(ConfigError, match=r"nosuch\.test\.yaml"):
        scripts_by_folder([tmp_path / "nosuch.test.yaml"])
