"""Declarations of variables: options that mean nothing for their type, and bounds that no value can keep."""

from __future__ import annotations

from collections.abc import Iterator

from ivr.dialogue.flows.model import VariableSpec
from ivr.dialogue.spoken.codes import pattern_of
from ivr.dialogue.spoken.phone import LONGEST

_AS_PATTERN = "write pattern: AA-9999, of two letters and four digits"
_MEASURED = ("digits", "phone")  # by length:
_BOUNDED = ("number", "ordinal", "money", "duration")  # by min: and max:


def misused(spec: VariableSpec, name: str) -> Iterator[tuple[str, str, str]]:
    """What is wrong ("bounds", or a key), why, and the remedy."""
    if spec.length is not None and spec.type not in _MEASURED:
        yield "length", f"{name} is a {spec.type}, and length: is of digits and of a phone", "remove length:"
    for key, bound in (("min", spec.minimum), ("max", spec.maximum)):
        if bound is not None and spec.type not in _BOUNDED:
            remedy = "write length: instead" if spec.type in _MEASURED else f"remove {key}:"
            yield key, f"{name} is a {spec.type}, and {key}: is of a number", remedy
    if spec.patterns and spec.type != "code":
        yield "pattern", f"{name} is a {spec.type}, and pattern: is of a code", "remove pattern:"
    elif spec.type == "code" and not spec.patterns:
        yield "bounds", f"{name} is a code, and nothing says how it is written", _AS_PATTERN
    for pattern in spec.patterns:
        try:
            pattern_of(pattern)
        except ValueError as error:
            yield "bounds", f"{name}: {error}", _AS_PATTERN
    if spec.type == "phone" and spec.length is not None:
        longest = spec.length if isinstance(spec.length, int) else spec.length[1]
        if longest > LONGEST:
            why = f"{name} may have {longest} digits, and no telephone number has more than {LONGEST}"
            yield "bounds", why, f"write length: [7, {LONGEST}], or less"
