"""Variables: the frames of a call's flows that hold them; any value as a slot's; a variable as a slot to be spoken."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from ivr.dialogue.flows.model import Flow, VariableSpec
from ivr.dialogue.flows.wording import Wordings, filtered, labelled
from ivr.dialogue.spoken.bounded_days import day_bounds
from ivr.dialogue.spoken.clock import DAY, minutes_of, minutes_of_iso
from ivr.dialogue.spoken.codes import Pattern, pattern_of
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.phone import LONGEST, SHORTEST, phone_number
from ivr.dialogue.understanding.code_slot import CodeSlot
from ivr.dialogue.understanding.grammar import SlotValue
from ivr.dialogue.understanding.lexicon import Lexicon, Vocabulary
from ivr.dialogue.understanding.measure_slots import LARGEST, DurationSlot, MoneySlot
from ivr.dialogue.understanding.measure_slots import LONGEST as LONGEST_DURATION
from ivr.dialogue.understanding.phone_slot import PhoneSlot, phoned
from ivr.dialogue.understanding.range_slots import DateRangeSlot, HalfSpan, spanned
from ivr.dialogue.understanding.slots import (
    ChoiceSlot,
    DateSlot,
    DigitSlot,
    NumberSlot,
    Slot,
    TitleSlot,
    counted,
    dated,
    digited,
    titled,
)
from ivr.dialogue.understanding.time_slots import BoundedDateSlot, TimeSlot, timed
from ivr.events import Term

_PUT_TOGETHER = ("phone", "date", "date_range", "time", "duration", "money", "code")
MOST_ASKED = 50  # questions of a flow that "back" remembers


@dataclass(slots=True)
class Asked:
    """A question that was put to the caller, the variables that its answer filled, and the intent it chose, if any."""

    state: str
    chosen: str = ""
    filled: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Frame:
    """One flow that the call is in. ``doubtful``: variables heard with doubt and not confirmed since."""

    flow: str
    state: str = ""
    variables: dict[str, SlotValue] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    asked: list[Asked] = field(default_factory=list)

    def fill(self, name: str, value: SlotValue | None, *, doubt: bool = False) -> None:
        """A blank text fills nothing: what is filled names something."""
        if isinstance(value, HalfSpan):
            self.clear(name)
            name, value = f"{name}.start", SlotValue(value.value, value.label)
        elif f"{name}.start" in self.doubtful:  # the first day of a range
            doubt = True
        self.clear(f"{name}.start")
        if value is None or (isinstance(value.value, str) and not value.value.strip()):
            self.clear(name)
            return
        self.variables[name] = value
        (self.doubtful.add if doubt else self.doubtful.discard)(name)

    def begun(self, name: str) -> date | None:
        """The first day of the range ``name``, where that is all that is known of it."""
        first = self.variables.get(f"{name}.start")
        try:
            return None if first is None else date.fromisoformat(str(first.value))
        except ValueError:
            return None

    def answer(self, values: Mapping[str, SlotValue], doubtful: Collection[str]) -> None:
        """Fill what the caller answered to the latest question: going back to it forgets that again."""
        for name, value in values.items():
            self.fill(name, value, doubt=name in doubtful)
            if self.asked:
                self.asked[-1].filled.add(name)

    def clear(self, *names: str) -> None:
        for name in names:
            for each in (name, f"{name}.start"):
                self.variables.pop(each, None)
                self.doubtful.discard(each)


def fitted(value: object, kind: str, language: str, term: Callable[[str], Term | None]) -> SlotValue | None:
    """``value`` as one of a slot of type ``kind``; ``term`` finds a title by its id. What does not fit is text."""
    match value:
        case None:
            return None
        case SlotValue():
            return value
        case Term():
            return titled(value)
        case list() | tuple() | Mapping():
            return SlotValue(value, labelled(value, language))  # type: ignore[arg-type]  # kept whole for filters
    if kind in ("number", "ordinal") and isinstance(value, int) and not isinstance(value, bool):
        return counted(value, language, kind == "ordinal")
    if kind == "digits":
        return digited(str(value), language)
    if kind == "phone":
        try:
            return phoned(phone_number(value), language)
        except ValueError:
            return SlotValue(str(value), str(value))
    if kind == "date":
        try:
            return dated(date.fromisoformat(str(value)[:10]), language)
        except ValueError:
            return SlotValue(str(value), str(value))
    if kind == "date_range":
        try:
            return spanned(str(value), language)
        except ValueError:
            return SlotValue(str(value), str(value))
    if kind == "time":
        try:
            return timed(minutes_of_iso(value), language)
        except ValueError:
            return SlotValue(str(value), str(value))
    if (kind in ("money", "duration") and type(value) is int) or (kind == "code" and isinstance(value, str)):
        return SlotValue(value, filtered(value, kind, "", language))
    if isinstance(value, str) and kind in ("title", "text") and (found := term(value)) is not None:
        return titled(found)
    if isinstance(value, str | int | float | bool):
        return SlotValue(value, labelled(value, language))
    return SlotValue(str(value), str(value))


def bound(
    spec: VariableSpec,
    name: tuple[str, str],
    words: Wordings,
    lexicon: Callable[[str], Lexicon],
    today: date,
    begun: date | None = None,
    caller: str = "",
) -> tuple[Slot, Hashable] | None:
    """A variable ``name`` (flow, variable) as a slot, and what tells this binding from another; None where it can't
    be spoken. ``begun``: the first day of a range, once it is known."""
    low, high, language = spec.minimum, spec.maximum, words.language
    match spec.type:
        case "title":
            known = list(map(lexicon, spec.vocabularies))
            return TitleSlot(Vocabulary(known)), tuple(known)
        case "number" | "ordinal":
            least = 1 if spec.type == "ordinal" else 0
            slot = NumberSlot(least if low is None else low, high, language, spec.type)
            return slot, (spec.type, slot.minimum, high)
        case "digits":
            length = (1, 20) if spec.length is None else spec.length
            shortest, longest = (length, length) if isinstance(length, int) else length
            return DigitSlot(shortest, longest, language), (shortest, longest)
        case "date" if spec.direction or spec.within:
            first, last = day_bounds(today, spec.direction, spec.within)
            return BoundedDateSlot(today, language, first, last), ("date", today, first, last)
        case "phone":
            length = (SHORTEST, LONGEST) if spec.length is None else spec.length
            shortest, longest = (length, length) if isinstance(length, int) else length
            return PhoneSlot(language, shortest, longest, caller), ("phone", shortest, longest, caller)
        case "date":
            return DateSlot(today, language), today
        case "date_range":
            first, last = day_bounds(today, spec.direction or ("" if spec.within else "future"), spec.within)
            range_ = DateRangeSlot(today, language, first, last, begun)
            return range_, ("date_range", today, first, last, begun)
        case "duration":
            lasts = DurationSlot(language, 1 if low is None else low, LONGEST_DURATION if high is None else high)
            return lasts, ("duration", lasts.minimum, lasts.maximum)
        case "money":
            sums = MoneySlot(language, 1 if low is None else low, LARGEST if high is None else high)
            return sums, ("money", sums.minimum, sums.maximum)
        case "code":
            codes = CodeSlot(language, _patterns(spec))
            return (codes, ("code", codes.patterns)) if codes.patterns else None
        case "time":
            times = TimeSlot(language, *_times(spec))
            return times, ("time", times.earliest, times.latest)
        case "boolean":
            both: dict[str | bool, tuple[str, ...]] = {True: words.universal("yes"), False: words.universal("no")}
            shades = words_for(language).shades
            soft: dict[str | bool, tuple[str, ...]] = {True: shades.get("yes", ()), False: shades.get("no", ())}
            return ChoiceSlot(both, language, "boolean", soft), "boolean"
        case "choice":
            values: dict[str | bool, tuple[str, ...]] = dict(words.values(*name, spec.values).items())
            return ChoiceSlot(values, language), name
    return None


def prepare_slots(flows: Iterable[Flow], words: Wordings, today: date) -> None:
    """Makes what is kept of the words for lengths, sums, times and days, for which the first call that needs them would
    wait. Takes tenths of a second: not for the event loop."""

    def nothing(_: str) -> Lexicon:  # none of these is a title
        return Lexicon((), words.language)

    specs = {(spec.type, spec.minimum, spec.maximum): spec for flow in flows for spec in flow.slots.values()}
    for spec in specs.values():
        if spec.type in _PUT_TOGETHER and (found := bound(spec, ("", ""), words, nothing, today)) is not None:
            found[0].forms()
            list(found[0].fills((words_for(words.language).cardinal(1),), 0))


def _patterns(spec: VariableSpec) -> tuple[Pattern, ...]:
    try:
        return tuple(map(pattern_of, spec.patterns))
    except ValueError:  # the checker has refused it
        return ()


def _times(spec: VariableSpec) -> tuple[int, int]:
    try:
        return minutes_of(spec.earliest or "00:00"), minutes_of(spec.latest or "23:59")
    except ValueError:  # the checker has refused it
        return 0, DAY - 1
