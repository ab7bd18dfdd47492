"""Foreground of what is heard: the caller, and not the room they are in. Pure.

A television begins utterances and keeps them from ending; what it says would be recognised with the caller's own words,
and in between as if they were theirs. What tells them apart is how loud they are.
"""

from __future__ import annotations

import math

import numpy as np

from ivr.speech.worker.attempt import ACCEPTED, Outcome

_STEP = 256  # samples
_LOUD = 8  # windows, a quarter of a second: longer than a door slams
_BELOW_DB = 13.0  # the caller's loud ones: what is fainter may be the room; consonants and sighs are, too,
_BEFORE, _AFTER = 11, 9  # windows, so that these stay with the words they belong to
_USUAL_DB = -26.0  # of full scale: callers, as long as nothing is known of this one
_FAINT_DB = 8.0  # below the caller's own: somebody else,
_SYLLABLE = 3  # windows: who is known to be louder is not told by one
_ROOM_DB = 8.0  # above what was there before: less is the room going on
_UNHEEDED, _UNHEEDED_S = 2, 0.6  # unless so many utterances of so much speech in a row are: they moved away,
_PRESENT_S = 15.0  # which they haven't while they were heard so recently


def foreground(pcm: bytes) -> bytes:
    """``pcm`` (16 bit, 8 kHz) from a third of a second before the first window that is about as loud as its loud ones
    to as long after the last one."""
    count = len(pcm) // (2 * _STEP)
    if count <= _BEFORE + _AFTER:
        return pcm
    windows = np.frombuffer(pcm[: 2 * _STEP * count], "<i2").reshape(count, _STEP).astype(np.float32)
    power = np.einsum("ij,ij->i", windows, windows)
    loud = float(np.sort(power)[-min(_LOUD, count // 4)])
    spoken = np.flatnonzero(power >= loud * 10 ** (-_BELOW_DB / 10))
    first, last = max(0, int(spoken[0]) - _BEFORE), int(spoken[-1]) + 1 + _AFTER
    return pcm[2 * _STEP * first : 2 * _STEP * last if last < count else len(pcm)]


class CallerLoudness:
    """How loud this caller is, and whether what is much fainter may be them: heard from farther away than before."""

    def __init__(self) -> None:
        self._level_db = _USUAL_DB
        self._known = False
        self._heard_at = -math.inf
        self._unheeded = 0  # faint utterances in a row that nothing came of

    @property
    def syllable(self) -> int:
        """So many windows as loud as they are, and it is the caller."""
        return _SYLLABLE if self._known else 1

    def expect(self, level_db: float) -> None:
        """They are so loud (of full scale), from now on."""
        self._level_db, self._known, self._unheeded = level_db, True, 0

    def outdoes(self, loudest_db: float, above_db: float) -> bool:
        """Whether the caller is louder by far, or by something than what is about as loud as the room was before it.

        ``loudest_db``: what ``syllable`` windows are as loud as, of full scale; ``above_db``: of the loud ones, above
        those before."""
        return loudest_db < self._level_db - (_FAINT_DB if above_db >= _ROOM_DB else 0.0)

    def heard(self, outcome: Outcome, ended_at: float) -> None:
        """It is taken for the caller: they are as loud as what was accepted, and as the loudest voice."""
        level_db = outcome.measured.level_db
        if outcome.rank == ACCEPTED or (outcome.spoken and level_db > self._level_db):
            self.expect(level_db)
        if outcome.spoken:
            self._heard_at = ended_at

    def may_be(self, outcome: Outcome, began: float) -> bool:
        """Whether what nobody was told of yet is taken for the caller: it is as loud as they are and understood; or
        faint and understood, and if they were there a moment ago, a sentence beyond doubt ("yeah" is what murmur sounds
        like). Faint ones again and again, and none of them understood, are the caller from then on."""
        present = began - self._heard_at < _PRESENT_S
        if not present or outcome.measured.level_db >= self._level_db - _FAINT_DB:
            meant = outcome.rank > 0
        else:
            meant = outcome.rank == ACCEPTED and outcome.words > 1
        if meant:
            return True
        if not present and outcome.measured.speech_s >= _UNHEEDED_S:
            self._unheeded += 1
            if self._unheeded >= _UNHEEDED:
                self.expect(outcome.measured.level_db)
        return False
