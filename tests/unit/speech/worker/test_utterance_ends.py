"""When an utterance ends by what was said in it, what becomes of a tail, and of what is said in two pieces."""

from __future__ import annotations

import pytest

from ivr.events import Accept, Cause, Heard, Hypothesis, Recognition, SpeechEnded, SpeechStarted
from ivr.ports import ListenRequest, SpeechGrammar
from ivr.speech.worker.attempt import Attempt, Outcome
from ivr.speech.worker.manner import Measured
from tests.unit.speech.worker.test_utterance import QUIET, VOICE, Rig

GRAMMAR = SpeechGrammar(
    "g",
    "en-US",
    ("stop it now", "stop it now please", "what's next"),
    templates=(("move", "{title}", "up"), ("move", "{title}", "up", "in", "my", "queue"), ("move", "{title}")),
    slots=(("title", ("alien", "jaws")),),
    means=(0, 0, 1, 2, 2, 3),
)
OTHER = SpeechGrammar("h", "en-US", ("no", "yes"), means=(0, 1))
ANSWERS = SpeechGrammar("a", "en-US", ("yes", "all right", "all right then", "no"), means=(0, 0, 0, 1))
TOLD = [SpeechStarted, SpeechEnded, Heard]


class TalkingRig(Rig):
    def __init__(self, *, early: bool = True) -> None:
        super().__init__()
        self.request = ListenRequest(GRAMMAR, 0.5, 12.0, early)
        self.detector.listen(self.request)

    def hears(
        self,
        text: str,
        verdict: Accept = Accept.ACCEPT,
        attempt: Attempt | None = None,
        *,
        snr_db: float = 30.0,
        speech_s: float = 0.5,
    ) -> None:
        """The last attempt gives this."""
        cause = Cause.NO_MATCH if verdict is Accept.REJECT else Cause.SUCCESS
        found = Recognition(cause, (Hypothesis(text, 0.9, None, verdict),), text.capitalize() + ".")
        self.detector.done(attempt or self.attempts[-1], Outcome(found, Measured(-20.0, snr_db, 120.0, speech_s)))

    def says(self, text: str, verdict: Accept = Accept.ACCEPT, *, quiet: int = 50) -> None:
        """Half a second of speech that is recognised as soon as it can be, then ``quiet`` frames."""
        self.feed(VOICE, 25)
        self.feed(QUIET, 8)
        self.hears(text, verdict)
        self.feed(QUIET, quiet - 8)

    @property
    def silence_s(self) -> float:
        """What had passed since the speech when its end was told."""
        return self.at - next(e.at for e in reversed(self.events) if isinstance(e, SpeechEnded))

    @property
    def texts(self) -> list[str]:
        return [e.recognition.nbest[0].text for e in self.events if isinstance(e, Heard)]


def until_told(rig: TalkingRig) -> None:
    for _ in range(100):
        if Heard in rig.kinds():
            return
        rig.feed(QUIET, 1)
    raise AssertionError("never heard")


def test_what_is_complete_and_certain_ends_after_a_fifth_of_a_second() -> None:
    rig = TalkingRig()
    rig.says("move alien up", quiet=8)
    assert rig.kinds() == [SpeechStarted]
    until_told(rig)
    assert rig.kinds() == TOLD and 0.18 <= rig.silence_s <= 0.24


def test_a_recognition_that_comes_later_ends_it_at_once() -> None:
    rig = TalkingRig()
    rig.feed(VOICE, 25)
    rig.feed(QUIET, 17)
    assert rig.kinds() == [SpeechStarted]
    rig.hears("move alien up")
    assert rig.kinds() == TOLD


def test_what_may_still_turn_into_something_else_is_waited_for_longer_than_a_pause() -> None:
    rig = TalkingRig()
    rig.says("move alien", quiet=8)
    until_told(rig)
    assert 0.58 <= rig.silence_s <= 0.66


def test_what_is_uncertain_or_dictated_waits_for_the_hangover() -> None:
    for early, text, verdict in (
        (True, "what's next", Accept.CONFIRM),
        (False, "move alien up", Accept.ACCEPT),
    ):
        rig = TalkingRig(early=early)
        rig.says(text, verdict, quiet=8)
        until_told(rig)
        assert 0.48 <= rig.silence_s <= 0.56


