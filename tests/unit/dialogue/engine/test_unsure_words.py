"""Words of the transcript that may have been misheard, as an agent sees them marked."""

from __future__ import annotations

from ivr.dialogue.engine.responses import unsure_words
from ivr.dialogue.understanding.grammar import Meaning, Reading, SlotValue
from ivr.record import Utterance


def reading(text: str, *, sure: bool = True, doubtful: tuple[str, ...] = ()) -> Reading:
    return Reading(Meaning("move", {"queue.title": SlotValue("7", "Casablanca")}), text, 0.9, sure, frozenset(doubtful))


def test_all_of_what_was_not_understood_or_guessed_is_unsure() -> None:
    assert unsure_words("mumble mumble", None, "en-US") == ("mumble mumble",)
    assert unsure_words("move it", reading("move it", sure=False), "en-US") == ("move it",)
    assert unsure_words("", None, "en-US") == ()


def test_words_that_only_the_free_transcript_has_are_unsure() -> None:
    said = "please move cassa blanca, to the top"
    assert unsure_words(said, reading("move Casablanca to the top"), "en-US") == ("please", "cassa", "blanca")


def test_a_phrase_heard_word_for_word_is_sure_but_for_doubtful_slots() -> None:
    said = "move Casablanca to the top"
    assert unsure_words(said, reading(said), "en-US") == ()
    assert unsure_words(said, reading(said, doubtful=("queue.title",)), "en-US") == ("Casablanca",)


def test_they_travel_with_the_transcript() -> None:
    line = Utterance("heard", "move cassa", "main.ask", "move", ("cassa",))
    assert Utterance.from_json(line.to_json()) == line
    assert "unsure" not in Utterance("heard", "move").to_json()
