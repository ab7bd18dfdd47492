"""The numbering plan: every notation of one telephone number becomes the same E.164 number (ITU-T E.164, RFC 3966)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType, ValidationResult

_SEPARATORS = re.compile(r"[-\u2010-\u2015\u2212.()/\s\u200b-\u200f\u202a-\u202e\u2060\ufeff]+")  # typed or pasted
_SCHEME = re.compile(r"(?i)^(?:tel|sips?):")
_DIALLED = re.compile(r"\+?[0-9]+")
_TRUNK_ZERO = re.compile(r"^(\s*\+.*)\(0\)")  # "+44 (0)20 …": the zero is for those who dial without the 44
_KNOWN = 2000  # numbers that are remembered
_SHORTEST = 7  # digits: below, it is an extension, a service or an emergency number, and stays what it is
LEAST_DIGITS = 6  # that two numbers of different length must have in common
# Who is called earns by it, or it is no person's: toll fraud lives there.
_CHARGED = (
    PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST, PhoneNumberType.UAN, PhoneNumberType.PAGER,
    PhoneNumberType.VOICEMAIL,
)  # fmt: skip
_FURTHER_INTERNATIONAL = ("00", "011")  # prefixes that trunks of other countries leave in


@dataclass(frozen=True, slots=True)
class NumberingPlan:
    """``country`` (ISO 3166, two letters) is whose prefixes numbers without a country code follow."""

    country: str = "US"

    def number(self, user: str) -> str:
        """The number that a user part (RFC 3261 19.1.1, RFC 3966) or somebody's note of one names: "+15035550199".

        Of the parameters only ``;phone-context`` counts: what a local number is local to. What is no telephone number
        (an extension, a name) is returned as it is, without parameters."""
        return _number(user, self.country)

    def callable(self, number: str, *, premium: bool = False) -> bool:
        """Whether ``number`` (E.164) is one that a subscriber may have, and calling it costs what calls cost: nothing
        that is charged extra by who is called, unless ``premium``."""
        parsed = _parsed(number, None) if number.startswith("+") else None
        if parsed is None or not phonenumbers.is_valid_number(parsed):
            return False
        return premium or phonenumbers.number_type(parsed) not in _CHARGED


@lru_cache(_KNOWN)  # each is asked for several times a call
def _number(user: str, country: str) -> str:
    """See ``NumberingPlan.number``."""
    text, _, rest = _SCHEME.sub("", user.strip()).partition("@")[0].partition(";")
    text, _, escaped = unquote(text.partition(":")[0]).strip().partition(";")  # some escape the semicolon, too
    rest = f"{rest};{escaped}"
    bare = _SEPARATORS.sub("", _TRUNK_ZERO.sub(r"\1", text))
    if not _DIALLED.fullmatch(bare):
        return text
    context = _SEPARATORS.sub("", _parameters(rest).get("phone-context", ""))
    if not bare.startswith("+") and _DIALLED.fullmatch(context) and context.startswith("+"):
        bare = context + bare
    return _international(bare, country) or text


@lru_cache(_KNOWN)  # parsing takes as long as a SIP message does
def _international(dialled: str, country: str) -> str:
    """``dialled``: digits, perhaps after a plus. "" where they are no number of any country."""
    if len(dialled.lstrip("+")) < _SHORTEST:
        return ""
    if dialled.startswith("+"):
        return _e164(_parsed(dialled, None)) or _foreign(dialled[1:], _e164) or dialled
    national = _parsed(dialled, country)
    if national is not None and phonenumbers.is_valid_number(national):
        return _e164(national)
    return (
        _foreign(dialled, _valid) or _valid(_parsed("+" + dialled, None)) or _e164(national) or _foreign(dialled, _e164)
    )


def _foreign(dialled: str, written: Callable[[PhoneNumber | None], str]) -> str:
    """What follows an international prefix, as ``written`` has it; "" where none is in front."""
    numbers = (dialled.removeprefix(p) for p in _FURTHER_INTERNATIONAL if dialled.startswith(p))
    return next(filter(None, (written(_parsed("+" + number, None)) for number in numbers)), "")


def digits_of(text: str) -> str:
    """The digits of a telephone number: "+1 (503) 555-0101", "tel:+1-503-555-0101;ext=2", "sip:%2B15035550101@host" ->
    "15035550101"; "" for what is none."""
    user = re.sub(r"^(sips?|tel):", "", unquote(text.strip()), flags=re.IGNORECASE)
    user = user.partition("@")[0].partition(";")[0]
    return "" if re.search(r"[^\d\s+().\-/]", user) else "".join(c for c in user if c.isascii() and c.isdigit())


def same_number(one: str, other: str) -> bool:
    """Whether two numbers, as digits, may be one: with or without country and area code, trunk zero, 00 or 011."""
    one, other = one.lstrip("0"), other.lstrip("0")
    short, long = sorted((one, other), key=len)
    return one == other != "" or (len(short) >= LEAST_DIGITS and long.endswith(short))


def countries() -> frozenset[str]:
    """Every country that a plan may be of."""
    return frozenset(phonenumbers.SUPPORTED_REGIONS)


def _parameters(text: str) -> Mapping[str, str]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): unquote(value.strip()) for name, _, value in pairs}


def _parsed(text: str, country: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, country)
    except NumberParseException:
        return None


def _valid(number: PhoneNumber | None) -> str:
    return _e164(number) if number is not None and phonenumbers.is_valid_number(number) else ""


def _e164(number: PhoneNumber | None) -> str:
    """ "" where the digits are too few or too many for their country."""
    if number is None or phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return ""
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)
