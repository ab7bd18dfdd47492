"""What a case found is still so where it is asked again, until something in it may have changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.dialogue.checker.asked_twice import MOST, AskedTwice
from ivr.dialogue.checker.check import check_sources
from ivr.dialogue.flows.library import load_library
from ivr.dialogue.flows.source import read_directory
from tests.unit.dialogue.checker.corpus import CORPUS, FACTS, SIGNATURES, good

FLOW = "twice.yaml"
SOURCES = {**good(), **read_directory(CORPUS / "asked_twice")}
CONFIRMED = """\
  wrapped:
    action: order.place
    with: {title: "'Vertigo'", count: %s, note: "'none'"}
    confirm: {policy: explicit, prompt: "Shall I?"}
    on: {ok: packed, sold_out: done, failed: human, timeout: human}
  packed:
"""


def codes(*changes: tuple[str, str]) -> list[str]:
    text = SOURCES[FLOW]
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    changed = {n: t for n, t in SOURCES.items() if n.count(".") == 1 or not changes}  # without overlays
    findings = check_sources({**changed, FLOW: text}, replace(FACTS, entries=("main", "twice"))).findings
    return [f.code for f in findings if f.file.startswith("twice")]


def test_what_the_first_answer_brought_is_there_the_second_time() -> None:
    assert codes() == []


@pytest.mark.parametrize(
    "before, after",
    [
        ("goto: sum_up\n", "goto: {goto: sum_up, set: {count: 12}}\n"),  # on an edge
        ("  sum_up:\n", "  sum_up:\n    set: {count: 12}\n"),  # on entering
        ('say: "{count} copies with note {note}."', 'say: "Note {note}."}\n      - {if: "count > 9", say: "{note}."'),
        ('{if: "gift and count > 10"', '{if: "gift or count > 10"'),  # the other part may hold
        ('{if: "gift and count > 10"', '{if: "gift and not count > 10"'),
        ('{if: "count > 10", goto: which_note}', '{if: "count > 10 and gift", goto: which_note}'),
        ("  wrapped:\n", CONFIRMED % "count"),  # "no, twelve"
    ],
)
def test_what_may_have_changed_is_asked_anew(before: str, after: str) -> None:
    assert "not-filled" in codes((before, after))


def test_a_confirmation_corrects_only_what_it_says() -> None:
    assert codes(("  wrapped:\n", CONFIRMED % "2")) == []


def test_back_to_a_question_finds_there_what_was_set_after_it() -> None:
    """Set after the question "gift", the count is still set when "back" leads there again."""
    later = ("  done:\n", '  done:\n    set: {count: 12}\n    prompt: "Done."\n    goto: over\n  over:\n')
    assert "not-filled" in codes(later)


FACT = ("count > 10", "member.number == '7'")
UNUSED = frozenset({"unreachable"})


def test_a_fact_is_known_until_something_is_asked_of_anybody() -> None:
    at_once = (FACT, ("goto: which_note}", "set: {note: 1}, goto: sum_up}"), ("gift and ", ""))
    assert set(codes(*at_once, ("{goto: is_gift}\n  which", "{goto: sum_up}\n  which"))) <= UNUSED
    assert "not-filled" in codes(*at_once, ("goto: sum_up}", "goto: is_gift}"))  # asked meanwhile


def test_no_more_than_a_few_are_followed() -> None:
    cases = "".join(f'      - {{if: "count > {n}", goto: which_note}}\n' for n in range(20) for _ in range(2))
    text = SOURCES[FLOW].replace('      - {if: "count > 10", goto: which_note}\n', cases)
    loaded = load_library({**SOURCES, FLOW: text}, SIGNATURES)
    assert loaded.library is not None
    flow = loaded.library.flows["twice"]
    asked = AskedTwice(flow, {name: 1 << n for n, name in enumerate(flow.slots)})
    assert len(asked.beforehand) == MOST
    assert asked.mask.bit_count() == 2 * MOST
