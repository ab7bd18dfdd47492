"""The wait verb: told where they stand, heard all the while, and every way out of the line and back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import pytest

from ivr.dialogue.engine.contract import (
    AgentComing,
    Agitated,
    AskPlace,
    Disconnect,
    HandoffDone,
    Listen,
    Music,
    PartFailed,
    PlaceTold,
    Record,
)
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.state import State
from ivr.record import Decided
from tests.unit.dialogue.talk import SIGNATURES, Talk, made, small

HUMAN = """
flow: human
start: line
intents:
  call_back: [call me back]
  on: [go on with the machine]
  where: [how long does it take]
  quiet: [no music]
  music: [play music]
states:
  line:
    prompt: {1: "I get you a person.", 2: "And again."}
    wait:
      reason: asked
      every: 30s
      music: harp
      again: "Back again."
      told:
        1: [{if: "wait.position", say: "Number {wait.position}."}, {if: "wait.minutes", say: "Under {wait.minutes}."}]
        2: [{if: "wait.position", say: "Now {wait.position}."}]
    choices:
      - {intent: call_back, key: 1, label: "a call back", goto: bye, say: "Gladly."}
      - {intent: on, key: 2, label: "going on", goto: machine, say: "Kept."}
      - {intent: where, key: 3, label: "your place", goto: place}
      - {intent: quiet, key: 4, label: "quiet", goto: quiet, say: "Hush."}
      - {intent: music, key: 5, label: "music", goto: music}
    on: {closed: bye, failed: bye, dropped: {goto: line, say: "It broke."}}
  bye: {prompt: "Bye.", end: closed}
