from __future__ import annotations

import pytest

from ivr.dialogue.understanding.risk import Temper
from ivr.events import Manner
from tests.unit.dialogue.talk import Talk, reference


def test_words_alone_never_fill_the_cup_but_signs_add_up() -> None:
    temper = Temper()
    for _ in range(9):
        temper.failed()
    assert temper.level > 1 and not temper.enough  # nobody is upset merely because we don't understand
    temper.agitated("loud")
    assert temper.enough and temper.reason == "upset (loud)"


def test_calm_turns_let_it_fade() -> None:
    temper = Temper()
    temper.agitated("loud")
    for _ in range(10):
        temper.heard(Manner(snr_db=20))
    temper.agitated("mashed keys")
    assert not temper.enough


def test_fast_is_measured_against_the_callers_own_first_utterances() -> None:
    temper = Temper()
    for _ in range(3):
        temper.heard(Manner(words_per_second=2, snr_db=20))
    temper.heard(Manner(words_per_second=2.5, snr_db=20))
    assert temper.level == 0
    temper.heard(Manner(words_per_second=4, snr_db=20))
    assert temper.level > 0 and temper.evidence == ["faster"]


def test_a_noisy_line_is_no_evidence() -> None:
    temper = Temper()
    for _ in range(20):
        temper.heard(Manner(loudness_db=15, words_per_second=9, snr_db=3))
    assert temper.level == 0


@pytest.mark.parametrize(
    "said, reason",
    [
        ("damn it i want a refund", "thinking of cancelling"),
        ("this is bullshit just cancel it", "thinking of cancelling"),
        ("shit netflix is cheaper", "comparing with a competitor"),
        ("this is ridiculous what the hell", "upset"),
        ("holy shit get me a person", "swearing"),
    ],
)
def test_of_several_risks_in_one_sentence_the_most_important_is_told(said: str, reason: str) -> None:
    talk = Talk(reference(), entry="discs").say(said)
    assert talk.connect.reason == reason
    assert talk.connect.said == said