def test_what_is_asked_about_ends_sooner_too_where_all_of_it_was_said() -> None:
    rig = TalkingRig()
    rig.says("move alien up", Accept.CONFIRM, quiet=8)
    until_told(rig)
    assert 0.34 <= rig.silence_s <= 0.40


@pytest.mark.parametrize(
    ("text", "snr_db", "speech_s", "least_s", "most_s"),
    [
        ("yes", 40.0, 0.24, 0.18, 0.26),
        ("yes", 40.0, 0.18, 0.58, 0.66),  # "Give ..."
        ("yes", 18.0, 0.24, 0.58, 0.66),  # "Add ...", in noise
        ("yes", 18.0, 0.48, 0.18, 0.26),  # nobody begins a sentence with as long a word that sounds like it
        ("all right", 18.0, 0.18, 0.58, 0.66),  # "I ..."
        ("all right then", 18.0, 0.18, 0.18, 0.26),
    ],
)
def test_an_answer_that_a_sentence_may_begin_with_ends_later(
    text: str, snr_db: float, speech_s: float, least_s: float, most_s: float
) -> None:
    rig = TalkingRig()
    rig.detector.listen(ListenRequest(ANSWERS))
    rig.feed(VOICE, 25)
    rig.feed(QUIET, 8)
    rig.hears(text, snr_db=snr_db, speech_s=speech_s)
    until_told(rig)
    assert least_s <= rig.silence_s <= most_s and rig.texts == [text]


@pytest.mark.parametrize(
    ("text", "speech_s", "verdict"),
    [("yes", 0.15, Accept.CONFIRM), ("yes", 0.18, Accept.ACCEPT), ("no", 0.15, Accept.ACCEPT)],
)
def test_a_word_that_is_shorter_than_any_yes_is_asked_about(text: str, speech_s: float, verdict: Accept) -> None:
    rig = TalkingRig()
    rig.detector.listen(ListenRequest(ANSWERS))
    rig.feed(VOICE, 25)
    rig.feed(QUIET, 8)
    rig.hears(text, speech_s=speech_s)
    until_told(rig)
    (heard,) = (e.recognition for e in rig.events if isinstance(e, Heard))
    assert heard.nbest[0].verdict is verdict and heard.cause is Cause.SUCCESS


def test_what_only_begins_a_sentence_is_waited_for() -> None:
    rig = TalkingRig()
    rig.feed(VOICE, 25)
    rig.feed(QUIET, 8)
    rig.hears("move", Accept.REJECT)
    rig.feed(QUIET, 28)  # 0.7 s
    assert rig.kinds() == [SpeechStarted]
    rig.says("move alien up")
    assert rig.kinds() == TOLD and rig.texts == ["move alien up"]


def test_the_first_guess_sets_no_silence_for_what_is_said_after_it() -> None:
    rig = TalkingRig()
    rig.feed(VOICE, 25)
    rig.feed(QUIET, 8)
    rig.hears("move", Accept.REJECT)
    rig.feed(VOICE, 25)
    rig.feed(QUIET, 28)  # nothing is known of the whole yet: the hang-over ends it
    assert rig.kinds() == [SpeechStarted, SpeechEnded]


def test_a_tail_that_changes_nothing_is_not_told() -> None:
    rig = TalkingRig()
    rig.says("move alien up", quiet=18)
    assert rig.kinds() == TOLD
    rig.detector.listen(ListenRequest(OTHER))
    rig.feed(VOICE, 25)
    assert rig.kinds() == TOLD  # it stops no prompt
    rig.feed(QUIET, 8)
    rig.hears("in my queue", Accept.REJECT)
    rig.feed(QUIET, 40)
    assert rig.kinds() == TOLD
    rig.says("no", quiet=40)  # and what comes after it is an utterance like any other
    assert rig.kinds() == TOLD * 2 and rig.texts[-1] == "no"


@pytest.mark.parametrize(
    ("taken_for", "transcript"),
    [("no", "In my cue."), ("yes", "Here.")],
    ids=["taken for something else by the next grammar", "a short answer that nobody is sure of"],
)
def test_a_tail_is_no_answer_to_what_comes_next(taken_for: str, transcript: str) -> None:
    rig = TalkingRig()
    rig.says("move alien up", quiet=18)
    rig.detector.listen(ListenRequest(OTHER))
    rig.feed(VOICE, 25)
    rig.feed(QUIET, 8)
    found = Recognition(Cause.SUCCESS, (Hypothesis(taken_for, 0.6, 0, Accept.CONFIRM),), transcript)
    rig.detector.done(rig.attempts[-1], Outcome(found, Measured()))
    rig.feed(QUIET, 40)
    assert rig.kinds() == TOLD


