"""Voice gate, loss concealment and the address latch."""

from __future__ import annotations

import numpy as np
import pytest

from ivr.media.process import codec
from ivr.media.process.codec import FRAME, RATE, Samples, clipped
from ivr.media.process.jitter import HISTORY, LONGEST, conceal, pitch_lag, resumed
from ivr.media.process.latch import SourceLatch
from ivr.media.process.voice_gate import VoiceGate


def noise(frames: int, level_db: float, seed: int = 1) -> Samples:
    rng = np.random.default_rng(seed)
    return clipped(rng.normal(0, 32768 * 10 ** (level_db / 20), frames * FRAME))


def gated(gate: VoiceGate, signal: Samples) -> list[bool]:
    return [gate.frame(codec.power(signal[i : i + FRAME])) for i in range(0, len(signal), FRAME)]


def test_gate_stays_shut_in_steady_noise_and_opens_within_two_frames_of_speech() -> None:
    for floor_db in (-66.0, -50.0, -38.0):
        gate = VoiceGate()
        settled = gated(gate, noise(300, floor_db))
        assert not any(settled[200:]), floor_db
        opened = gated(gate, noise(40, floor_db + 15, seed=2))
        assert opened.index(True) <= 2, floor_db


def test_gate_closes_only_after_a_pause_longer_than_any_endpointer_waits() -> None:
    gate = VoiceGate()
    gated(gate, noise(200, -60))
    gated(gate, noise(50, -25))
    after = gated(gate, noise(100, -60, seed=5))
    assert 50 <= after.index(False) <= 65  # 1.0 to 1.3 s


def test_gate_gets_used_to_a_new_noise() -> None:
    gate = VoiceGate()
    gated(gate, noise(200, -65))
    assert not gated(gate, noise(500, -45, seed=9))[-1]


def test_concealment_goes_on_with_a_voice_and_fades() -> None:
    period = 64
    voice = clipped(9000 * np.sign(np.sin(2 * np.pi * np.arange(HISTORY + FRAME) / period)))
    history, lost = voice[:HISTORY], voice[HISTORY:]
    assert pitch_lag(history) % period == 0
    made = conceal(history, 0)
    assert np.mean((made[:80].astype(float) - lost[:80]) ** 2) < 0.15 * np.mean(lost.astype(float) ** 2)
    levels = [float(np.abs(conceal(history, n)).mean()) for n in range(LONGEST + 1)]
    assert levels == sorted(levels, reverse=True)
    assert levels[LONGEST] == 0.0
    assert levels[0] > 0.7 * 9000


def test_concealment_of_a_tone_has_no_jump_at_its_beginning() -> None:
    when = np.arange(HISTORY) / RATE
    history = clipped(10000 * np.sin(2 * np.pi * 200 * when))
    made = conceal(history, 0)
    steps = np.abs(np.diff(np.concatenate([history[-2:], made]).astype(int)))
    assert steps.max() <= 2 * np.abs(np.diff(history.astype(int))).max()


def test_resuming_crosses_over() -> None:
    frame, synthetic = np.full(FRAME, 1000, dtype=np.int16), np.full(FRAME, -1000, dtype=np.int16)
    out = resumed(frame, synthetic)
    assert out[0] == -1000
    assert np.array_equal(out[40:], frame[40:])


FAR, NAT, STRANGER = ("10.0.0.5", 4000), ("192.0.2.1", 61000), ("198.51.100.9", 5000)


def run_of(latch: SourceLatch, address: tuple[str, int], count: int, *, now: float = 0.0, ssrc: int = 1) -> list[bool]:
    return [latch.admit(address, ssrc, n, now + 0.02 * n) for n in range(count)]


def test_the_signalled_source_latches_at_once_its_host_or_that_of_its_sip_after_three() -> None:
    latch = SourceLatch()
    latch.aim(FAR)
    assert latch.source == FAR
    assert latch.admit(FAR, 1, 10, 0.0)
    for other in (NAT, (FAR[0], 4444)):
        latch = SourceLatch()
        latch.aim(FAR, NAT[0])
        assert run_of(latch, other, 4) == [False, False, True, True]
        assert latch.source == other


@pytest.mark.parametrize("ssrc", [1, 9])
def test_a_stranger_never_latches(ssrc: int) -> None:
    latch = SourceLatch()
    latch.aim(FAR, NAT[0])
    assert not any(run_of(latch, STRANGER, 500, ssrc=ssrc)), "before anybody was heard"
    assert latch.source == FAR
    assert latch.admit(FAR, 1, 10, 20.0)
    assert not any(run_of(latch, STRANGER, 500, now=60.0, ssrc=ssrc)), "after a long silence"
    assert latch.source == FAR
    assert latch.admit(FAR, 1, 11, 90.0)


def test_once_the_signalled_address_was_heard_only_its_host_may_move() -> None:
    latch = SourceLatch()
    latch.aim(FAR, NAT[0])
    assert latch.admit(FAR, 1, 10, 0.0)
    assert not any(run_of(latch, NAT, 50, now=10.0))
    moved = (FAR[0], 4002)
    assert not any(run_of(latch, moved, 50, now=0.1)), "while it speaks itself"
    assert run_of(latch, moved, 6, now=10.0) == [False] * 4 + [True, True]
    assert latch.admit(FAR, 1, 11, 10.2), "and it wins at once when it is back"
    assert latch.source == FAR


def test_the_signalled_address_wins_at_once_over_the_one_that_nat_showed() -> None:
    latch = SourceLatch()
    latch.aim(FAR, NAT[0])
    run_of(latch, NAT, 5)
    assert latch.source == NAT
    assert latch.admit(FAR, 7, 900, 0.11)
    assert latch.source == FAR
    assert not any(run_of(latch, NAT, 50, now=0.2))


def test_packets_out_of_sequence_never_latch() -> None:
    latch = SourceLatch()
    latch.aim(FAR, NAT[0])
    assert not any(latch.admit(NAT, 1, n * 777 & 0xFFFF, 0.0) for n in range(200))
    assert latch.source == FAR


def test_a_new_stream_of_the_far_end_needs_two_packets() -> None:
    latch = SourceLatch()
    latch.aim(FAR)
    latch.admit(FAR, 1, 10, 0.0)
    assert not latch.admit(FAR, 2, 500, 0.1)
    assert latch.admit(FAR, 1, 11, 0.1)
    assert latch.admit(FAR, 2, 501, 0.1)
    assert latch.ssrc == 2


def test_a_new_description_starts_over_the_same_one_does_not() -> None:
    latch = SourceLatch()
    assert latch.aim(FAR, NAT[0])
    run_of(latch, NAT, 3)
    assert not latch.aim(FAR, NAT[0])
    assert latch.source == NAT
    assert latch.aim((FAR[0], 6000), NAT[0])
    assert latch.source == (FAR[0], 6000)
    assert not any(run_of(latch, NAT, 10, now=1.0)), "what was under way from the address before"
    assert any(run_of(latch, NAT, 60, now=2.0)), "unless it was the right one after all"


def test_whose_rtcp_counts() -> None:
    latch = SourceLatch()
    latch.aim(FAR, NAT[0])
    assert latch.far_end(FAR[0]) and latch.far_end(NAT[0]) and not latch.far_end(STRANGER[0])
    latch.admit(FAR, 1, 10, 0.0)
    assert latch.far_end(FAR[0]) and not latch.far_end(NAT[0])
