import struct

import pytest

from ivr.softphone.dtmf_sender import DtmfEvent, DtmfSender


def audio(number: int) -> bytes:
    """Packet ``number`` of a stream as pyVoIP writes it."""
    return struct.pack("!BBHII", 0x80, 0, 100 + number, 5000 + 160 * number, 777) + b"\xff" * 160


def sent(sender: DtmfSender, count: int) -> list[bytes]:
    return [sender.replace(audio(number)) for number in range(count)]


def events(packets: list[bytes]) -> list[tuple[int, DtmfEvent]]:
    return [(struct.unpack("!I", p[4:8])[0], DtmfEvent.from_bytes(p[12:])) for p in packets if p[1] & 0x7F == 101]


def test_audio_passes_untouched_without_a_key() -> None:
    assert sent(DtmfSender(101), 3) == [audio(0), audio(1), audio(2)]


def test_a_key_is_one_event_in_the_streams_own_sequence() -> None:
    sender = DtmfSender(101)
    sender.press(1, "5", hold_ms=100, gap_ms=40)
    packets = sent(sender, 12)
    headers = [struct.unpack("!BBHII", p[:12]) for p in packets]
    assert [header[2] for header in headers] == list(range(100, 112))
    assert {header[4] for header in headers} == {777}
    found = events(packets)
    assert len(found) == 7
    assert {timestamp for timestamp, _ in found} == {5000}
    assert [event.duration for _, event in found] == [160, 320, 480, 640, 800, 800, 800]
    assert [event.end for _, event in found] == [False] * 4 + [True] * 3
    assert [bool(p[1] & 0x80) for p in packets[:7]] == [True] + [False] * 6
    assert packets[7:] == [audio(n) for n in range(7, 12)]
    assert sender.finished() == [1]
    assert not sender.busy


def test_two_keys_are_two_events_apart() -> None:
    sender = DtmfSender(96)
    sender.press(7, "*0", hold_ms=40, gap_ms=60)
    packets = sent(sender, 20)
    starts = [n for n, p in enumerate(packets) if p[1] == 0x80 | 96]
    assert starts == [0, 7]
    assert [DtmfEvent.from_bytes(packets[n][12:]).key for n in starts] == ["*", "0"]
    assert packets[4:7] == [audio(4), audio(5), audio(6)]
    assert sender.finished() == [7]
    assert sender.finished() == []


@pytest.mark.parametrize(("payload_type", "keys"), [(None, "0"), (101, "x"), (101, "")])
def test_what_cannot_be_sent_is_refused(payload_type: int | None, keys: str) -> None:
    sender = DtmfSender(payload_type)
    with pytest.raises(ValueError):
        sender.press(1, keys)
    assert not sender.busy


@pytest.mark.parametrize("payload", [b"", b"\x01\x80", b"\x10\x0a\x00\xa0"])
def test_what_is_no_key_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError):
        DtmfEvent.from_bytes(payload)
