"""Text as a synthesiser should read it."""

from __future__ import annotations

import pytest

from ivr.speech.synthesisers.hibari import said


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Press # or 0.", "Press pound or 0."),
        ("Your number is 417290.", "Your number is 4 1 7, 2 9 0."),
        ("It is #3 now.", "It is number 3 now."),
        ("In 1942, at 7:30, for $9.99.", "In 1942, at 7:30, for $9.99."),
        ("Call 555-0199.", "Call 5 5 5, 0 1 9 9."),
        ("Call 503-555-0199 now.", "Call 5 0 3, 5 5 5, 0 1 9 9 now."),
        ("From 1932-1940.", "From 1932-1940."),
        ("It ends in 0199.", "It ends in 0 1, 9 9."),
        ("E.T. is next.", "E T is next."),
        ("At 7:05 or 10:00.", "At 7:05 or 10:00."),
    ],
)
def test_wording(text: str, spoken: str) -> None:
    assert said(text) == spoken
