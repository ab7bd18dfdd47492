"""Symbols and abbreviations: what is spoken is written as words, since every voice reads signs in its own way."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ivr.dialogue.checker.findings import Findings
from ivr.dialogue.checker.spoken_texts import spoken_texts
from ivr.dialogue.flows.wording import SLOT

_Rule = tuple[re.Pattern[str], str]


def _rules(*pairs: tuple[str, str]) -> Sequence[_Rule]:
    return tuple((re.compile(pattern, re.IGNORECASE), words) for pattern, words in pairs)


_ADDRESS = r"https?://\S+|\bwww\.\S+|\b[\w-]+\.(?:com|org|net|info|es|eu|io)\b(?:/\S*)?"
SIGNS: Mapping[str, Sequence[_Rule]] = {
    "en": _rules(
        (r"[\w.+-]+@[\w-]+\.\w+", "NAME at COMPANY dot com, or offer to send it as a message"),
        (_ADDRESS, "the address in words: example dot com"),
        (r"\b24/7\b", "day and night"),
        (r"&", "and"), (r"%", "percent"), (r"#\s*\d+", "number, and the figure"), (r"#", "the pound key"),
        (r"\bno\.\s*(?=\d)", "number"), (r"[$€£]\s*\d[\d.,]*|\d[\d.,]*\s*[€£]", "the sum and its currency in words"),
        (r"\bdr\.", "doctor"), (r"\bmrs\.", "missus"), (r"\bmr\.", "mister"), (r"\bapprox\.", "about"),
        (r"\be\.\s?g\.", "for example"), (r"\bi\.\s?e\.", "that is"), (r"\betc\.", "and so on"),
        (r"\bvs\.", "against"), (r"\bappt\b\.?", "appointment"), (r"\bext\.", "extension"), (r"\bdept\.", "department"),
        (r"\bhrs\b\.?", "hours"), (r"\bmins?\.", "minutes"), (r"\b(?:mon|tue|wed|thu|fri|sat|sun)\s?[-–]\s?\w{3}\b",
        "Monday to Friday, in full"), (r"\b\w+/\w+\b", "or, or and"), (r"(?<=\d)\s?[-–]\s?(?=\d)", "to"),
        (r"[=+<>~^_\\|•→°§©®™]", "a word for the sign"),
    ),
    "es": _rules(
        (r"[\w.+-]+@[\w-]+\.\w+", "NOMBRE arroba EMPRESA punto com"),
        (_ADDRESS, "the address in words: ejemplo punto com"),
        (r"\b24/7\b|\b24\s?h\b", "día y noche"),
        (r"&", "y"), (r"%", "por ciento"), (r"#\s*\d+|\bn[º°.]\s*(?=\d)|\bnúm\.", "número"), (r"#", "almohadilla"),
        (r"[$€£]\s*\d[\d.,]*|\d[\d.,]*\s*[€£]", "the sum and its currency in words"),
        (r"\bdra\.", "doctora"), (r"\bdr\.", "doctor"), (r"\bsra\.", "señora"), (r"\bsr\.", "señor"),
        (r"\buds?\.", "usted"), (r"\baprox\.", "aproximadamente"), (r"\bp\.\s?ej\.", "por ejemplo"),
        (r"\betc\.", "etcétera"), (r"\btel\.", "teléfono"), (r"\bavda?\.", "avenida"), (r"\bpág\.", "página"),
        (r"\bmin\.", "minutos"), (r"\bhrs?\b\.?", "horas"), (r"\b\w+/\w+\b", "o, or y"),
        (r"(?<=\d)\s?[-–]\s?(?=\d)", "a"), (r"[=+<>~^_\\|•→°§©®™]", "a word for the sign"),
    ),
}  # fmt: skip
"""By language: what is no word, and the words to write."""

_CAPITALS = re.compile(r"\b[A-ZÁÉÍÓÚÑ]{2,}\b")
SAID_RIGHT = frozenset({
    "OK", "PIN", "TV", "DVD", "CD", "ID", "AM", "PM", "USA", "US", "UK", "EU", "VIP", "ATM", "SMS", "ZIP", "GPS", "DNI",
    "NIF", "NIE", "IVA",
})  # fmt: skip
"""Capitals that every voice says as people do."""
_VOWELS = frozenset("AEIOUÁÉÍÓÚ")


def check_symbols(findings: Findings) -> None:
    for said in spoken_texts(findings):
        bare = SLOT.sub("…", said.text)
        for why, remedy in (sign_in(bare, said.language), capitals_in(bare)):
            if why:
                findings.add("symbol-spoken", said.place, why, remedy, severity="warning", text=said.text)


def sign_in(text: str, language: str) -> tuple[str, str]:
    """The first sign or abbreviation: why it isn't to be spoken, and what to write. Empty where all are words."""
    for pattern, words in SIGNS.get(language.partition("-")[0], ()):
        if (found := pattern.search(text)) is not None:
            sign = found.group().strip()
            remedy = f"write what callers should hear instead of “{sign}”: {words}"
            return f"“{sign}” is no word, and every voice reads it in its own way", remedy
    return "", ""


def capitals_in(text: str) -> tuple[str, str]:
    """The same of the first word in capitals that voices don't agree on."""
    strange = (word for word in _CAPITALS.findall(text) if word not in SAID_RIGHT)
    if (word := next(strange, "")) == "":
        return "", ""
    shouted = len(word) > 4 and not _VOWELS.isdisjoint(word)
    remedy = f"write {word.lower()}" if shouted else f"write the words that it stands for, or {' '.join(word)}"
    return f"{word} is read as a word by some voices, and as letters by others", remedy
