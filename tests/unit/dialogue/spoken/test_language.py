"""A further language is its words, its rules and one line: a little Italian, said and heard."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from ivr.dialogue.engine.compilation import answer_entries
from ivr.dialogue.spoken.english import ENGLISH
from ivr.dialogue.spoken.language import Language, Money, primary, read_language, same_language, served, words
from ivr.dialogue.spoken.languages import LANGUAGES, SYSTEM_PROMPTS, words_for
from ivr.dialogue.spoken.normalisation import (
    date_words,
    dates_heard,
    digits_of,
    fold,
    listed,
    money_words,
    number_of,
    number_words,
    ordinal_of,
    ordinal_words,
)
from ivr.dialogue.spoken.similarity import sound
from ivr.dialogue.spoken.spanish import SPANISH
from ivr.dialogue.understanding.concepts import Concepts, negated, without_politeness


@pytest.mark.parametrize(
    ("tag", "subtag"), [("en", "en"), ("en-US", "en"), ("EN_gb", "en"), ("es-419", "es"), ("", "")]
)
def test_the_primary_subtag(tag: str, subtag: str) -> None:
    assert primary(tag) == subtag


def test_the_region_never_decides() -> None:
    assert same_language("en-GB", "EN_us") and not same_language("es-ES", "en-US")
    assert served("en-GB", ("es", "en-US")) and not served("fr", ("es", "en-US")) and not served("fr", ())
    assert served("fr", None)


SMALL = words("zero uno due tre quattro cinque sei sette otto nove dieci undici dodici")
ITALIAN = Language(
    tag="it",
    cardinal=lambda n: SMALL[n] if n < len(SMALL) else str(n),
    ordinal=lambda n: {1: "primo", 2: "secondo", 3: "terzo"}.get(n, str(n)),
    minus="meno",
    months=words("gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"),
    weekdays=("lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato", "domenica"),
    coming_days=("oggi", "domani", "dopodomani"),
    date=lambda weekday, day, month: f"{weekday} {SMALL[day]} {month}",
    day_forms=lambda day, month: (f"il {SMALL[day]} {month}",) if day < len(SMALL) else (),
    money=Money(("euro", "euro"), ("centesimo", "centesimi"), "e"),
    before_noun=lambda n: "un" if n == 1 else SMALL[n],
    joiner="e",
    concepts={"MOVE": "sposta metti"},
    negations=frozenset({"non"}),
    leads=(words("per favore"),),
    prompts={"nomatch": "Scusi, non ho capito."},
    urgent="Urgente: ",
    somebody="Una persona sconosciuta",
    options=(("il primo",), ("il secondo",), ("nessuno",)),
)


@pytest.fixture(autouse=True)
def italian(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LANGUAGES, ITALIAN.tag, ITALIAN)


def test_numbers_and_dates_are_said_and_heard() -> None:
    assert number_words(-3, "it-IT") == "meno tre" and number_of(["dodici"], "it-IT") == 12
    assert ordinal_words(2, "it") == "secondo" and ordinal_of(["terzo"], "it-CH") == 3
    assert digits_of(["quattro", "zero"], "it-IT") == "40"
    today = date(2026, 3, 3)
    assert date_words(date(2026, 5, 8), "it-IT") == "venerdì otto maggio"
    heard = dates_heard(today, "it-IT")
    assert heard["il otto maggio"] == date(2026, 5, 8) and heard["venerdi"] == date(2026, 3, 6)
    assert heard["domani"] == date(2026, 3, 4)


def test_the_rest_follows() -> None:
    assert money_words(201, "it-IT") == "due euro e un centesimo" and listed("abc", "it-IT") == "a, b e c"
    assert words_for("it-IT").prompts["nomatch"].startswith("Scusi")
    assert [entry.template.slots for entry in answer_entries("film", "title", "it-IT")] == [("film",)]
    assert fold("Perché 2?", "it-IT") == ("perche", "due") and sound("ciao", "it") == "ciao"
    assert without_politeness(("per", "favore", "sposta"), "it") == ("sposta",) and negated(["non"], "it")
    assert Concepts("it-IT", {"queue": ["lista"]}).sequence(["metti", "lista"]) == ("MOVE", "QUEUE")


def test_what_nobody_has_written_is_spoken_in_english() -> None:
    assert words_for("fr-CA") is ENGLISH and words_for("es-MX") is SPANISH and words_for("it-IT") is ITALIAN


@pytest.mark.parametrize("language", [ENGLISH, SPANISH])
def test_the_line_is_never_silent(language: Language) -> None:
    assert tuple(language.prompts) == SYSTEM_PROMPTS and all(language.prompts.values())


def test_a_file_of_words_is_checked_when_it_is_read(tmp_path: Path) -> None:
    written = tmp_path / "words.yaml"
    written.write_text("minus: no\nmonth: [enero]\n")
    with pytest.raises(ValidationError) as refused:
        read_language("es", str(written), cardinal=str, ordinal=str, before_noun=str, date=str, day_forms=str)
    wrong = {error["loc"][0] for error in refused.value.errors()}
    assert "month" in wrong and "prompts" in wrong and "minus" not in wrong  # in these files, "no" is a word
