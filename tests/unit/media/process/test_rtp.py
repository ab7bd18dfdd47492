"""RTP and RTCP packets: built, parsed, and never raising over rubbish."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ivr.media.process import rtcp
from ivr.media.process.rtp import Packet, build, parse, sequence_ahead, timestamp_ahead

packets = st.builds(
    Packet,
    st.integers(0, 127),
    st.booleans(),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=200),
)


@given(packets)
def test_what_is_built_is_parsed(packet: Packet) -> None:
    assert parse(build(packet)) == packet


@given(packets, st.integers(0, 15), st.binary(max_size=40), st.integers(1, 20))
def test_padding_extension_and_sources_are_skipped(packet: Packet, sources: int, extra: bytes, padding: int) -> None:
    extra = extra[: len(extra) // 4 * 4]
    plain = build(packet)
    head = bytes([0x80 | 0x30 | sources]) + plain[1:12] + b"\1\2\3\4" * sources
    head += b"\xbe\xde" + (len(extra) // 4).to_bytes(2, "big") + extra
    tail = b"\0" * (padding - 1) + bytes([padding])
    assert parse(head + packet.payload + tail) == packet


@given(st.binary(max_size=300))
def test_rubbish_is_refused_quietly(data: bytes) -> None:
    packet = parse(data)
    assert packet is None or (data[0] >> 6 == 2 and len(packet.payload) <= len(data) - 12)


@given(st.integers(0, 0xFFFF), st.integers(-32768, 32767))
def test_sequence_numbers_wrap(start: int, step: int) -> None:
    assert sequence_ahead((start + step) & 0xFFFF, start) == step


@given(st.integers(0, 0xFFFFFFFF), st.integers(-(1 << 31), (1 << 31) - 1))
def test_timestamps_wrap(start: int, step: int) -> None:
    assert timestamp_ahead((start + step) & 0xFFFFFFFF, start) == step


blocks = st.builds(
    rtcp.ReportBlock,
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 255),
    st.integers(0, 0xFFFFFF),
    *[st.integers(0, 0xFFFFFFFF)] * 4,
)


@given(
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, (1 << 64) - 1),
    st.lists(blocks, max_size=3),
    st.text(max_size=80),
    st.booleans(),
)
def test_reports_survive_the_wire(ssrc: int, ntp: int, some: list[rtcp.ReportBlock], cname: str, bye: bool) -> None:
    counts = (7, 9) if ntp else (0, 0)
    report = rtcp.Report(ssrc, ntp, *counts, tuple(some))
    data = rtcp.build(report, 5, cname, bye=bye)
    assert len(data) % 4 == 0
    assert list(rtcp.parse(data)) == [report]


@given(st.binary(max_size=300))
def test_rtcp_rubbish_is_refused_quietly(data: bytes) -> None:
    for report in rtcp.parse(data):
        assert len(report.blocks) <= 31


def test_loss_and_jitter_are_those_of_the_rfc() -> None:
    seen = rtcp.Reception()
    seen.begin(5, 65530)
    lost = {3, 7, 8}
    for index in range(20):
        if index not in lost:
            delay = 0.005 if index % 2 else 0.0
            seen.packet((65530 + index) & 0xFFFF, index * 160, index * 0.02 + delay)
    assert seen.lost == 3
    assert seen.total == 17
    block = seen.block(0, 0)
    assert block.lost == 3
    assert block.fraction == 3 * 256 // 20
    assert block.highest == 0x10000 + 65530 + 19
    # every second packet 5 ms (40 ticks) late: the estimate (gain 1/16) is on its way there
    assert 15 < seen.jitter < 40
    assert seen.block(0, 0).fraction == 0


def test_a_new_source_keeps_the_totals() -> None:
    seen = rtcp.Reception()
    seen.begin(1, 10)
    seen.packet(10, 0, 0.0)
    seen.packet(12, 320, 0.04)
    seen.begin(2, 500)
    seen.packet(500, 0, 0.06)
    assert (seen.lost, seen.total, seen.expected) == (1, 3, 1)


def test_round_trip_time() -> None:
    sent = rtcp.ntp_time(1_700_000_000.0)
    block = rtcp.ReportBlock(1, 0, 0, 0, 0, rtcp.middle(sent), int(0.5 * 65536))
    trip = rtcp.round_trip_s(block, rtcp.ntp_time(1_700_000_000.75))
    assert trip is not None
    assert abs(trip - 0.25) < 0.001
    assert rtcp.round_trip_s(rtcp.ReportBlock(1, 0, 0, 0, 0, 0, 0), sent) is None
    ahead = rtcp.ReportBlock(1, 0, 0, 0, 0, rtcp.middle(sent) + 70000, 0)
    assert rtcp.round_trip_s(ahead, sent) is None