def test_a_correction_right_after_counts_with_the_time_at_which_it_began() -> None:
    rig = TalkingRig()
    rig.says("move alien up", quiet=18)
    rig.detector.listen(ListenRequest(OTHER))
    began = rig.at
    rig.says("no", quiet=40)
    assert rig.kinds() == TOLD * 2 and rig.texts == ["move alien up", "no"]
    started = rig.events[3]
    assert isinstance(started, SpeechStarted) and abs(started.at - began) < 0.06


def test_nobody_ends_a_sentence_for_long() -> None:
    rig = TalkingRig()
    rig.says("move alien up", quiet=18)
    rig.feed(VOICE, 110)
    assert rig.kinds() == [*TOLD, SpeechStarted]
    rig.feed(QUIET, 40)
    assert rig.kinds() == [*TOLD, SpeechStarted, SpeechEnded]


def test_who_talks_over_the_answer_is_told_at_once() -> None:
    rig = TalkingRig()
    rig.says("move alien up", quiet=18)  # of which 0.2 s were waited for
    rig.feed(QUIET, 20)
    rig.feed(VOICE, 10)
    assert rig.kinds() == [*TOLD, SpeechStarted]


def test_a_rest_takes_no_longer_than_its_words() -> None:
    for text, frames in (("stop it now please", 40), ("move alien up", 85)):  # nothing can follow the first
        rig = TalkingRig()
        rig.says(text, quiet=18)
        rig.feed(VOICE, frames)
        assert rig.kinds() == [*TOLD, SpeechStarted]


def test_the_silence_behind_a_rest_is_none_of_its_length() -> None:
    rig = TalkingRig()
    rig.says("move alien up", quiet=18)
    rig.feed(VOICE, 60)  # 1.2 s, of the 1.5 that three words may take
    rig.feed(QUIET, 8)
    rig.hears("in my queue", Accept.REJECT)
    rig.feed(QUIET, 40)
    assert rig.kinds() == TOLD


def test_speech_well_after_an_early_end_is_told_at_once() -> None:
    rig = TalkingRig()
    rig.says("move alien up", quiet=70)
    rig.feed(VOICE, 10)
    assert rig.kinds() == [*TOLD, SpeechStarted]


def test_a_fragment_is_heard_again_with_what_continues_it() -> None:
    rig = TalkingRig()
    rig.says("move", Accept.REJECT, quiet=50)  # 1 s: longer than anything waits
    assert rig.kinds() == TOLD
    alone = len(rig.attempts[-1].pcm)
    rig.says("move alien up", quiet=20)
    assert len(rig.attempts) == 2 and len(rig.attempts[-1].pcm) > 2 * alone - 9600
    assert rig.texts == ["move", "move alien up"]


def test_a_fragment_that_does_not_fit_spoils_nothing() -> None:
    rig = TalkingRig()
    rig.says("alien", Accept.REJECT, quiet=40)
    rig.feed(VOICE, 25)
    rig.feed(QUIET, 8)
    both = rig.attempts[-1]
    rig.hears("move alien", Accept.CONFIRM)  # of both; now what was said last is tried alone
    assert rig.attempts[-1] is both and len(rig.attempts) == 3
    rig.hears("what's next")
    rig.feed(QUIET, 10)
    assert rig.texts == ["alien", "what's next"]


def test_what_was_doubted_of_both_is_better_than_nothing_of_one() -> None:
    rig = TalkingRig()
    rig.says("alien", Accept.REJECT, quiet=40)
    rig.feed(VOICE, 25)
    rig.feed(QUIET, 8)
    rig.hears("move alien", Accept.CONFIRM)
    rig.hears("jaws", Accept.REJECT)
    rig.feed(QUIET, 30)
    assert rig.texts == ["alien", "move alien"]


def test_what_comes_late_or_under_another_grammar_continues_nothing() -> None:
    for quiet, grammar in ((110, GRAMMAR), (45, OTHER)):
        rig = TalkingRig()
        rig.says("move", Accept.REJECT, quiet=quiet)
        rig.detector.listen(ListenRequest(grammar))
        rig.feed(VOICE, 25)
        rig.feed(QUIET, 8)
        assert len(rig.attempts[-1].pcm) < 16000 * 1.2


