"""What an RTP session tells the line by the clock, and that its parts stay cheap to get at."""

from __future__ import annotations

from ivr.media.description import Direction
from ivr.media.process.codec import PCMU
from ivr.media.wire import Kind
from tests.unit.media.process.conversation import Conversation


def told(conversation: Conversation, kind: Kind) -> list[object]:
    return [said for each, _, said in conversation.said if each is kind]


def test_every_part_that_a_tick_touches_has_its_attributes_in_place() -> None:
    session = Conversation().join().session
    parts = [session.receiver, session.sender, session.transport, session.transport.latch, session]
    parts += [
        session.receiver.jitter,
        session.receiver.reception,
        session.sender.gaps,
        session.sender.relay,
        session.sender.queue,
    ]
    assert [type(part).__name__ for part in parts if hasattr(part, "__dict__")] == []


def test_silence_is_told_once_when_it_is_over_time_and_again_after_the_far_end_was_heard() -> None:
    conversation = Conversation()
    party = conversation.join()
    session = party.session

    def watched(seconds: float) -> int:
        for _ in range(round(seconds * 50)):
            conversation.now += 0.02
            session.watch(conversation.now)
        return len(told(conversation, Kind.TIMEOUT))

    party.aim()
    conversation.arrives(party, PCMU.silence)
    assert watched(29.9) == 0
    assert watched(0.2) == 1
    assert watched(60.0) == 1
    conversation.arrives(party, PCMU.silence)
    assert watched(29.9) == 1
    assert watched(0.2) == 2
    assert len(told(conversation, Kind.HEARD)) == 1


def test_a_far_end_that_is_on_hold_may_be_silent_until_it_is_to_speak_again() -> None:
    conversation = Conversation()
    party = conversation.join()
    conversation.arrives(party, PCMU.silence)
    party.session.watch(conversation.now)
    party.aim(Direction.INACTIVE)
    for now in (conversation.now + 31.0, conversation.now + 90.0):
        party.session.watch(now)
    assert told(conversation, Kind.TIMEOUT) == []
    party.aim()
    party.session.watch(conversation.now + 91.0)
    assert len(told(conversation, Kind.TIMEOUT)) == 1
