"""Free speech at the open question of the flows that ship: paraphrases no phrase of theirs covers word for word."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ivr.dialogue.engine.contract import ActionDone, Record
from ivr.events import ActionResult
from ivr.record import Understood
from tests.unit.dialogue.talk import Talk, reference, terms

QUEUE = (
    "Metropolis",
    "Vertigo",
    "Casablanca",
    "The General",
    "City Lights",
    "Nosferatu",
    "The Third Man",
    "Rear Window",
)

Slots = dict[str, str]


def open_question(queue: Sequence[str] = QUEUE, discs: Sequence[str] = QUEUE[:2]) -> Talk:
    talk = Talk(reference(), entry="main", queue=queue, perform=False)
    facts = {"member.number": "10001", "member.first_name": "Ada", "queue.size": 8, "member.damaged_reports": 0}
    lists = {"queue": terms(queue), "discs": terms(discs)}
    talk.send(ActionDone(talk.performed[-1].token, ActionResult("found", facts=facts, vocabularies=lists)))
    assert talk.dialogue.state == "main.ask"
    talk.effects.clear()
    return talk


def heard(talk: Talk) -> tuple[str, Slots]:
    found = next(e.what for e in talk.last if isinstance(e, Record) and isinstance(e.what, Understood))
    return found.intent, dict(found.slots)


COVERED: list[tuple[str, str, Slots]] = [
    ("could you please put Vertigo at number three", "move_to_position", {"title": "Vertigo", "position": "three"}),
    ("switch Metropolis and Nosferatu", "swap", {"title": "Metropolis", "other": "Nosferatu"}),
    ("um can you move City Lights to the top please", "move_to_top", {"title": "City Lights"}),
]
PARAPHRASES: list[tuple[str, str, Slots]] = [
    ("I'd like Casablanca to be next", "move_to_top", {"title": "Casablanca"}),
    ("I want Nosferatu at the very top of my list please", "move_to_top", {"title": "Nosferatu"}),
    ("can you bump up City Lights", "move_to_top", {"title": "City Lights"}),
    ("get Nosferatu up to the front", "move_to_top", {"title": "Nosferatu"}),
    ("take vertigo and put it at the top", "move_to_top", {"title": "Vertigo"}),
    ("put vertgo frist", "move_to_top", {"title": "Vertigo"}),
    ("move casa blanca to the top", "move_to_top", {"title": "Casablanca"}),
    ("let's have rear window right after metropolis", "move_after", {"title": "Rear Window", "other": "Metropolis"}),
    ("make city lights come after the general", "move_after", {"title": "City Lights", "other": "The General"}),
    ("after Vertigo put Casablanca", "move_after", {"title": "Casablanca", "other": "Vertigo"}),
    ("before Vertigo I'd like to have Casablanca", "move_before", {"title": "Casablanca", "other": "Vertigo"}),
    (
        "I think I'd like to watch the general before nosferatu",
        "move_before",
        {"title": "The General", "other": "Nosferatu"},
    ),
    ("can Vertigo and Casablanca trade places", "swap", {"title": "Vertigo", "other": "Casablanca"}),
    ("swap metropolis for rear windows please", "swap", {"title": "Metropolis", "other": "Rear Window"}),
    (
        "switch the order of metropolis and the third man around",
        "swap",
        {"title": "Metropolis", "other": "The Third Man"},
    ),
    ("place rear window in slot four", "move_to_position", {"title": "Rear Window", "position": "four"}),
    ("move nosferato to number to", "move_to_position", {"title": "Nosferatu", "position": "two"}),
    ("I want metropolis fourth", "move_to_position", {"title": "Metropolis", "position": "four"}),
    ("push metropolis down to the bottom", "move_to_end", {"title": "Metropolis"}),
    ("what is in my cue", "hear_queue", {}),
    ("read me the list", "hear_queue", {}),
    ("my vertigo disc came scratched", "report_disc", {"disc": "Vertigo", "kind": "is damaged"}),
]


@pytest.mark.parametrize(("sentence", "intent", "slots"), COVERED)
def test_politeness_changes_nothing(sentence: str, intent: str, slots: Slots) -> None:
    talk = open_question().say(sentence)
    assert heard(talk) == (intent, slots) and len(talk.performed) == 1


@pytest.mark.parametrize(("sentence", "intent", "slots"), PARAPHRASES)
def test_paraphrases_are_understood_with_doubt(sentence: str, intent: str, slots: Slots) -> None:
    talk = open_question().say(sentence)
    assert heard(talk) == (intent, slots)
    risky = [p for p in talk.performed if reference().signatures[p.name].risk != "none"]
    assert not risky, "a guess changed something without a question"


@pytest.mark.parametrize(
    "sentence",
    [
        "don't move Casablanca to the top",
        "I never want Vertigo first",
        "do not swap Metropolis and Nosferatu",
        "move it to the top",
        "swap casablanca",
        "casablanca",
        "colourless green ideas sleep furiously",
        "never mind the general",
        "one two three",
        "vertigo metropolis nosferatu casablanca",
    ],
)
def test_what_is_not_a_request_changes_nothing_and_is_asked_again(sentence: str) -> None:
    talk = open_question().say(sentence)
    assert not [p for p in talk.performed if reference().signatures[p.name].risk != "none"]
    assert not talk.ends and talk.said


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("I want to talk to an agent please", "asked"),
        ("give me a bloody human being", "asked"),
        ("well you know blockbuster is cheaper", "comparing with a competitor"),
        ("look I would like to cancel my account with you", "thinking of cancelling"),
        ("honestly I'm thinking of leaving you guys", "thinking of cancelling"),
        ("oh this is ridiculous", "upset"),
        ("I wanna cancel my membership", "thinking of cancelling"),
    ],
)
def test_risks_and_wishes_for_a_human_in_free_speech(sentence: str, reason: str) -> None:
    assert open_question().say(sentence).connect.reason == reason


def test_a_title_that_holds_a_risky_word_is_a_title() -> None:
    queue = ("The Quitter", "Leaving Las Vegas", "Secret Agent")
    talk = Talk(queue=queue).say("well then move secret agent up to the top of it")
    assert not talk.connects
    assert not Talk(queue=queue).say("I'd love Leaving Las Vegas to be put first").connects
    assert Talk(queue=queue).say("I'd love leaving you").said.startswith("Would you like to talk to somebody")


def test_two_titles_that_sound_alike_are_offered() -> None:
    talk = Talk(queue=("Gold Rush", "Cold Rush", "Vertigo")).say("please would you put bold rush first")
    assert talk.said.startswith("Did you mean") and not talk.performed


@pytest.mark.parametrize("misheard", ["not for radu", "not ferrado", "not forado"])
def test_a_title_the_recogniser_cannot_spell(misheard: str) -> None:
    talk = open_question().say(f"put {misheard} before vertigo")
    assert heard(talk) == ("move_before", {"title": "Nosferatu", "other": "Vertigo"}) and not talk.performed
    assert not open_question().say(f"do not put {misheard} before vertigo").performed