FAINT = (300).to_bytes(2, "little") * 160  # 41 dB below full scale


def test_who_is_much_fainter_than_the_caller_stops_nothing_and_is_heard_if_understood() -> None:
    rig = TalkingRig()
    rig.feed(FAINT, 25)
    rig.feed(QUIET, 8)
    rig.hears("stop it now", Accept.REJECT)
    rig.feed(QUIET, 40)
    assert rig.kinds() == []
    rig.feed(FAINT, 25)
    rig.feed(QUIET, 8)
    rig.hears("what's next")
    rig.feed(QUIET, 20)
    assert rig.kinds() == TOLD and rig.texts == ["what's next"]


def test_what_was_faint_and_is_understood_late_ends_nothing_that_is_being_said() -> None:
    rig = TalkingRig()
    rig.feed(FAINT, 25)
    rig.feed(QUIET, 50)
    late = rig.attempts[-1]
    rig.feed(VOICE, 10)
    assert rig.kinds() == [SpeechStarted]
    rig.hears("what's next", attempt=late)
    assert rig.kinds() == [SpeechStarted, Heard]
    rig.feed(QUIET, 50)
    assert rig.kinds() == [SpeechStarted, Heard, SpeechEnded]


def test_the_room_says_nothing_in_the_callers_stead_once_they_have_spoken() -> None:
    """Right after an answer that ended early, and again after what nobody heeded: murmur sounds like "yes"."""
    rig = TalkingRig()
    rig.says("move alien up", quiet=25)
    assert rig.kinds() == TOLD
    for _ in range(3):
        rig.feed(FAINT, 30)
        rig.feed(QUIET, 8)
        found = Recognition(Cause.SUCCESS, (Hypothesis("stop", 0.9, None, Accept.CONFIRM),), "Yeah.")
        rig.detector.done(rig.attempts[-1], Outcome(found, Measured(-41.0, 8.0, 110.0, 0.6)))
        rig.feed(QUIET, 32)
    assert rig.kinds() == TOLD
    rig.says("what's next")
    assert rig.texts == ["move alien up", "what's next"]


def test_a_caller_who_begins_softly_is_told_once_they_are_loud() -> None:
    rig = TalkingRig()
    rig.feed(FAINT, 15)
    assert rig.kinds() == []
    rig.feed(VOICE, 2)
    assert rig.kinds() == [SpeechStarted]
    started = rig.events[0]
    assert isinstance(started, SpeechStarted) and abs(started.at - 50.0) < 0.06


def test_one_loud_moment_of_who_is_faint_is_not_the_caller_once_it_is_known_how_loud_they_are() -> None:
    rig = TalkingRig()
    rig.detector.expect(-20.0)
    rig.feed(FAINT, 15)
    rig.feed(VOICE, 1)
    rig.feed(FAINT, 15)
    assert rig.kinds() == []
    rig.feed(VOICE, 6)
    assert rig.kinds() == [SpeechStarted]


def test_a_caller_who_moved_away_from_the_telephone_is_not_unheeded_for_ever() -> None:
    rig = TalkingRig()
    for _ in range(2):
        rig.feed(FAINT, 40)
        rig.feed(QUIET, 8)
        found = Recognition(Cause.NO_MATCH, (), "Whatever.")
        rig.detector.done(rig.attempts[-1], Outcome(found, Measured(-41.0, 30.0, 120.0, 0.8)))
        rig.feed(QUIET, 60)
    assert rig.kinds() == []
    rig.feed(FAINT, 10)
    assert rig.kinds() == [SpeechStarted]


def test_a_noise_that_sounded_like_speech_is_no_attempt_at_saying_anything() -> None:
    for transcript, pitch in (("", 120.0), ("Bye.", 0.0)):
        rig = TalkingRig()
        rig.feed(VOICE, 25)
        rig.feed(QUIET, 8)
        found = Recognition(Cause.NO_MATCH, (), transcript)
        rig.detector.done(rig.attempts[-1], Outcome(found, Measured(-20.0, 30.0, pitch, 0.5)))
        rig.feed(QUIET, 40)
        assert [e.recognition.cause for e in rig.events if isinstance(e, Heard)] == [Cause.NO_INPUT_TIMEOUT]
