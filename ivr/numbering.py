"""The numbering plan: every notation of one telephone number becomes the same E.164 number (ITU-T E.164, RFC 3966)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, ValidationResult

_SEPARATORS = re.compile(r"[-.()/\s\u00a0]+")
_SCHEME = re.compile(r"(?i)^(?:tel|sips?):")
_DIALLED = re.compile(r"\+?[0-9]+")
_SHORTEST = 7  # digits: below, it is an extension, a service or an emergency number, and stays what it is
LEAST_DIGITS = 6  # that two numbers of different length must have in common
_FURTHER_INTERNATIONAL = ("00", "011")  # prefixes that trunks of other countries leave in


@dataclass(frozen=True, slots=True)
class NumberingPlan:
    """``country`` (ISO 3166, two letters) is whose prefixes numbers without a country code follow."""

    country: str = "US"

    def number(self, user: str) -> str:
        """The number that a user part (RFC 3261 19.1.1, RFC 3966) or somebody's note of one names: "+15035550199".

        Of the parameters only ``;phone-context`` counts: what a local number is local to. What is no telephone number
        (an extension, a name) is returned as it is, without parameters."""
        text, _, rest = _SCHEME.sub("", user.strip()).partition("@")[0].partition(";")
        text = unquote(text.partition(":")[0]).strip()
        bare = _SEPARATORS.sub("", text)
        if not _DIALLED.fullmatch(bare):
            return text
        context = _SEPARATORS.sub("", _parameters(rest).get("phone-context", ""))
        if not bare.startswith("+") and _DIALLED.fullmatch(context) and context.startswith("+"):
            bare = context + bare
        return self._international(bare) or text

    def _international(self, dialled: str) -> str:
        """``dialled``: digits, perhaps after a plus. "" where they are no number of any country."""
        if len(dialled.lstrip("+")) < _SHORTEST:
            return ""
        if dialled.startswith("+"):
            return _e164(_parsed(dialled, None)) or dialled
        national = _parsed(dialled, self.country)
        if national is not None and phonenumbers.is_valid_number(national):
            return _e164(national)
        for prefix in (*_FURTHER_INTERNATIONAL, ""):
            if dialled.startswith(prefix):
                foreign = _parsed("+" + dialled[len(prefix) :], None)
                if foreign is not None and phonenumbers.is_valid_number(foreign):
                    return _e164(foreign)
        return _e164(national)


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


def _e164(number: PhoneNumber | None) -> str:
    """ "" where the digits are too few or too many for their country."""
    if number is None or phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return ""
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)
