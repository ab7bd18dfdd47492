"""Turns of real calls, from the log: the steps of each answer, and their quantiles.

Reads ``turn.answered`` (``ivr.call.turn_timing``), which says nothing of what was said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

EVENT = "turn.answered"
_LONGEST_S = 3600.0  # nobody waits longer


@dataclass(frozen=True, slots=True)
class Step:
    """``field``: of the log line; ``about``: for a legend."""

    field: str
    name: str
    about: str
    colour: str


STEPS = (
    Step("voice_s", "voice activity", "the caller's last sound, until voice activity lets go", "#7f8c9b"),
    Step("hangover_s", "hang-over", "silence, until the utterance counts as over", "#b8c4d0"),
    Step("recognition_s", "recognition", "waiting for the recogniser beyond that", "#c2703d"),
    Step("understanding_s", "understanding", "what was meant, and what is said next", "#d9a441"),
    Step("action_s", "action", "databases and services", "#4f9d69"),
    Step("rendering_s", "rendering", "the prompt cache, or synthesis", "#8a5fa8"),
    Step("media_s", "line to media", "until the first sound is sent", "#2f6f9f"),
    Step("other_s", "the rest", "queues, journal, log", "#d0d0d0"),
)


@dataclass(frozen=True, slots=True)
class Turn:
    """Seconds. ``steps`` in the order of ``STEPS``; ``recogniser_s``: of work, mostly inside the hang-over;
    ``filler_s``: to the first sound of a word for who had to wait, None where there was none."""

    call_id: str
    at: datetime
    state: str
    steps: tuple[float, ...]
    answer_s: float
    recogniser_s: float = 0.0
    filler_s: float | None = None

    @property
    def first_sound_s(self) -> float:
        """Of whatever was heard first."""
        return self.answer_s if self.filler_s is None else min(self.filler_s, self.answer_s)


def turns(entries: Iterable[Mapping[str, Any]], since: datetime | None = None) -> Iterator[Turn]:
    """Of log entries; those that are no turn, or tell no time that can be, are passed over. Times are UTC."""
    for entry in entries:
        if entry.get("event") != EVENT:
            continue
        try:
            at = datetime.fromisoformat(str(entry.get("at", "")))
            at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
            steps = tuple(float(entry.get(step.field, 0.0)) for step in STEPS)
            answer_s, filler = float(entry["answer_s"]), entry.get("filler_s")
            turn = Turn(
                *(str(entry.get("call_id") or "?"), at, str(entry.get("state") or "?"), steps, answer_s),
                recogniser_s=float(entry.get("recogniser_s", 0.0)),
                filler_s=None if filler is None else float(filler),
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        if not all(0.0 <= each <= _LONGEST_S for each in (*steps, answer_s, turn.recogniser_s, turn.filler_s or 0.0)):
            continue
        if since is None or at >= since:
            yield turn


def quantile(values: Iterable[float], part: float) -> float:
    """0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def whole(found: Sequence[Turn], part: float) -> Turn:
    """A turn made of the quantiles of each step: they don't add up to that of the whole."""
    steps = tuple(quantile((turn.steps[number] for turn in found), part) for number in range(len(STEPS)))
    answer = quantile((turn.answer_s for turn in found), part)
    return Turn("", found[0].at, f"p{part * 100:.0f}", steps, answer)


def table(found: Sequence[Turn]) -> str:
    """The steps' quantiles in milliseconds, for a terminal."""
    lines = [f"{'':34}{'p50':>7}{'p95':>7}{'worst':>7}  ms"]

    def line(name: str, values: Sequence[float]) -> str:
        told = (quantile(values, 0.5), quantile(values, 0.95), max(values, default=0.0))
        return f"{name:34}" + "".join(f"{1000 * value:7.0f}" for value in told)

    for number, step in enumerate(STEPS):
        lines.append(line(step.name, [turn.steps[number] for turn in found]))
    lines.append(line("last sound to answer", [turn.answer_s for turn in found]))
    lines.append(line("last sound to first sound", [turn.first_sound_s for turn in found]))
    lines.append(line("(recogniser at work)", [turn.recogniser_s for turn in found]))
    calls, fillers = len({turn.call_id for turn in found}), sum(turn.filler_s is not None for turn in found)
    of_calls = f"{len(found)} turn{'s' * (len(found) != 1)} of {calls} call{'s' * (calls != 1)}"
    return "\n".join([*lines, f'{of_calls}; {fillers} heard "one moment" first'])
