"""The checker is exact: on thousands of random small flows it says what a search through every configuration says."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.checker.reaches_human import check_reaches_human
from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.library import load_library
from tests.unit.dialogue.checker.brute import SIGNATURES, Spec, as_files, line_of, random_flows, search
from tests.unit.examples import examples


def findings_of(flows: dict[str, Spec]) -> list[Finding]:
    loaded = load_library(as_files(flows), SIGNATURES)
    assert loaded.library is not None, [f.render() for f in loaded.findings]
    findings = Findings(loaded.library, LineFacts())
    check_reaches_human(findings)
    return findings.all


def states(flows: dict[str, Spec], findings: list[Finding], code: str) -> set[tuple[str, str]]:
    where = {(f"{flow}.yaml", line_of(flows, flow, s)): (flow, s) for flow in flows for s in flows[flow]["states"]}
    return {where[f.file, f.line] for f in findings if f.code == code}


@examples(400)
@given(st.integers(0, 2**48))
def test_checker_and_search_agree(seed: int) -> None:
    flows = random_flows(seed)
    said, truth = findings_of(flows), search(flows)

    used = {flow for flow, _ in truth.visited}
    unreachable = {(f, s) for f in used for s in flows[f]["states"]} - truth.visited
    assert states(flows, said, "unreachable") == unreachable
    assert any(f.code == "silent-loop" for f in said) == truth.loops
    assert states(flows, said, "hangs-up") == truth.hangs_up
    assert states(flows, said, "nothing-to-go-back-to") == truth.nothing_before
    assert states(flows, said, "no-else") == truth.no_else
    assert bool(states(flows, said, "human-not-reached")) == bool(truth.not_reached)
    assert any(f.code == "no-callback" for f in said) == (not truth.promised)
    unfilled = {
        (*next(iter(states(flows, [f], "not-filled"))), re.match(r"\w+", f.why).group())  # type: ignore[union-attr]
        for f in said
        if f.code == "not-filled"
    }
    assert unfilled == truth.unfilled
    every_state_reaches_a_human = not (truth.loops or truth.hangs_up or truth.not_reached) and truth.promised
    codes = {"silent-loop", "hangs-up", "human-not-reached", "no-callback"}
    assert (not any(f.code in codes for f in said)) == every_state_reaches_a_human


@examples(100)
@given(st.integers(0, 2**48))
def test_counter_examples_are_paths_of_the_flow(seed: int) -> None:
    """Each step of a path the checker shows leads from one of its states to the next."""
    flows = random_flows(seed)
    for finding in findings_of(flows):
        if finding.code in ("silent-loop", "hangs-up", "not-filled", "no-else", "human-not-reached"):
            names = [p for p in finding.path if not p.startswith("[")]
            assert names, finding.render()
            assert all(n.partition(".")[2] in flows[n.partition(".")[0]]["states"] for n in names), finding.path
            first_flow, _, first = names[0].partition(".")
            assert first == flows[first_flow]["start"]


def test_the_random_flows_are_worth_the_name() -> None:
    """Both verdicts occur often enough for the comparison to mean something."""
    verdicts = [search(random_flows(seed)) for seed in range(400)]
    for count in (
        sum(v.loops for v in verdicts),
        sum(not v.loops for v in verdicts),
        sum(bool(v.hangs_up) for v in verdicts),
        sum(bool(v.unfilled) for v in verdicts),
        sum(bool(v.not_reached) for v in verdicts),
        sum(not (v.loops or v.hangs_up or v.not_reached) and v.promised for v in verdicts),
    ):
        assert count >= 4
