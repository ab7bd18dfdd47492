from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.dialogue.flows.expression import ExpressionError, parse_expression

SCOPE: dict[str, object] = {
    "title": "vertigo",
    "n": 3,
    "keyed": "12",
    "day": "2026-03-04",
    "damaged": True,
    "titles": ("a", "b"),
    "member.damaged_reports": 2,
    "hours.open": True,
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("n", 3),
        ("n + 1", 4),
        ("n - 5", -2),
        ("keyed + 1", 13),
        ("'quoted'", "quoted"),
        ("1", 1),
        ("true", True),
        ("title == 'vertigo'", True),
        ("title != 'vertigo'", False),
        ("n == '3'", True),
        ("1 < n <= 3", True),
        ("keyed > 9", True),
        ("day > '2026-01-01'", True),
        ("member.damaged_reports >= 2 and hours.open", True),
        ("not hours.open or n > 5", False),
        ("title in ('vertigo', 'metropolis')", True),
        ("'a' in titles", True),
        ("title not in ['x']", True),
        ("filled(title) and not filled(other)", True),
        ("filled(member.damaged_reports)", True),
        ("damaged == 1", False),
    ],
)
def test_what_expressions_mean(text: str, value: object) -> None:
    assert parse_expression(text).evaluate(SCOPE) == value


@pytest.mark.parametrize(
    "text", ["gone == 1", "gone != 1", "gone < 1", "gone >= gone", "gone == gone", "gone in titles"]
)
def test_comparing_with_what_is_missing_is_false(text: str) -> None:
    assert parse_expression(text).evaluate(SCOPE) is False


def test_what_is_missing_is_none() -> None:
    assert parse_expression("gone").evaluate(SCOPE) is None
    assert parse_expression("gone + 1").evaluate(SCOPE) is None
    assert parse_expression("title + 1").evaluate(SCOPE) is None


def test_names_tests_and_bare_names() -> None:
    expression = parse_expression("n > 1 and member.damaged_reports < 3 and filled(title)")
    assert expression.names == {"n", "member.damaged_reports"} and expression.tested == {"title"}
    assert expression.bare == "" and parse_expression(" member.name ").bare == "member.name"
    assert parse_expression("'x'").literal and not expression.literal


def test_one_name_may_be_left_out() -> None:
    expression = parse_expression(" member.name? ")
    assert expression.optional and expression.bare == "member.name" and expression.names == {"member.name"}
    assert not expression.needed and parse_expression("n").needed == {"n"}
    assert parse_expression("n?").evaluate(SCOPE) == 3 and parse_expression("gone?").evaluate(SCOPE) is None


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("__import__('os').system('x')", 1),
        ("n + open('x')", 5),
        ("titles[0]", 1),
        ("n ** 9", 1),
        ("n if n else 1", 1),
        ("(lambda: 1)()", 1),
        ("[x for x in titles]", 1),
        ("n.__class__", 1),
        ("filled(1)", 1),
        ("filled(n, n)", 1),
        ("n is 3", 1),
        ("  n @ n", 3),
        ("f'{n}'", 1),
        ("", 1),
        ("b'x'", 1),
        ("1j", 1),
        ("n + 1?", 6),
        ("'x'?", 4),
        ("true?", 5),
        ("?", 1),
        ("n??", 2),
    ],
)
def test_whatever_else_is_refused_with_its_column(text: str, column: int) -> None:
    with pytest.raises(ExpressionError) as refused:
        parse_expression(text)
    assert refused.value.column == column and refused.value.message


def test_nesting_and_length_are_bounded() -> None:
    for text in ("(" * 300 + "n" + ")" * 300, "not " * 60 + "n", "n + " * 400 + "n"):
        with pytest.raises(ExpressionError):
            parse_expression(text)


@given(st.text(alphabet="n1'\"()[]{}.,+-*/<>=! andortifledx\\\n\x00:", max_size=40))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        parse_expression(text).evaluate(SCOPE)
    except ExpressionError as refused:
        assert refused.column >= 1


@pytest.mark.parametrize("text", ["from == 'x'", "class > 2", "filled(from)"])
def test_a_name_that_is_a_word_of_the_language_is_said_to_be_one(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_expression(text)
    assert "can't be a name in expressions" in caught.value.remedy
    with pytest.raises(ExpressionError) as other:
        parse_expression("day == next monday")
    assert other.value.remedy == "quote texts: 'like this'"
