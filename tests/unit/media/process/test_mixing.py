"""Who hears whom: sums, saturation, whispers, and legs that come and go."""

from __future__ import annotations

import numpy as np

from ivr.media.description import G722, PCMA
from ivr.media.process.codec import FRAME, RATE, Coder, Samples
from ivr.media.process.mixing import Mix, sum_up
from tests.unit.media.process.conversation import Conversation, Party, tone


class Said:
    """A voice."""

    def __init__(self, signal: Samples | None) -> None:
        self.signal = signal
        self.payload: bytes | None = None
        self.coder: Coder | None = None


def level(party: Party, frequency: float) -> float:
    """Of ``frequency`` in the last 100 ms that its far end got, as an amplitude."""
    basis = np.exp(-2j * np.pi * frequency * np.arange(5 * FRAME) / RATE)
    return float(abs(np.dot(party.heard(5), basis))) / (2.5 * FRAME)


def talk(conversation: Conversation, frames: int, tones: dict[Party, float]) -> None:
    """All at once, each a tone of its own (whole periods in 20 ms)."""
    for index in range(frames):
        for party, frequency in tones.items():
            signal = tone(frequency, frames)[index * FRAME : (index + 1) * FRAME]
            conversation.arrives(party, party.coder.encode(signal))
        conversation.tick()


def test_sums_saturate_and_who_is_silent_counts_for_nothing() -> None:
    high, low = np.full(FRAME, 30000, np.int16), np.full(FRAME, -30000, np.int16)
    small = np.arange(FRAME, dtype=np.int16)
    loud, down = Mix([Said(high), Said(high), Said(small)]), Mix([Said(low), Said(None), Said(low)])
    both, one, none = Mix([Said(high), Said(low)]), Mix([Said(None), Said(small)]), Mix([Said(None), Said(None)])
    sum_up([loud, one, down, none, both])
    assert loud.signal is not None and (loud.signal == 32767).all()
    assert down.signal is not None and (down.signal == -32768).all()
    assert both.signal is not None and not both.signal.any()
    assert one.signal is small and none.signal is None
    sum_up([])


def test_three_hear_the_two_others_whatever_their_codecs() -> None:
    conversation = Conversation()
    parties = [conversation.join(), conversation.join(PCMA), conversation.join(G722)]
    tones = dict(zip(parties, (400.0, 600.0, 900.0), strict=True))
    for party in parties:
        conversation.hear(party, *(other for other in parties if other is not party))
    talk(conversation, 30, tones)
    for party in parties:
        for speaker, frequency in tones.items():
            assert (level(party, frequency) > 5000) == (speaker is not party), (party.codec, frequency)


def test_a_supervisor_hears_both_and_is_heard_by_one() -> None:
    conversation = Conversation()
    caller, agent, supervisor = conversation.join(), conversation.join(), conversation.join()
    tones = {caller: 400.0, agent: 600.0, supervisor: 900.0}
    conversation.bridge(caller, agent)
    conversation.hear(supervisor, caller, agent)
    talk(conversation, 20, tones)
    assert level(supervisor, 400) > 5000 and level(supervisor, 600) > 5000
    assert level(agent, 900) < 300 and level(caller, 900) < 300
    assert caller.session.relaying and agent.session.relaying, "which costs the two nothing"
    conversation.hear(agent, caller, supervisor)
    talk(conversation, 30, tones)
    assert level(agent, 900) > 5000 and level(agent, 400) > 5000
    assert level(caller, 900) < 300 and level(caller, 600) > 5000


def test_who_closes_is_heard_no_more_and_hears_nobody() -> None:
    conversation = Conversation()
    caller, agent, third = conversation.join(), conversation.join(), conversation.join()
    for party in (caller, agent, third):
        conversation.hear(party, *(other for other in (caller, agent, third) if other is not party))
    talk(conversation, 10, {caller: 400.0, agent: 600.0, third: 900.0})
    third.session.close(conversation.now)
    conversation.parties.remove(third)
    assert third.session not in (*caller.session.hears, *agent.session.hears)
    assert caller.session.hearers == {agent.session} and not third.session.hearers
    talk(conversation, 60, {caller: 400.0, agent: 600.0})
    assert level(caller, 600) > 5000 and level(caller, 900) < 300
    assert caller.session.relaying and agent.session.relaying, "two are left: they are relayed"
    agent.session.close(conversation.now)
    conversation.parties.remove(agent)
    talk(conversation, 10, {caller: 400.0})
    assert level(caller, 600) < 300


def test_a_whisper_is_heard_over_the_sum() -> None:
    conversation = Conversation()
    parties = [conversation.join(), conversation.join(), conversation.join()]
    for party in parties:
        conversation.hear(party, *(other for other in parties if other is not party))
    tones = dict(zip(parties, (400.0, 600.0, 900.0), strict=True))
    talk(conversation, 20, tones)
    parties[0].play(1, 10, 1500)
    talk(conversation, 8, tones)
    assert level(parties[0], 1500) > 6000
    assert 2500 < level(parties[0], 600) < 5000, "the voices at half their level under it"
    assert level(parties[1], 1500) < 300
