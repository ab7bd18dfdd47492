"""Keys as RTP telephone-events, both ways."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ivr.media.process.dtmf_event import EventReceiver, EventSender, KeyChange
from ivr.media.wire import KEYS


def body(key: str, duration: int, *, end: bool = False) -> bytes:
    return bytes([KEYS.index(key), (0x80 if end else 0) | 10]) + duration.to_bytes(2, "big")


def heard(packets: list[tuple[int, bytes]]) -> str:
    receiver = EventReceiver()
    changes = [receiver.packet(timestamp, payload) for timestamp, payload in packets]
    return "".join(change.key for change in changes if change is not None and change.began)


def pressed(keys: str, start: int = 1000) -> list[tuple[int, bytes]]:
    packets = []
    for index, key in enumerate(keys):
        timestamp = (start + 2000 * index) & 0xFFFFFFFF
        packets += [(timestamp, body(key, 160 * n)) for n in (1, 2, 3)]
        packets += [(timestamp, body(key, 480, end=True))] * 3
    return packets


@given(st.text(KEYS, max_size=12), st.integers(0, 0xFFFFFFFF), st.data())
def test_each_press_is_heard_once_whatever_is_lost_or_repeated(keys: str, start: int, data: st.DataObject) -> None:
    packets = []
    for index in range(len(keys)):
        press = pressed(keys, start)[6 * index : 6 * index + 6]
        kept = data.draw(st.lists(st.sampled_from(press), min_size=1, max_size=9))
        packets += kept
    assert heard(packets) == keys


def test_a_straggler_of_the_press_before_is_no_new_press() -> None:
    first, second = pressed("12")[:6], pressed("12")[6:]
    assert heard([*first[:4], second[0], first[5], second[1], first[4]]) == "12"


def test_a_long_press_in_segments_is_one_press() -> None:
    start = 5000
    packets = [(start, body("5", 0xFFFF)), (start + 0xFFFF, body("5", 160)), (start + 0xFFFF, body("5", 320, end=True))]
    assert heard(packets) == "5"


def test_a_sender_that_moves_its_timestamp_on_is_one_press() -> None:
    assert heard([(1000 + 160 * n, body("7", 160 * (n + 1))) for n in range(6)]) == "7"


def test_flash_and_rubbish_are_no_keys() -> None:
    receiver = EventReceiver()
    assert receiver.packet(1, bytes([16, 10, 0, 160])) is None
    assert receiver.packet(2, b"\1\2\3") is None
    assert receiver.packet(3, b"") is None


def test_a_press_whose_end_got_lost_ends_by_itself() -> None:
    receiver = EventReceiver()
    assert receiver.packet(1000, body("3", 160)) == KeyChange("3", True, False)
    changes = [receiver.tick() for _ in range(20)]
    assert [change for change in changes if change] == [KeyChange("3", False, True)]


@given(st.text(KEYS, min_size=1, max_size=6))
def test_what_is_sent_is_what_is_heard(keys: str) -> None:
    sender, receiver = EventSender(), EventReceiver()
    for key in keys:
        sender.press(key)
    began, ended, markers, tick = "", "", 0, 0
    while sender.busy:
        tick += 1
        packet = sender.next(tick * 160)
        if packet is None:
            continue
        markers += packet.marker
        change = receiver.packet(packet.timestamp, packet.payload)
        if change is not None:
            began += change.key if change.began else ""
            ended += change.key if change.ended else ""
    assert (began, ended, markers) == (keys, keys, len(keys))


def test_a_held_key_lasts_until_its_release() -> None:
    sender = EventSender()
    sender.hold("9")
    for tick in range(30):
        packet = sender.next(tick * 160)
        assert packet is not None
        assert packet.timestamp == 0
        assert not packet.payload[1] & 0x80
    sender.release()
    ends = [sender.next((30 + n) * 160) for n in range(3)]
    assert all(end is not None and end.payload[1] & 0x80 for end in ends)
    assert ends[0] is not None
    assert int.from_bytes(ends[0].payload[2:], "big") == 30 * 160
    assert sender.next(99 * 160) is None


def test_a_release_before_the_first_packet_still_makes_a_whole_press() -> None:
    sender = EventSender()
    sender.hold("1")
    sender.release()
    packets = [sender.next(n * 160) for n in range(12)]
    assert sum(packet is not None for packet in packets) == 5 + 3
