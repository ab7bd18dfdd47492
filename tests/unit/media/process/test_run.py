"""Packets that come one after the other, as nearly all do, are counted like any others; anything else ends them."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from ivr.media.description import PCMU, MediaDescription
from ivr.media.process.codec import FRAME
from ivr.media.process.receiver import Receiver
from ivr.media.process.rtp import Packet, build

FAR, STRANGER = ("192.0.2.7", 4000), ("203.0.113.66", 6666)
WRAPS = 0xFFFFFFFF - 20 * FRAME, 0xFFFF - 15  # timestamp and number: both begin anew on the way


def receiver() -> Receiver:
    made = Receiver(("PCMU",), lambda change, source: None)
    made.aim(MediaDescription(*FAR, (PCMU,), 101), 0.0)
    return made


def state(of: Receiver, now: float) -> object:
    counts, jitter = of.reception, of.jitter
    figures = (counts.total, counts.lost, counts.highest, round(counts.jitter, 6), round(counts.transit or 0.0, 3))
    return figures, jitter.late, jitter.delay_frames(), of.heard_at, of.latch.latched, of.latch.heard_at


steps = st.lists(
    st.sampled_from(["next"] * 12 + ["lost", "again", "late", "marked", "stranger", "stream", "key", "longer", "aim"]),
    min_size=5,
    max_size=80,
)


@given(steps, st.integers(0, 1000))
def test_who_counts_packets_in_a_run_comes_to_what_counting_each_does(sent: list[str], seed: int) -> None:
    """The one has runs, the other ends each at once: everything they know and play is the same."""
    one, each = receiver(), receiver()
    random = Random(seed)
    (timestamp, number), ssrc, now = WRAPS, 7, 10.0
    held: Packet | None = None
    for step in sent:
        now += 0.02 + random.uniform(-0.004, 0.004)
        payload, source, kind = bytes([random.randrange(256)]) * (2 * FRAME if step == "longer" else FRAME), FAR, 0
        if step == "stream":
            ssrc, number, timestamp = ssrc + 1, random.randrange(0x10000), random.getrandbits(32)
        if step == "stranger":
            source = STRANGER
        if step == "key":
            kind, payload = 101, b"\x05\x0a\x00\xa0"
        packet = Packet(kind, step == "marked", number, timestamp, ssrc, payload)
        packets = [packet]
        if step == "lost":
            packets = []
        elif step == "again":
            packets = [packet, packet]
        elif step == "late":
            packets, held = [], packet
        elif held is not None:
            packets, held = [packet, held], None
        if source == FAR:
            number = (number + 1) & 0xFFFF
            timestamp = (timestamp + (len(payload) if kind == 0 else 0)) & 0xFFFFFFFF
        for receives in (one, each):
            if step == "aim":
                receives.aim(MediaDescription(*FAR, (PCMU,), 101), now)
            for what in packets:
                receives.datagram(build(what), source, now)
        each._end_run()
        one.tick()
        each.tick()
        assert one.payload == each.payload
        if random.random() < 0.2:
            assert state(one, now) == state(each, now)
    assert state(one, now) == state(each, now)


def test_packets_of_a_run_are_in_every_figure_that_is_asked_for() -> None:
    receives = receiver()
    for count in range(1, 101):
        receives.datagram(build(Packet(0, False, count, count * FRAME, 7, bytes(FRAME))), FAR, 10.0 + count * 0.02)
        assert receives.reception.total == count
    receives.datagram(build(Packet(0, False, 103, 103 * FRAME, 7, bytes(FRAME))), FAR, 12.06)
    assert (receives.reception.total, receives.reception.lost) == (101, 2)
    assert receives.heard_at == 12.06
