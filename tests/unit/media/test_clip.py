"""What a leg counted before and after it was moved to another media process."""

from __future__ import annotations

from dataclasses import replace

from ivr.media.clip import LegStats

BEFORE = LegStats("PCMU", 100, 90, 2, 1, 3.5, 40, 20.0, 21.0, packets_refused=4, srtp="AEAD_AES_256_GCM")


def test_counts_are_added_and_the_worst_is_kept() -> None:
    after = LegStats("PCMU", 10, 9, 1, 0, 1.5, 20, None, 22.0, srtp="AEAD_AES_256_GCM")
    both = BEFORE.plus(after)
    assert (both.packets_sent, both.packets_received, both.packets_lost, both.packets_late) == (110, 99, 3, 1)
    assert (both.jitter_ms, both.concealed_ms, both.round_trip_ms, both.send_gap_p99_ms) == (3.5, 60, 20.0, 22.0)
    assert both.packets_refused == 4 and both.srtp == "AEAD_AES_256_GCM"
    assert BEFORE.plus(replace(after, srtp="")).srtp == "in part"


def test_where_nothing_went_before_or_after_the_other_counts() -> None:
    assert LegStats().plus(BEFORE) == BEFORE
    nothing_yet = BEFORE.plus(LegStats())
    assert nothing_yet == BEFORE, "codec and encryption are known, too"
