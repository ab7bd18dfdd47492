"""A fact in a request's path: wrong as it stands, right once every way there asks about it."""

from __future__ import annotations

import pytest

from ivr.dialogue.flows.expression import parse_expression
from tests.unit.dialogue.checker.corpus import check_corpus, good

PATH = '      path: "/members/{member.number}/stop"\n'
WAY = "    goto: deliver\n"
ASKS = "    goto: asks\n  asks:\n    when:\n"


def codes(*ways: str) -> list[str]:
    main = good()["main.yaml"]
    assert main.count(PATH) == main.count(WAY) == 1
    main = main.replace(PATH, '      path: "/callers/{call.caller}/stop"\n')
    if ways:
        main = main.replace(WAY, ASKS + "".join(f"      - {{{way}}}\n" for way in ways))
    return [finding.code for finding in check_corpus({**good(), "main.yaml": main}) if finding.code == "fact-unknown"]


@pytest.mark.parametrize(
    "ways",
    [
        ("if: filled(call.caller), goto: deliver", "goto: menu"),
        ("if: call.caller, goto: deliver", "goto: menu"),
        ("if: not filled(call.caller), goto: menu", "goto: deliver"),
        ("if: filled(call.caller) and filled(gift), goto: deliver", "goto: menu"),
        ("if: \"call.caller == '+15035550101'\", goto: deliver", "goto: menu"),
    ],
)
def test_asked_about_on_every_way(ways: tuple[str, ...]) -> None:
    assert codes(*ways) == []


@pytest.mark.parametrize(
    "ways",
    [
        (),
        ("if: filled(gift), goto: deliver", "goto: menu"),
        ("if: filled(call.caller), goto: menu", "goto: deliver"),
        ("if: filled(call.caller) or filled(gift), goto: deliver", "goto: menu"),
        ("if: filled(call.caller), goto: deliver", "goto: deliver"),
    ],
)
def test_not_asked_about_on_some_way(ways: tuple[str, ...]) -> None:
    assert codes(*ways) == ["fact-unknown"]


def test_what_is_blank_is_not_filled() -> None:
    asked = parse_expression("filled(call.caller)")
    assert asked.holds({"call.caller": "+15035550101"}) and asked.holds({"call.caller": 0})
    assert not asked.holds({"call.caller": ""}) and not asked.holds({})
