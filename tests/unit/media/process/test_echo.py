"""Which of what comes in while a prompt plays may be its echo, and what the receiver lets through then."""

from __future__ import annotations

import numpy as np

from ivr.media.description import PCMU as PCMU_FORMAT
from ivr.media.description import MediaDescription
from ivr.media.process.codec import FRAME, FRAME_S, PCMU, Samples, clipped, power
from ivr.media.process.echo import DELAY, EchoGuard
from ivr.media.process.receiver import Receiver
from ivr.media.process.rtp import Packet, build

FLOOR = 10 ** (-70 / 10)


def db(value: float) -> float:
    return float(10 ** (value / 10))


def plays(guard: EchoGuard, ticks: int, heard_db: float, prompt_db: float = -18.0) -> list[bool]:
    """A prompt for so many ticks, and what comes back meanwhile."""
    found = []
    for _ in range(ticks):
        guard.played(db(prompt_db))
        found.append(guard.heard(db(heard_db), FLOOR))
    return found


def test_what_is_well_below_the_prompt_may_be_its_echo_until_more_is_known() -> None:
    assert all(plays(EchoGuard(), 10, -30.0))
    assert not any(plays(EchoGuard(), 10, -22.0))


def test_without_an_echo_a_quiet_caller_is_heard() -> None:
    guard = EchoGuard()
    plays(guard, 60, -70.0)  # nothing comes back
    assert not any(plays(guard, 10, -38.0))


def test_an_echo_that_was_measured_leaves_room_for_who_is_louder_than_it() -> None:
    guard = EchoGuard()
    assert all(plays(guard, 60, -43.0))  # 25 dB below the prompt
    assert all(plays(guard, 10, -40.0))
    assert not any(plays(guard, 10, -30.0))


def test_a_caller_who_talks_through_half_a_second_is_not_taken_for_the_echo() -> None:
    guard = EchoGuard()
    plays(guard, 60, -70.0)
    plays(guard, 40, -30.0)
    assert not any(plays(guard, 10, -38.0))


def test_an_echo_outlives_its_prompt_by_a_room_and_a_network_and_no_longer() -> None:
    guard = EchoGuard()
    plays(guard, 20, -40.0)
    after = plays(guard, DELAY + 5, -40.0, prompt_db=-200.0)
    assert all(after[: DELAY - 1]) and not any(after[DELAY:])


def test_noise_on_the_line_is_no_echo_that_hides_a_caller() -> None:
    guard = EchoGuard()
    noise = db(-40.0)
    for _ in range(60):
        guard.played(db(-18.0))
        guard.heard(1.5 * noise, noise)
    guard.played(db(-18.0))
    assert not guard.heard(db(-32.0), noise)


class Telephone:
    """What it sends, while the line plays."""

    def __init__(self) -> None:
        self.echo = EchoGuard()
        self.receiver = Receiver(["PCMU"], lambda change, source: None, echo=self.echo)
        self.receiver.listening = True
        self.receiver.aim(MediaDescription("192.0.2.1", 4000, (PCMU_FORMAT,)), 0.0)
        self.number = 0
        self._noise = np.random.default_rng(1)

    def sends(self, ticks: int, level_db: float, prompt_db: float = -200.0) -> list[bytes]:
        """Frames that pass."""
        passed: list[bytes] = []
        for _ in range(ticks):
            self.number += 1
            now = self.number * FRAME_S
            self.echo.played(db(prompt_db))
            payload = PCMU.encode(self._sound(level_db))
            packet = Packet(0, False, self.number, self.number * FRAME, 7, payload)
            self.receiver.datagram(build(packet), ("192.0.2.1", 4000), now)
            if self.receiver.tick() and self.receiver.payload is not None:
                decoded = PCMU.decode(self.receiver.payload)
                self.receiver.decoded(decoded, power(decoded))
            passed += [frame for _, frame in self.receiver.speech(now)]
        return passed

    def _sound(self, level_db: float) -> Samples:
        return clipped(self._noise.normal(0, 32768 * 10 ** (level_db / 20), FRAME))


def silent(frame: bytes) -> bool:
    return not any(frame)


def test_an_echo_opens_no_gate_and_a_caller_over_it_does_at_once() -> None:
    telephone = Telephone()
    telephone.sends(100, -65.0)
    assert telephone.sends(80, -38.0, prompt_db=-18.0) == []
    passed = telephone.sends(6, -20.0, prompt_db=-18.0)
    assert len(passed) >= 15  # with what came before it, in which there is no echo but for the last 0.1 s
    assert sum(silent(frame) for frame in passed) >= 8 and not silent(passed[-1])


def test_an_echo_behind_what_was_said_is_silence() -> None:
    telephone = Telephone()
    telephone.sends(100, -65.0)
    telephone.sends(30, -20.0)
    after = telephone.sends(40, -40.0, prompt_db=-18.0)  # the gate is still open
    assert len(after) == 40
    assert all(silent(frame) for frame in after[15:])


def test_soft_sounds_between_the_loud_ones_of_somebody_who_talks_over_a_prompt_pass() -> None:
    telephone = Telephone()
    telephone.sends(100, -65.0)
    telephone.sends(80, -45.0, prompt_db=-18.0)
    for _ in range(4):
        assert not any(silent(frame) for frame in telephone.sends(5, -18.0, prompt_db=-18.0)[-3:])
        assert not any(silent(frame) for frame in telephone.sends(5, -45.0, prompt_db=-18.0))
