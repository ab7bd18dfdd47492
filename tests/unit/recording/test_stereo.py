"""Two sides on one time line."""

from __future__ import annotations

from ivr.recording.stereo import RATE, Stereo

SECOND_A, SECOND_B = b"\x01" * RATE, b"\x02" * RATE


def sides(stereo: bytes) -> tuple[bytes, bytes]:
    return stereo[0::2], stereo[1::2]


def test_who_is_told_of_second_is_not_late() -> None:
    stereo = Stereo(10.0)
    stereo.left(10.0, SECOND_A)
    assert stereo.seconds() == []
    stereo.right("agent", 10.0, SECOND_B)
    assert [sides(each) for each in stereo.seconds()] == [(SECOND_A, SECOND_B)]


def test_both_sides_second_by_second() -> None:
    stereo = Stereo(10.0)
    stereo.left(10.0, SECOND_A)
    stereo.right("agent", 10.0, SECOND_B)
    (second,) = stereo.seconds()
    assert sides(second) == (SECOND_A, SECOND_B) and stereo.seconds() == []


def test_a_side_that_begins_later_is_silent_before() -> None:
    stereo = Stereo(10.0)
    stereo.left(10.0, SECOND_A * 2)
    stereo.right("agent", 10.5, SECOND_B)
    stereo.right("agent", 11.5, SECOND_B)
    first, second = stereo.seconds()
    assert sides(first)[1] == b"\xff" * 4000 + b"\x02" * 4000
    assert sides(second) == (SECOND_A, SECOND_B)


def test_a_side_that_says_nothing_more_is_not_waited_for_endlessly() -> None:
    stereo = Stereo(0.0)
    for second in range(5):
        stereo.left(float(second), SECOND_A)
    done = stereo.seconds()
    assert len(done) == 3 and all(sides(each) == (SECOND_A, b"\xff" * RATE) for each in done)


def test_a_gap_of_both_is_silence_of_its_length() -> None:
    stereo = Stereo(0.0)
    stereo.left(0.0, SECOND_A)
    stereo.right("agent", 0.0, SECOND_B)
    stereo.left(3.0, SECOND_A)
    stereo.right("agent", 3.0, SECOND_B)
    assert [sides(each)[0][:1] for each in stereo.seconds()] == [b"\x01", b"\xff", b"\xff", b"\x01"]


def test_jitter_of_a_tick_leaves_no_gap_and_the_rest_comes_at_the_end() -> None:
    stereo = Stereo(0.0)
    stereo.left(0.0, SECOND_A)
    stereo.left(1.02, b"\x01" * 800)
    rest = b"".join(stereo.rest())
    assert sides(rest) == (b"\x01" * 8800, b"\xff" * 8800)


def test_two_on_the_right_are_heard_together_and_a_newcomer_does_not_move_the_others() -> None:
    stereo = Stereo(0.0)
    stereo.left(0.0, SECOND_A * 3)
    stereo.right("agent", 0.0, b"\xff" * RATE * 3)
    assert len(stereo.seconds()) == 3
    stereo.left(3.0, SECOND_A)
    stereo.right("agent", 3.0, b"\xff" * RATE)
    stereo.right("consulted", 3.0, SECOND_B)
    (fourth,) = stereo.seconds()
    assert sides(fourth) == (SECOND_A, SECOND_B)
