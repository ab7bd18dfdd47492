"""The three-way merge of texts."""

from __future__ import annotations

import random

import pytest

from ivr.workshop.drafts.merge import merge3

WAS = "flow: main\n# greeting\nstart: greet\nstates:\n  greet: {goto: ask}\n  ask: {goto: more}\n"


def test_changes_apart_are_put_together_with_the_comments_between() -> None:
    mine = WAS.replace("flow: main", "flow: main\nabout: shop")
    theirs = WAS.replace("goto: more", "goto: end")
    merged = merge3(WAS, mine, theirs)
    assert merged.clashes == ()
    assert merged.text == mine.replace("goto: more", "goto: end")
    assert merge3(WAS, theirs, mine) == merged


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (("goto: ask", "goto: hello"), ("goto: ask", "goto: bye")),
        (("goto: ask", "goto: hello"), ("goto: more", "goto: bye")),  # no line between them
        (("  ask: {goto: more}\n", ""), ("goto: more", "goto: bye")),
        (("states:\n", "states:\n  a: {}\n"), ("states:\n", "states:\n  b: {}\n")),
    ],
)
def test_changes_that_touch_are_told_with_both(mine: tuple[str, str], theirs: tuple[str, str]) -> None:
    ours, others = WAS.replace(*mine), WAS.replace(*theirs)
    merged = merge3(WAS, ours, others)
    (clash,) = merged.clashes
    assert merged.text == ours, "nothing of mine is lost"
    assert ours.startswith("".join(WAS.splitlines(keepends=True)[: clash.line - 1]) + clash.mine)
    assert others.startswith("".join(WAS.splitlines(keepends=True)[: clash.line - 1]) + clash.theirs)


def test_a_clash_says_where_mine_stands_in_what_was_put_together() -> None:
    was = "".join(f"line {n}\n" for n in range(20))
    mine = was.replace("line 12\n", "").replace("line 17\n", "mine\nand more\n")
    theirs = was.replace("line 3\n", "new\nlines\n").replace("line 12\n", "theirs\n").replace("line 17\n", "theirs\n")
    merged = merge3(was, mine, theirs)
    assert [clash.mine for clash in merged.clashes] == ["", "mine\nand more\n"]
    lines = merged.text.splitlines(keepends=True)
    assert [lines[clash.at - 1] for clash in merged.clashes] == ["line 13\n", "mine\n"]


def test_the_same_change_twice_is_one_change() -> None:
    same = WAS.replace("goto: ask", "goto: hello")
    theirs = same.replace("flow: main", "flow: other")
    assert merge3(WAS, same, theirs).text == theirs
    assert merge3(WAS, same, same).text == same


def test_a_missing_last_line_end_is_kept() -> None:
    assert merge3("a\nb\nc", "a\nb\nC", "A\nb\nc").text == "A\nb\nC"
    assert merge3("", "a\n", "").text == "a\n"


def test_whatever_two_people_do_neither_loses_a_line_unasked() -> None:
    chance = random.Random(7)
    for _ in range(300):
        was = [f"line {n}\n" for n in range(12)]

        def edited(who: str, was: list[str] = was) -> list[str]:
            text = list(was)
            for n in range(chance.randrange(3)):
                at = chance.randrange(len(text))
                text[at : at + chance.randrange(2)] = [f"{who} {n}\n"]
            return text

        mine, theirs = edited("mine"), edited("theirs")
        merged = merge3("".join(was), "".join(mine), "".join(theirs))
        new = {line for line in (*mine, *theirs) if line not in was}
        told = merged.text + "".join(clash.theirs for clash in merged.clashes)
        assert all(line in told for line in new)
        if not merged.clashes:
            gone = {line for line in was if line not in mine or line not in theirs}
            assert not any(line in merged.text.splitlines(keepends=True) for line in gone)
