"""Options that mean nothing for a variable's type are found, and bounds that no value can keep."""

from __future__ import annotations

import pytest

from tests.unit.dialogue.checker.corpus import check_corpus, good

VARIABLES = "variables:\n"


def found(declared: str) -> set[str]:
    main = good()["main.yaml"]
    assert main.count(VARIABLES) == 1
    main = main.replace(VARIABLES, f"{VARIABLES}  declared: {{{declared}}}\n")
    findings = check_corpus({**good(), "main.yaml": main})
    return {f.code for f in findings if f.code in ("unused-key", "bad-range")}


@pytest.mark.parametrize(
    ("declared", "code"),
    [
        ("type: phone, length: [7, 18]", "bad-range"),
        ("type: phone, length: [12, 9]", "bad-range"),
        ("type: phone, min: 7", "unused-key"),
        ("type: date, length: 4", "unused-key"),
        ("type: phone, length: [7, 15]", ""),
        ("type: digits, length: 20", ""),
        ("type: number, min: 1, max: 9", ""),
        ("type: code", "bad-range"),
        ("type: code, pattern: AA-1234", "bad-range"),
        ("type: code, pattern: [AA-9999, bk]", "bad-range"),
        ("type: code, pattern: [AA-9999, bk9999]", ""),
        ("type: code, pattern: AA-9999, length: 6", "unused-key"),
        ("type: digits, pattern: AA-9999", "unused-key"),
        ("type: duration, min: 15, max: 120", ""),
        ("type: duration, min: 120, max: 15", "bad-range"),
        ("type: money, min: 100, max: 5000", ""),
    ],
)
def test_options_by_type(declared: str, code: str) -> None:
    assert found(declared) == ({code} if code else set())
