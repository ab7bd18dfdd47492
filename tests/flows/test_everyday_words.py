"""What callers say in words of their own, by what it is about: swaps told twice, places, damage, days, a yes with what
was asked about, threats that name nothing, commands. Understood or asked about; harmless words bring nobody."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ivr.dialogue.engine.contract import ActionDone, Perform, Record
from ivr.dialogue.engine.next import Mode
from ivr.dialogue.understanding.classifier import LearningClassifiers
from ivr.events import ActionResult
from ivr.record import Understood
from tests.flows.test_paraphrases import open_question
from tests.unit.dialogue.talk import Talk

ENGLISH, SPANISH = "en-US", "es-ES"
ON_THE_WAY: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "discs.what_happened": {ENGLISH: ("report a disc",), SPANISH: ("reportar un disco",)},
    "hold.until": {ENGLISH: ("hold my deliveries",), SPANISH: ("detener mis envíos",)},
    "queue.remove": {ENGLISH: ("remove Vertigo",), SPANISH: ("quite Vertigo",)},
    "queue.which_position": {
        ENGLISH: ("change the order", "2", "Vertigo"),
        SPANISH: ("cambiar el orden", "2", "Vertigo"),
    },
}


def asked(state: str, language: str, classifiers: LearningClassifiers) -> Talk:
    talk = open_question(language, classifiers)
    for said in ON_THE_WAY[state][language]:
        if said.isdecimal():
            talk.key(said)
        else:
            talk.say(said)
        while talk.dialogue.waiting == "action":
            talk.send(ActionDone(talk.performed[-1].token, ActionResult("ok")))
    assert talk.dialogue.state == state
    return talk


def understood(talk: Talk) -> Understood:
    return next(e.what for e in talk.last if isinstance(e, Record) and isinstance(e.what, Understood))


def heard(talk: Talk) -> tuple[str, Mapping[str, str]]:
    found = understood(talk)
    return found.intent, found.slots


# -- swaps ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ("put Vertigo where Metropolis is and Metropolis where Vertigo is", ENGLISH),
        ("move Vertigo to the place of Metropolis, and Metropolis to the place of Vertigo", ENGLISH),
        ("I want Vertigo in the spot Metropolis has and Metropolis in the spot Vertigo has", ENGLISH),
        ("take Vertigo, put it where Metropolis is, and put Metropolis where Vertigo was", ENGLISH),
        ("ponga Vertigo donde está Metropolis, y Metropolis donde está Vertigo", SPANISH),
        ("mande Vertigo al sitio de Metropolis y Metropolis al sitio de Vertigo", SPANISH),
    ],
)
def test_a_swap_told_in_two_clauses_keeps_both_titles(
    said: str, language: str, classifiers: LearningClassifiers
) -> None:
    talk = open_question(language, classifiers).say(said)
    assert heard(talk) == ("swap", {"title": "Vertigo", "other": "Metropolis"})
    assert talk.dialogue.state == "queue.swap" and talk.dialogue.mode == Mode.CONFIRM


# -- places --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "language", "place"),
    [
        ("let Laura be the third one I get", ENGLISH, "number three"),
        ("take Laura down to number six", ENGLISH, "number six"),
        ("put Laura in the number four spot", ENGLISH, "number four"),
        ("I want Laura as the fifth one on the list", ENGLISH, "number five"),
        ("slide Laura down to seven", ENGLISH, "number seven"),
        ("quiero que Laura sea la cuarta", SPANISH, "lugar cuatro"),
        ("baje Laura al lugar seis", SPANISH, "lugar seis"),
    ],
)
def test_a_place_is_where_a_title_goes(said: str, language: str, place: str, classifiers: LearningClassifiers) -> None:
    talk = open_question(language, classifiers).say(said)
    assert (
        heard(talk)[0] == "move_to_position" and f"Laura {'to' if language == ENGLISH else 'al'} {place}" in talk.said
    )


def test_a_number_that_nothing_goes_to_is_no_place(classifiers: LearningClassifiers) -> None:
    talk = open_question(ENGLISH, classifiers).say("we saw Laura for the second time so take it off")
    assert heard(talk) == ("remove", {"title": "Laura"})


@pytest.mark.parametrize(
    ("said", "language", "place"),
    [
        ("make it the third one", ENGLISH, 3),
        ("the number five spot", ENGLISH, 5),
        ("down to number eight", ENGLISH, 8),
        ("al tercer lugar", SPANISH, 3),
        ("en el quinto puesto", SPANISH, 5),
    ],
)
def test_a_place_is_asked_for(said: str, language: str, place: int, classifiers: LearningClassifiers) -> None:
    talk = asked("queue.which_position", language, classifiers).say(said)
    moved = [e.arguments["position"] for e in talk.effects if isinstance(e, Perform) and "position" in e.arguments]
    assert moved == [place]


# -- damage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "language", "kind"),
    [
        ("the picture is frozen all the time", ENGLISH, "damaged"),
        ("it's got smudges all over and it jumps", ENGLISH, "damaged"),
        ("my player just spits it out", ENGLISH, "damaged"),
        ("it never turned up", ENGLISH, "missing"),
        ("you put the wrong film in the envelope", ENGLISH, "missing"),
        ("I've been waiting for it since last month", ENGLISH, "missing"),
        ("the mailman hasn't brought it", ENGLISH, "missing"),
        ("la imagen se queda congelada", SPANISH, "dañado"),
        ("venía otra película en el sobre", SPANISH, "perdido"),
        ("sigue sin llegar", SPANISH, "perdido"),
    ],
)
def test_what_happened_to_a_disc_is_answered_in_any_words(
    said: str, language: str, kind: str, classifiers: LearningClassifiers
) -> None:
    talk = asked("discs.what_happened", language, classifiers).say(said)
    assert heard(talk) == ("answer", {"kind": kind}) and talk.dialogue.state == "discs.which_disc"


@pytest.mark.parametrize("said", ["the soup is boiling over", "my sister plays the harp", "purple"])
def test_what_happened_elsewhere_is_no_answer(said: str, classifiers: LearningClassifiers) -> None:
    talk = asked("discs.what_happened", ENGLISH, classifiers).say(said)
    assert talk.dialogue.state == "discs.what_happened" and heard(talk)[0] != "answer"


def test_a_risk_that_is_named_is_asked_about_there_too(classifiers: LearningClassifiers) -> None:
    talk = asked("discs.what_happened", ENGLISH, classifiers).say("it never came and I might as well cancel")
    assert understood(talk).intent == "risk.cancellation" and not talk.connects


# -- days ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "language", "day"),
    [
        ("don't send anything before the third of May", ENGLISH, "May third"),
        ("no sooner than April twentieth please", ENGLISH, "April twentieth"),
        ("you can start sending again on the tenth of June", ENGLISH, "June tenth"),
        ("not until after the fourth of July", ENGLISH, "July fourth"),
        ("I'd say 12th of May or so", ENGLISH, "May twelfth"),
        ("we leave on Friday and we're back on April ninth", ENGLISH, "April ninth"),
        ("no antes del tres de mayo", SPANISH, "tres de mayo"),
        ("vuelva a mandar a partir del diez de junio", SPANISH, "diez de junio"),
    ],
)
def test_a_day_in_a_sentence_keeps_its_month(
    said: str, language: str, day: str, classifiers: LearningClassifiers
) -> None:
    talk = asked("hold.until", language, classifiers).say(said)
    assert talk.dialogue.state == "hold.hold" and day in talk.said and not talk.connects


@pytest.mark.parametrize("said", ["not on Friday", "not the third of May"])
def test_a_day_that_is_denied_is_none(said: str, classifiers: LearningClassifiers) -> None:
    assert asked("hold.until", ENGLISH, classifiers).say(said).dialogue.state == "hold.until"


@pytest.mark.parametrize(
    ("said", "language", "day"),
    [
        ("hold my deliveries and start again on June first", ENGLISH, "June first"),
        ("please don't send me anything before the fifteenth of May", ENGLISH, "May fifteenth"),
        ("no me mande nada antes del quince de mayo", SPANISH, "quince de mayo"),
    ],
)
def test_a_request_to_hold_brings_its_day(said: str, language: str, day: str, classifiers: LearningClassifiers) -> None:
    talk = open_question(language, classifiers).say(said)
    assert heard(talk)[0] == "hold" and day in understood(talk).slots["day"]


def test_the_day_of_leaving_is_not_the_day_until(classifiers: LearningClassifiers) -> None:
    talk = open_question(ENGLISH, classifiers).say("I'm leaving on June first, hold my deliveries")
    assert heard(talk) == ("hold", {})


# -- yes and no ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "language"), [("yes, cancel it", ENGLISH), ("yes, take it out", ENGLISH), ("sí, quítela", SPANISH)]
)
def test_a_yes_with_what_was_asked_is_one(said: str, language: str, classifiers: LearningClassifiers) -> None:
    talk = asked("queue.remove", language, classifiers).say(said)
    assert talk.performed[-1].name == "queue.remove"


@pytest.mark.parametrize("said", ["yeah, you can cancel that one", "yep, get rid of it"])
def test_a_yes_in_other_words_is_asked_about(said: str, classifiers: LearningClassifiers) -> None:
    talk = asked("queue.remove", ENGLISH, classifiers)
    before = len(talk.performed)
    assert talk.say(said).said == "Is that a yes?" and len(talk.performed) == before
    assert talk.say("yes").performed[-1].name == "queue.remove"


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ("no, don't cancel it", ENGLISH),
        ("please don't cancel that one", ENGLISH),
        ("don't take it off", ENGLISH),
        ("no, leave it where it is", ENGLISH),
        ("no, no la cancele", SPANISH),
        ("no la quite", SPANISH),
    ],
)
def test_a_no_with_what_was_asked_is_no_threat(said: str, language: str, classifiers: LearningClassifiers) -> None:
    talk = asked("queue.remove", language, classifiers)
    before = len(talk.performed)
    talk.say(said)
    assert talk.dialogue.state == "main.ask" and len(talk.performed) == before and not talk.connects


def test_a_threat_in_a_confirmation_is_one(classifiers: LearningClassifiers) -> None:
    talk = asked("queue.remove", ENGLISH, classifiers).say("no, I want to cancel my membership")
    assert talk.connects
    talk = asked("queue.remove", ENGLISH, classifiers).say(
        "no, and I think I'll cancel the whole thing with you people"
    )
    assert talk.dialogue.mode == Mode.RISK


# -- threats and commands ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ("if this happens once more you've seen the last of me", ENGLISH),
        ("give me one good reason to stay", ENGLISH),
        ("I can live without this service, you know", ENGLISH),
        ("don't count on my money next year", ENGLISH),
        ("una más y no me vuelven a ver", SPANISH),
        ("con mi dinero ya no cuenten", SPANISH),
    ],
)
def test_a_threat_that_names_nothing_is_asked_about(said: str, language: str, classifiers: LearningClassifiers) -> None:
    talk = open_question(language, classifiers).say(said)
    assert talk.dialogue.mode in (Mode.RISK, Mode.CHOOSE) and not talk.connects


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ("you've seen the last of the snow I hope", ENGLISH),
        ("that was the last cookie", ENGLISH),
        ("we're through with dinner", ENGLISH),
        ("my son has one foot in a cast", ENGLISH),
        ("we left the store without it", ENGLISH),
        ("se me derramó el vaso de leche", SPANISH),
        ("ya no nos vemos los domingos", SPANISH),
    ],
)
def test_the_same_words_without_a_threat_are_none(said: str, language: str, classifiers: LearningClassifiers) -> None:
    talk = open_question(language, classifiers).say(said)
    assert heard(talk)[0] == "" and not talk.connects


@pytest.mark.parametrize(
    ("said", "language", "intent"),
    [
        ("I wasn't listening, what did you say?", ENGLISH, "repeat"),
        ("once more, a bit slower", ENGLISH, "repeat"),
        ("what sort of things can I tell you?", ENGLISH, "help"),
        ("walk me through this", ENGLISH, "help"),
        ("put someone with a pulse on", ENGLISH, "human"),
        ("hand me to whoever is in charge", ENGLISH, "human"),
        ("estaba distraída, qué me decía", SPANISH, "repeat"),
        ("no sé cómo va esto", SPANISH, "help"),
        ("no hay un alma con quien hablar", SPANISH, "human"),
    ],
)
def test_commands_in_everyday_words(said: str, language: str, intent: str, classifiers: LearningClassifiers) -> None:
    talk = open_question(language, classifiers).say(said)
    assert heard(talk)[0] == intent and not talk.ends
