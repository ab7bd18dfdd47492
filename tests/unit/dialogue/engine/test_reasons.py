"""Why a human is wanted: the most important reason stays, whatever comes after it, and nothing is lost."""

from __future__ import annotations

from ivr.dialogue.engine.contract import ActionDone, Agitated, PartFailed
from ivr.dialogue.engine.reasons import HandoffNeed, Reasons, Weight
from ivr.events import ActionResult
from ivr.record import Reason
from tests.unit.dialogue.talk import Talk

CANCEL = "thinking of cancelling"
SAID = "i want to cancel my membership"


def test_silence_does_not_make_a_caller_who_cancels_a_silent_one() -> None:
    talk = Talk().say(SAID).answer("failed").silence().silence().silence()
    assert len(talk.connects) == 2
    assert (talk.connect.reason, talk.connect.said) == (CANCEL, SAID)
    assert (talk.connect.skill, talk.connect.priority) == ("retention", 9)
    assert talk.connect.also == (Reason("silent"),)
    assert talk.dialogue.reason == CANCEL and talk.dialogue.also == (Reason("silent"),)


def test_nobody_is_rung_for_it_but_the_reason_is_known() -> None:
    talk = Talk(facts={"hours.open": False}).say(SAID)
    assert not talk.connects and talk.dialogue.reason == CANCEL


def test_a_risk_told_later_is_told_first() -> None:
    talk = Talk().say("agent").answer("failed").say("this is ridiculous").answer("failed").say(SAID)
    assert (talk.connect.reason, talk.connect.skill, talk.connect.priority) == (CANCEL, "retention", 9)
    assert talk.connect.also == (Reason("upset", "this is ridiculous"), Reason("asked", "agent"))


def test_who_asks_is_told_before_what_broke() -> None:
    talk = Talk(perform=False).say("put Vertigo first").send(PartFailed("store"))
    assert talk.connect.reason == "store failed"
    talk.answer("failed").key("0")
    assert (talk.connect.reason, talk.connect.priority) == ("asked", 7)
    assert talk.connect.also == (Reason("store failed"),)


def test_what_breaks_on_the_way_is_told_beside_it() -> None:
    talk = Talk().say(SAID).answer("failed").send(PartFailed("store"))
    assert (talk.connect.reason, talk.connect.also) == (CANCEL, (Reason("store failed"),))


def test_what_a_flow_says_of_a_failure_is_told_after_the_callers_wish() -> None:
    talk = Talk().send(ActionDone(0, ActionResult("failed")))
    assert talk.dialogue.reason == ""
    talk = Talk(perform=False).say("put Vertigo first")
    talk.send(ActionDone(talk.performed[0].token, ActionResult("failed"))).answer("failed")
    assert talk.connect.reason == "the queue is broken"
    talk.key("0")
    assert (talk.connect.reason, talk.connect.also) == ("asked", (Reason("the queue is broken"),))
    talk.answer("failed").say("i quit")
    assert (talk.connect.reason, talk.connect.skill) == (CANCEL, "retention")


def test_who_gets_upset_on_the_way_is_told_as_upset() -> None:
    talk = Talk().key("0").answer("failed").send(Agitated("louder")).send(Agitated("mashed keys"))
    assert len(talk.connects) == 1, "a human is on the way already"
    talk.key("0")
    assert talk.connect.reason == "upset (louder, mashed keys)" and talk.connect.also == (Reason("asked"),)
    assert talk.connect.skill == "retention"


def test_misunderstood_words_in_the_human_flow_are_no_reason_beside_a_risk() -> None:
    talk = Talk().say(SAID).answer("failed")
    for _ in range(3):
        talk.say("mumble jumble")
    assert talk.connect.reason == CANCEL and talk.connect.also == (Reason("not understood", "mumble jumble"),)


def test_the_order_is_the_same_however_they_come() -> None:
    needs = (
        HandoffNeed("cancel", "retention", 9, Weight.RISK),
        HandoffNeed("upset", "calm", 8, Weight.RISK),
        HandoffNeed("third damaged disc", "discs"),
        HandoffNeed("asked", weight=Weight.ASKED),
        HandoffNeed("store failed", weight=Weight.BROKEN),
        HandoffNeed("not understood", weight=Weight.NOT_UNDERSTOOD),
        HandoffNeed("silent", weight=Weight.SILENT),
    )
    for start in range(len(needs)):
        reasons = Reasons()
        for need in (*needs[start:], *needs[:start], HandoffNeed()):
            reasons = reasons.adding(need)
        assert reasons.needs == needs
        assert (reasons.first.skill, reasons.first.priority) == ("retention", 9)


def test_a_reason_told_twice_counts_once_with_its_first_words() -> None:
    asked = HandoffNeed("asked", weight=Weight.ASKED, said="agent")
    again = HandoffNeed("asked", weight=Weight.ASKED, priority=7, said="operator")
    assert Reasons().adding(asked).adding(again).needs == (HandoffNeed("asked", "", 7, Weight.ASKED, "agent"),)