"""


@lru_cache(maxsize=1)
def flows() -> FlowLibrary:
    sources = {n: t for n, t in small().sources.items() if n != "resume.yaml"}
    return made({**sources, "human.yaml": HUMAN}, SIGNATURES)


def waiting(facts: Mapping[str, object] | None = None, **given: bool) -> Talk:
    """In the line already, and told so."""
    talk = Talk(flows(), facts=facts, **given).key("0")  # type: ignore[arg-type]
    assert talk.dialogue.mode == "wait" and talk.dialogue.waiting == "human"
    return talk


def place(talk: Talk, position: int, minutes: int = 0, **how: bool) -> Talk:
    return talk.send(PlaceTold(talk.connect.token, position, minutes, **how))


def of(talk: Talk, kind: type) -> list[object]:
    return [effect for effect in talk.last if isinstance(effect, kind)]


def test_entering_takes_a_place_and_listens() -> None:
    talk = waiting()
    assert talk.said == "I get you a person."
    connect = talk.connect
    assert (connect.reason, connect.skill, connect.priority, connect.waits) == ("asked", "general", 5, True)
    assert (connect.music, connect.every_s) == ("harp", 30.0)
    assert talk.listen.timeout_s is None and talk.listen.hotword


def test_where_they_stand_is_said_as_far_as_it_is_known() -> None:
    talk = waiting()
    assert place(talk, 3, 5).said == "Number three. Under five."
    assert place(talk, 2, 4).said == "Now two."
    assert place(talk, 0, 4).said == "", "nothing true can be said of the place"
    assert place(talk, 0, 0, asked=True).said.startswith("I can't tell yet")
    decided = [e.what for e in talk.effects if isinstance(e, Record) and isinstance(e.what, Decided)]
    told = [each.value for each in decided if each.what == "place"]
    assert told == [3, 2, 0]


def test_who_is_back_hears_so_first() -> None:
    assert place(waiting(), 2, again=True).said == "Back again. Number two."


def test_repeat_says_the_place_again() -> None:
    talk = place(waiting(), 2)
    assert talk.say("repeat").said == "Number two."


@pytest.mark.parametrize("words", ["agent", "how long does it take", "go back", "start over"])
def test_the_place_is_asked_for_and_nothing_is_lost(words: str) -> None:
    talk = waiting().say(words)
    assert of(talk, AskPlace) == [AskPlace(talk.connect.token)]
    assert not of(talk, Disconnect) and len(talk.connects) == 1
    assert (talk.dialogue.state, talk.dialogue.mode) == ("human.line", "wait")


def test_music_and_quiet_stay_in_the_line() -> None:
    talk = waiting()
    assert of(talk.say("no music"), Music) == [Music(talk.connect.token, False)] and talk.said == "Hush."
    assert of(talk.key("5"), Music) == [Music(talk.connect.token, True)]
    assert talk.dialogue.mode == "wait"


def test_a_choice_that_leaves_keeps_the_place() -> None:
    talk = waiting().say("call me back")
    assert of(talk, Disconnect) == [Disconnect(talk.connect.token, "away")]
    assert talk.said == "Gladly. Bye."


def test_goodbye_gives_the_place_up() -> None:
    talk = waiting().say("goodbye")
    assert of(talk, Disconnect) == [Disconnect(talk.connect.token, "done")] and talk.ends


def test_on_with_the_machine_is_the_question_they_came_from() -> None:
    talk = waiting().key("2")
    assert talk.said == "Kept. Anything else?" and talk.dialogue.state == "titles.menu"
    assert talk.say("what's in my queue").performed, "and it is a call like any other"
    assert talk.key("0").said == "And again."
    assert len(talk.connects) == 2


def test_silence_and_noise_mean_nothing_but_the_keys_once() -> None:
    talk = waiting()
    for _ in range(5):
        assert talk.silence().said == ""
    assert talk.say("colourless green ideas").said == ""
    assert "For a call back, press one." in talk.say("sleep furiously").said
    assert "zero" not in talk.said, "who waits for a person need not be told how to get one"
    assert talk.say("and again").said == "" and talk.dialogue.mode == "wait"


def test_a_worried_word_is_the_same_place_with_more_weight() -> None:
    talk = waiting().say("i want to cancel my membership")
    first, second = talk.connects
    assert (second.reason, second.priority, second.skill) == ("thinking of cancelling", 9, "retention")
    assert not of(talk, Disconnect) and of(talk, AskPlace) == [AskPlace(second.token)]
    assert place(talk, 1).said == "Number one."
    assert talk.send(PlaceTold(first.token, 7)).last == [], "what is told of the first is late"


def test_an_upset_voice_is_told_to_the_line_once() -> None:
    talk = waiting()
    talk.send(Agitated("louder")).send(Agitated("faster")).send(Agitated("louder"))
    assert [connect.skill for connect in talk.connects] == ["general", "retention"]


def test_an_agent_who_comes_is_not_talked_over_and_may_go_again() -> None:
    talk = waiting()
    talk.send(AgentComing(talk.connect.token))
    assert talk.dialogue.mode == ""
    assert place(talk, 1).said == "Number one." and of(talk, Listen), "nobody came: they are listened to again"
    talk.send(AgentComing(talk.connect.token))
    assert talk.answer("connected").dialogue.ended and talk.dialogue.outcome == "handoff"
    assert talk.answer("dropped").said == "It broke. And again."


@pytest.mark.parametrize("outcome", ["closed", "failed"])
def test_what_comes_of_it_takes_its_edge(outcome: str) -> None:
    talk = waiting().answer(outcome)
    assert talk.said == "Bye." and not of(talk, Disconnect), "there is nothing left to leave"


def test_an_agent_gives_the_caller_back_to_the_machine() -> None:
    talk = waiting()
    talk.answer("connected")
    assert talk.send(HandoffDone(talk.connect.token, "machine")).dialogue.state == "titles.menu"


@pytest.mark.parametrize("part", ["recogniser", "synthesiser"])
def test_a_broken_part_leaves_them_in_the_line_with_the_keys(part: str) -> None:
    talk = waiting().send(PartFailed(part))
    assert "press one" in talk.said and talk.dialogue.mode == "wait" and not of(talk, Disconnect)
    assert talk.key("3").last and of(talk, AskPlace)


def test_a_broken_store_changes_nothing() -> None:
    talk = waiting().send(PartFailed("store"))
    assert talk.dialogue.mode == "wait" and not of(talk, Disconnect)


def test_another_language_is_spoken_in_the_line() -> None:
    talk = waiting().say("spanish")
    assert of(talk, AskPlace) and talk.dialogue.language == "es-ES" and talk.dialogue.mode == "wait"


def test_led_by_keys_the_keys_are_said_at_once() -> None:
    talk = waiting(keys_led=True)
    assert "For a call back, press one." in talk.said


def test_wait_in_an_action_is_what_it_was() -> None:
    action = State.model_validate({"action": "queue.read", "wait": "One moment."})
    assert action.kinds == ("action",) and action.line is None and action.one_moment
    tapered = State.model_validate({"action": "queue.read", "wait": {1: "One moment.", 2: "And one more."}})
    assert tapered.one_moment is not None and set(tapered.one_moment) == {1, 2}
    item = State.model_validate({"action": "queue.read", "wait": {"say": "One moment.", "audio": "moment"}})
    assert item.one_moment is not None and item.kinds == ("action",)


def test_a_call_that_ends_late_is_no_matter() -> None:
    talk = waiting().key("1")
    assert talk.answer("connected").last == []
