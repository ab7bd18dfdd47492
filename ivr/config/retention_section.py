"""The [retention] section: how long what is kept about people is kept, by kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from ivr.config.section import Section

_AGE = re.compile(r"([0-9]{1,6})(h|d|w|y)")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}
MOST_DAYS = 36_500
FOR_EVER = timedelta(0)


def age(value: object) -> timedelta:
    """ "12h", "400d", "8w", "3y", or a number of days. 0 is for ever. Raises ValueError."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        value = f"{value}d"
    found = _AGE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None and value != "0":
        raise ValueError('write how long as "12h", "400d", "8w", "3y" or a number of days; 0 keeps it for ever')
    kept = int(found[1]) * _UNITS[found[2]] if found is not None else FOR_EVER
    if kept > timedelta(days=MOST_DAYS):
        raise ValueError("that is more than a hundred years; 0 keeps it for ever")
    return kept


def told(kept: timedelta) -> str:
    """As it is written: "400d", "12h"; "0" for ever."""
    if not kept:
        return "0"
    return f"{kept // _UNITS['h']}h" if kept % _UNITS["d"] else f"{kept.days}d"


Age = Annotated[timedelta, BeforeValidator(age), PlainSerializer(told)]

OF_CALLS = ("transcripts", "contexts", "resume", "messages", "desk")
"""What belongs to calls, and had their time while [retention] calls_days was the only one."""
NO_LATER = (*OF_CALLS, "recordings")
"""What is never kept longer than the calls that it belongs to."""


class RetentionConfig(Section):
    """So long after the end of a call, or of whatever it is, a row of a kind is deleted; 0 keeps it.

    ``calls``: that there was a call, of whom, how it came out; ``transcripts``: what was said, keyed and done in it;
    ``recordings``: of conversations and messages; ``contexts``: of hand-overs; ``resume``: where a dropped call
    stopped; ``messages``: with call backs, once they are dealt with; ``desk``: who waited and who worked; ``audit``:
    who changed what; ``sessions``: of the console, once they ended; ``verification``: callers' wrong PINs;
    ``prompts``: rendered sentences with somebody's names in them, since they were last said.

    ``calls_days`` is the former name of all that belongs to calls."""

    calls: Age = timedelta(days=400)
    transcripts: Age = timedelta(days=90)
    recordings: Age = timedelta(days=90)
    contexts: Age = timedelta(days=7)
    resume: Age = timedelta(days=1)
    messages: Age = timedelta(days=90)
    desk: Age = timedelta(days=90)
    audit: Age = timedelta(days=3 * 365)
    sessions: Age = timedelta(days=30)
    verification: Age = timedelta(days=1)
    prompts: Age = timedelta(days=30)
    calls_days: int | None = Field(None, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _formerly(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and (days := given.get("calls_days")) is not None:
            return {**dict.fromkeys(("calls", *OF_CALLS), days), **given}
        return given

    def age(self, kind: str) -> timedelta:
        """FOR_EVER, or how long."""
        own: timedelta = getattr(self, kind)
        bound = self.calls if kind in NO_LATER else FOR_EVER
        return min((each for each in (own, bound) if each), default=FOR_EVER)

    def cuts(self, now: datetime) -> Mapping[str, datetime]:
        """For each kind that is not kept for ever: what is older than this goes."""
        return {kind: now - kept for kind in KINDS if (kept := self.age(kind))}


KINDS = tuple(name for name in RetentionConfig.model_fields if name != "calls_days")
