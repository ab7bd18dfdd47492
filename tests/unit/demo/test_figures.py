"""What `make demo` says that callers waited for."""

from __future__ import annotations

from pathlib import Path

from ivr.demo.__main__ import figures
from ivr.demo.scenes import Outcome


def test_the_figures_of_all_calls_are_told_beside_their_aims() -> None:
    one, other = Outcome("a", Path("a.wav")), Outcome("b", Path("b.wav"))
    one.turns = [("move it", 0.3), ("no", 0.4)]
    other.turns = [("yes", 0.5)]
    one.key_silences, one.speech_silences = [0.02, 0.04], [0.18]
    other.to_human_s = 1.25
    told = {name: (measured, aim) for name, measured, aim in figures([one, other])}
    assert told["end of speech to first sound, p50 of 3 turns"] == ("0.40 s", "0.45 s")
    assert told["key to silence, p50 of 2"] == ("20 ms", "60 ms")
    assert told["first word to silence, p50 of 1"] == ("180 ms", "250 ms")
    assert told["key 0 to the agent's voice"] == ("1.25 s", "2 s")
    assert any(name.startswith("load of this machine") for name in told)


def test_what_nobody_did_is_not_told_of() -> None:
    assert [name for name, _, _ in figures([Outcome("a", Path("a.wav"))]) if not name.startswith("load")] == []
