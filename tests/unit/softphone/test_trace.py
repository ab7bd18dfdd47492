import struct
import wave
from pathlib import Path

import numpy as np
import pytest

from ivr.softphone.dtmf_sender import DtmfEvent
from ivr.softphone.g711 import encode
from ivr.softphone.trace import RtpPacket, Trace, level_db


def rtp(number: int, *, kind: int = 0, payload: bytes = b"\xff" * 160, start: int = 4294967000, ssrc: int = 9) -> bytes:
    timestamp = (start + 160 * number) % 2**32
    return struct.pack("!BBHII", 0x80, kind, number % 65536, timestamp, ssrc) + payload


def tone(number: int) -> bytes:
    return encode((np.full(160, 1000 + number)).astype("<i2").tobytes())


def test_parses_what_rfc_3550_allows() -> None:
    plain = rtp(1)
    packet = RtpPacket.from_bytes(plain, 1.5)
    assert (packet.at, packet.sequence, packet.ssrc, len(packet.payload)) == (1.5, 1, 9, 160)
    csrc = bytes([0x81]) + plain[1:12] + b"cccc" + plain[12:]
    extended = bytes([0x90]) + plain[1:12] + struct.pack("!HH", 1, 2) + b"8" * 8 + plain[12:]
    padded = bytes([0xA0]) + plain[1:] + b"\0\0\x03"
    for data in (csrc, extended, padded):
        assert RtpPacket.from_bytes(data, 0).payload == packet.payload


@pytest.mark.parametrize("data", [b"", b"\x80" * 11, b"\x40" + b"\0" * 20])
def test_refuses_what_is_not_rtp(data: bytes) -> None:
    with pytest.raises(ValueError):
        RtpPacket.from_bytes(data, 0)


def test_levels() -> None:
    assert level_db(np.zeros(160, dtype=np.int16)) == -100
    assert level_db(np.full(160, 3277, dtype=np.int16)) == pytest.approx(-20, abs=0.01)


def test_network_jitter_does_not_reach_the_recording() -> None:
    """Packets that arrive 0 to 60 ms late, across the wrap of the RTP clock, make one unbroken tone."""
    trace = Trace(100.0)
    late = np.random.default_rng(4).uniform(0, 0.06, 50)
    late[0] = 0
    for number in range(50):
        trace.add(RtpPacket.from_bytes(rtp(number, payload=tone(0)), 100.5 + 0.02 * number + late[number]), sent=False)
    heard = trace.stereo()[:, 1]
    assert np.all(heard[:4000] == 0)
    assert np.all(np.abs(heard[4000:12000] - 1000.0) < 40)
    assert len(heard) == 12000


def test_reordered_packets_are_put_right() -> None:
    trace = Trace(0.0)
    for place, number in enumerate([0, 2, 1, 3]):
        trace.add(RtpPacket.from_bytes(rtp(number, payload=tone(100 * number)), 0.02 * place), sent=False)
    middles = trace.stereo()[80::160, 1].astype(int)
    assert list(middles) == sorted(middles)
    assert len(set(middles)) == 4


def test_a_stream_that_paused_continues_on_the_wall_clock() -> None:
    """Some senders stop their RTP clock in silence: the recording then follows arrival."""
    trace = Trace(0.0)
    for number in range(20):
        at = 0.02 * number + (1.0 if number >= 10 else 0.0)
        trace.add(RtpPacket.from_bytes(rtp(number, payload=tone(0)), at), sent=True)
    said = trace.stereo()[:, 0]
    assert np.flatnonzero(np.diff((said > 0).astype(int))).tolist() == [1599, 9599]
    assert len(said) == 11200


def test_both_directions_share_one_clock(tmp_path: Path) -> None:
    trace = Trace(50.0)
    trace.add(RtpPacket.from_bytes(rtp(0, payload=tone(0)), 50.25), sent=True)
    trace.add(RtpPacket.from_bytes(rtp(7, payload=tone(0), ssrc=3), 50.75), sent=False)
    trace.save(tmp_path / "deep" / "call.wav")
    with wave.open(str(tmp_path / "deep" / "call.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
        both = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
    assert [int(np.flatnonzero(both[:, side])[0]) for side in (0, 1)] == [2000, 6000]


def test_a_key_is_told_once_however_often_its_packets_come() -> None:
    trace = Trace(0.0)
    trace.event_type = 101
    event = DtmfEvent("#", False, 160).to_bytes()
    for number in range(4):
        same = rtp(number, kind=101, payload=event, start=-160 * number % 2**32)
        assert trace.add(RtpPacket.from_bytes(same, 1 + 0.02 * number), sent=False) is None
    trace.add(RtpPacket.from_bytes(rtp(9, kind=101, payload=event), 2.0), sent=False)
    trace.add(RtpPacket.from_bytes(rtp(10, kind=101, payload=event), 3.0), sent=True)
    assert [(key.at, key.key) for key in trace.heard.keys] == [(1.0, "#"), (2.0, "#")]
    assert [key.at for key in trace.timeline.keys] == [3.0]
