"""Personal data in what services answer: secrets, telephone numbers and names, replaced by others of the same form.

One value has one replacement everywhere, so that what was asked by it is found by it again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from ivr.dialogue.flows.condition import leaves
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.secrets import secret_names as secrets_of

SECRET, SOMEBODY, EMAIL, BIRTH = "secret", "Somebody", "somebody@example.com", "1970-01-01"
FEWEST, MOST = 7, 15  # digits of a telephone number
FIRST_FREE = 50  # 555-0150 and on: those before are often in a mock file already

_FICTIONAL = re.compile(r"\d{3}55501\d\d")
_PHONE = re.compile(r"phone|telephone|mobile|msisdn|caller|fax|^tel$|^cell$|^number_to_call$", re.IGNORECASE)
_PERSON = re.compile(
    r"^((first|last|middle|full|given|family|sur|maiden|patient|customer|member|contact)_?names?|surname)$",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"^((home|mailing|postal|street|billing|shipping)_?)?(address|street)(_?line_?\d|_?\d)?$", re.IGNORECASE
)
_BORN = re.compile(r"^(birth_?(date|day)|date_of_birth|dob|born)$", re.IGNORECASE)
_NUMBERED = re.compile(r"^(ssn|social_security(_number)?|iban|card(_number)?|passport|tax_id)$", re.IGNORECASE)
_WRITTEN_NUMBER = re.compile(r"\+\d[\d ().-]{5,18}\d(?!\d)|(?<!\d)\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?!\d)")
_WRITTEN_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")


def secret_names(library: FlowLibrary) -> frozenset[str]:
    """What is declared ``secret``: variables of flows, parameters of actions, facts, and values that come into such
    variables, by the last word of their place in an answer."""
    secrets = secrets_of(library)
    names = {name for secret in secrets.values() for name in secret}
    for signature in library.signatures.values():
        names.update(parameter.name for parameter in signature.parameters if parameter.secret)
    actions = library.company.actions if library.company is not None else {}
    names.update(_last(at) for action in actions.values() for fact, at in action.facts.items() if fact in names)
    sent = [
        sent for action in actions.values() for part in (action.query, action.body or {}) for sent in leaves(part, ())
    ]
    for flow, secret in secrets.items():
        for state in library.flows[flow].states.values():
            if state.http is not None:
                brought = (*state.http.returns.items(), *state.http.facts.items())
                names.update(_last(place) for name, place in brought if name in secret)
                sent += [sent for part in (state.http.query, state.http.body) for sent in leaves(part, ())]
            if (action := actions.get(state.action)) is not None:
                taken = {theirs for mine, theirs in state.returns.items() if mine in secret}
                names.update(_last(spec.at) for name, spec in action.returns.items() if name in taken)
    for value, path in sent:
        if isinstance(value, str) and value.rstrip("?") in names:
            names.update([key for key in path if isinstance(key, str)][-1:])
    return frozenset(names)


def personal_names(library: FlowLibrary) -> frozenset[str]:
    """Keys called "name" at which an answer has a fact about the caller; those of a title or a product are not."""
    actions = library.company.actions.values() if library.company is not None else ()
    places = [place for action in actions for place in action.facts.values()]
    places += [p for f in library.flows.values() for s in f.states.values() if s.http for p in s.http.facts.values()]
    return frozenset(key for key in map(_last, places) if key.lower() == "name")


def _last(place: str) -> str:
    return re.split(r"[/.]", place)[-1]


class PersonalData:
    """``secrets``, ``persons``: keys of JSON; ``known``: values that are secret wherever they stand."""

    def __init__(self, secrets: Collection[str], persons: Collection[str], known: Collection[str] = ()) -> None:
        self._secrets = {name.lower() for name in secrets}
        self._persons = {name.lower() for name in persons}
        self._instead: dict[str, str] = {value: SECRET for value in known if value}
        self._numbers: dict[str, str] = {}

    def learn(self, value: Any, key: str = "") -> None:
        """What is replaced in ``value``, which stands at ``key``, from now on."""
        match value:
            case Mapping():
                for name, inner in value.items():
                    self.learn(inner, str(name))
            case list():
                for inner in value:
                    self.learn(inner, key)
            case str() | int() if not isinstance(value, bool) and str(value).strip():
                if (other := self._other(key, str(value))) is not None and other != str(value):
                    self._instead.setdefault(str(value), other)

    def masked(self, value: Any, key: str = "") -> Any:
        match value:
            case Mapping():
                return {name: self.masked(inner, str(name)) for name, inner in value.items()}
            case list():
                return [self.masked(inner, key) for inner in value]
            case bool() if key.lower() in self._secrets:
                return False
            case str():
                return self.text(value)
            case int() | float() if not isinstance(value, bool) and str(value) in self._instead:
                digits = re.sub(r"\D", "", self._instead[str(value)])
                return int(digits or 0)
        return value

    def text(self, text: str) -> str:
        """Whole values that were learnt, secrets also within a text; numbers and addresses as they are written."""
        if text in self._instead:
            return self._instead[text]
        for value, other in self._instead.items():
            if other == SECRET and len(value) >= 4:
                text = text.replace(value, other)
        return _WRITTEN_EMAIL.sub(EMAIL, _WRITTEN_NUMBER.sub(lambda found: self._number(found[0]), text))

    def path(self, path: str) -> str:
        return "/".join(map(self.text, path.split("/")))

    def _other(self, key: str, value: str) -> str | None:
        key = key.lower()
        if key in self._secrets or _NUMBERED.match(key):
            return _digits(value) if re.search(r"\d", value) else SECRET
        if _PHONE.search(key) and FEWEST <= len(re.sub(r"\D", "", value)) <= MOST:
            return self._number(value)
        if key in self._persons or _PERSON.match(key):
            return SOMEBODY
        if _PLACE.match(key):
            return "1 Main Street"
        return BIRTH if _BORN.match(key) else None

    def _number(self, written: str) -> str:
        """One of those that belong to nobody, the same for every notation of the same number."""
        own = re.sub(r"\D", "", written)[-10:]
        if _FICTIONAL.fullmatch(own):
            return written
        other = self._numbers.setdefault(own, f"50355501{FIRST_FREE + len(self._numbers) % 50}")
        return f"+1{other}" if written.startswith("+") else other


def _digits(value: str) -> str:
    """As long, and of the same form."""
    count = iter("1234567890" * (len(value) // 10 + 1))
    return re.sub(r"[A-Za-z]", "x", re.sub(r"\d", lambda _: next(count), value))
