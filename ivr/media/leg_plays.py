"""What a leg was ordered to play, until it has ended: kept, so that another process can begin it anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ivr.events import PlayDone
from ivr.media.clip import Clip


@dataclass(slots=True)
class Play:
    """``stopped``: it was told to end, and whether it did is not known yet."""

    clips: Sequence[Clip]
    stop_on_key: bool
    gap_ms: int
    stopped: bool = False


class LegPlays:
    """By token, in order. ``done`` is told once of each."""

    def __init__(self, done: Callable[[PlayDone], None]) -> None:
        self._done = done
        self._plays: dict[int, Play] = {}

    def __contains__(self, token: int) -> bool:
        return token in self._plays

    def add(self, token: int, play: Play) -> None:
        self._plays[token] = play

    def unfinished(self) -> list[tuple[int, Play]]:
        return list(self._plays.items())

    def stop(self, token: int | None) -> None:
        """That one, or all."""
        for number, play in self._plays.items():
            play.stopped = play.stopped or token is None or token == number

    def drop_stopped(self) -> None:
        """Whoever was to fall silent is silent now."""
        for token in [token for token, play in self._plays.items() if play.stopped]:
            del self._plays[token]
            self._done(PlayDone(token, completed=False))

    def ended(self, done: PlayDone) -> None:
        """Of one that is known no more nothing is told."""
        if self._plays.pop(done.token, None) is not None:
            self._done(done)
