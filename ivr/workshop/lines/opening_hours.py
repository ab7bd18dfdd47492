"""Opening hours as somebody writes them ("mon-fri 08:00-17:00, sat 09:00-12:00"), as TOML, and as they are said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ivr.errors import ConfigError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PART = re.compile(r"([a-z]{3})(?:\s*-\s*([a-z]{3}))?\s+(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)\Z")
_NAMES = {
    "en-US": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "es-ES": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
}
_HOURS = {
    "en-US": ("twelve", *["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"]),
    "es-ES": (
        "las doce",
        "la una",
        *(f"las {n}" for n in ["dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez", "once"]),
    ),
}
_MINUTES = {
    "en-US": {0: "", 15: " fifteen", 30: " thirty", 45: " forty-five"},
    "es-ES": {0: "", 15: " y cuarto", 30: " y media", 45: " cuarenta y cinco"},
}


@dataclass(frozen=True, slots=True)
class Span:
    """Days ``first`` to ``last`` (0: Monday), from and until minutes of the day."""

    first: int
    last: int
    opens: int
    closes: int


@dataclass(frozen=True, slots=True)
class OpeningHours:
    spans: Sequence[Span]

    @classmethod
    def of(cls, text: str) -> OpeningHours:
        """Raises ConfigError."""
        remedy = "write them such as: mon-fri 08:00-17:00, sat 09:00-12:00 (on the hour or a quarter)"
        spans: list[Span] = []
        taken: set[int] = set()
        for part in text.lower().split(","):
            found = _PART.match(part.strip())
            if found is None or found[1] not in DAYS or (found[2] or found[1]) not in DAYS:
                raise ConfigError(f"{part.strip()!r} are no opening hours", remedy=remedy)
            first, last = DAYS.index(found[1]), DAYS.index(found[2] or found[1])
            opens, closes = int(found[3]) * 60 + int(found[4]), int(found[5]) * 60 + int(found[6])
            days = set(range(first, last + 1))
            if not days or days & taken or not opens < closes < 24 * 60 or opens % 15 or closes % 15:
                raise ConfigError(f"{part.strip()!r} are no opening hours", remedy=remedy)
            taken |= days
            spans.append(Span(first, last, opens, closes))
        return cls(tuple(spans))

    def toml(self) -> str:
        found = {day: s for s in self.spans for day in range(s.first, s.last + 1)}
        return "".join(f'{DAYS[day]} = "{_clock(s.opens)}-{_clock(s.closes)}"\n' for day, s in sorted(found.items()))

    def said(self, language: str) -> str:
        """Monday to Friday, from eight in the morning until five in the afternoon."""
        parts = [_span(span, language) for span in self.spans]
        joined = " y " if language == "es-ES" else " and "
        return ", ".join(parts[:-1]) + (joined if len(parts) > 1 else "") + parts[-1]


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _span(span: Span, language: str) -> str:
    first, last = _NAMES[language][span.first], _NAMES[language][span.last]
    opens, closes = _time(span.opens, language), _time(span.closes, language)
    if language == "es-ES":
        days = f"de {first} a {last}" if first != last else f"el {first}"
        return f"{days} de {opens} a {closes}"
    days = f"{first} to {last}" if first != last else f"on {first}"
    return f"{days} from {opens} to {closes}"


def _time(minutes: int, language: str) -> str:
    hour = minutes // 60
    said = f"{_HOURS[language][hour % 12]}{_MINUTES[language][minutes % 60]}"
    if language == "es-ES":
        return f"{said} de la {'mañana' if hour < 12 else 'tarde' if hour < 20 else 'noche'}"
    return f"{said} in the {'morning' if hour < 12 else 'afternoon' if hour < 18 else 'evening'}"
