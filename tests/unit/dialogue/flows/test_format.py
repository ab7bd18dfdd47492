"""fmt keeps comments and meaning, and changes nothing the second time."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.dialogue.flows.format import format_text
from ivr.dialogue.flows.source import read_directory
from ivr.dialogue.flows.yaml_tree import read_tree
from tests.unit.dialogue.checker.brute import as_files, random_flows
from tests.unit.examples import examples

FLOWS = Path(__file__).parents[4] / "flows"

UNTIDY = """\
# the first line
flow:   titles
start: menu   # where it begins


states:
    menu:
        prompt:   {1: "Yes?",   2:  'And?'}
        choices:
        - {intent: stop,key: 1,   label: "stop", goto: bye}
        # and another
        - intent: more
          goto: menu
    bye: {end:   done}
"""
TIDY = """\
# the first line
flow: titles
start: menu   # where it begins

states:
  menu:
    prompt: {1: "Yes?", 2: 'And?'}
    choices:
      - {intent: stop, key: 1, label: "stop", goto: bye}
        # and another
      - intent: more
        goto: menu
  bye: {end: done}
"""


def test_it_tidies_and_keeps_comments() -> None:
    assert format_text("titles.yaml", UNTIDY).text == TIDY


def test_a_broken_file_is_left_alone_and_explained() -> None:
    broken = "flow: x\nflow: y\n"
    result = format_text("x.yaml", broken)
    assert result.text == broken
    assert [f.code for f in result.findings] == ["duplicate-key"]


@pytest.mark.parametrize("name", sorted(read_directory(FLOWS)))
def test_reference_flows_are_laid_out_and_mean_the_same(name: str) -> None:
    text = read_directory(FLOWS)[name]
    once = format_text(name, text)
    assert once.findings == ()
    assert read_tree(once.text).data == read_tree(text).data
    assert format_text(name, once.text).text == once.text


@examples(15)
@given(st.integers(0, 2**32), st.sampled_from(["", "# note\n", "\n\n\n# note\n\n"]))
def test_any_flow_keeps_its_meaning(seed: int, comment: str) -> None:
    for name, text in as_files(random_flows(seed)).items():
        untidy = comment + text.replace("states:\n", "states:\n" + comment.replace("\n#", "\n  #"))
        once = format_text(name, untidy)
        assert read_tree(once.text).data == read_tree(untidy).data
        assert format_text(name, once.text).text == once.text
        assert once.text.count("# note") == untidy.count("# note")
