"""Taps: everything that came in, without gaps, two legs in step."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from ivr.media import wire
from ivr.media.description import G722, PCMA, PCMU, Codec
from ivr.media.process.codec import FRAME, Samples, coder
from ivr.media.process.tap import CHUNK, Chunk, Tap
from tests.unit.media.process.conversation import TICK_S, Conversation, Party, tone


def tapped(
    conversation: Conversation, taps: dict[Party, Tap], frames: int, *speakers: Party
) -> dict[Party, list[Chunk]]:
    """What the taps hand on in so many ticks, at the end all of it."""
    found: dict[Party, list[Chunk]] = {party: [] for party in taps}
    for index in range(frames):
        conversation.goes_on(1, *speakers, said=tone(400, index + 1)[-FRAME:])
        for party, tap in taps.items():
            session = party.session
            found[party] += tap.tick(session.receiver, session.sender.coder, conversation.now)
    for party, tap in taps.items():
        found[party] += tap.flush()
    return found


def heard(chunks: list[Chunk]) -> Samples:
    return np.concatenate([coder(chunk.codec).decode(chunk.payload) for chunk in chunks])


@pytest.mark.parametrize("relayed", [True, False])
@pytest.mark.parametrize(("codec", "name"), [(PCMU, "PCMU"), (PCMA, "PCMA"), (G722, "PCMU")])
def test_two_legs_are_in_step_whatever_comes_in(codec: Codec, name: str, relayed: bool) -> None:
    conversation = Conversation()
    one, other = conversation.join(codec), conversation.join(codec)
    if relayed:
        conversation.bridge(one, other)
    found = tapped(conversation, {one: Tap(1), other: Tap(38)}, 230, one)
    for chunks in found.values():
        assert {chunk.codec for chunk in chunks} == {name}
        assert len(heard(chunks)) == 230 * FRAME
        assert all(len(chunk.payload) == CHUNK * FRAME for chunk in chunks[1:-1]), "a second each"
        for before, after in pairwise(chunks):
            assert after.at - before.at == pytest.approx(len(before.payload) / FRAME * TICK_S)
    assert found[one][0].at == found[other][0].at
    assert found[one][0].payload[:1] and len(found[one][0].payload) != len(found[other][0].payload), "not both at once"
    assert abs(heard(found[one])[-100 * FRAME :]).max() > 7000
    assert abs(heard(found[other])).max() < 50


def test_losses_are_filled() -> None:
    conversation = Conversation()
    one = conversation.join()
    taps = {one: Tap(0)}
    before = tapped(conversation, taps, 20, one)[one]
    conversation.loses(one)
    after = tapped(conversation, taps, 1)[one] + tapped(conversation, taps, 20, one)[one]
    assert len(heard(before + after)) == 41 * FRAME
    assert all(abs(heard(after)[i : i + 80]).max() > 4000 for i in range(0, 15 * FRAME, 80)), "concealed, not silent"


def test_another_codec_begins_another_chunk() -> None:
    conversation = Conversation()
    one = conversation.join()
    tap = Tap(0)
    chunks = tapped(conversation, {one: tap}, 10, one)[one]
    one.codec, one.coder = PCMA, coder("PCMA")
    one.aim()
    chunks += tapped(conversation, {one: tap}, 20, one)[one]
    assert chunks[0].codec == "PCMU" and chunks[-1].codec == "PCMA"
    assert sum(len(chunk.payload) for chunk in chunks) == 30 * FRAME


def test_on_the_wire() -> None:
    assert wire.parse_tapped(wire.tapped("PCMA", b"\x01\x02", 12.5)) == ("PCMA", b"\x01\x02", 12.5)
