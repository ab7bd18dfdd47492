"""What every recogniser must do: Moonshine and sherpa-onnx in English, Vosk in Korean, all on real models."""

from __future__ import annotations

import resource
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np
import pytest

from ivr.dialogue.flows.phrases import parse_phrase
from ivr.dialogue.spoken.codes import pattern_of
from ivr.dialogue.understanding.grammar_compiler import Entry, Outline, StateGrammar
from ivr.dialogue.understanding.measure_slots import DurationSlot, MoneySlot
from ivr.dialogue.understanding.n_best import understand
from ivr.dialogue.understanding.risk import RiskWords
from ivr.events import Accept, Cause
from ivr.ports import CharacterRun, SpeechGrammar
from ivr.speech.recognisers.vosk import VoskRecogniser
from ivr.speech.worker.engines import Cancelled
from tests.contract.speech.conftest import KOREAN_MODEL, Subject

NO_RISKS = RiskWords.of({}, {}, (), "en-US", {})


def test_templates_are_heard_like_phrases(subject: Subject) -> None:
    """The same sentence, as a value in a template; its whole text comes back, and no phrase's number."""
    said = subject.grammar.phrases[0]
    words = said.split()
    template = ("{first}", *words[1:])
    values = tuple(dict.fromkeys(phrase.split()[0] for phrase in subject.grammar.phrases))
    grammar = SpeechGrammar(
        f"slots-{subject.recogniser.name}", subject.grammar.language, (), None, (template,), (("first", values),)
    )
    heard = subject.recogniser.recognise(subject.say(said), grammar)
    assert heard.cause is Cause.SUCCESS and (heard.nbest[0].text, heard.nbest[0].phrase) == (said, None)


def test_hears_every_phrase_of_the_grammar(subject: Subject) -> None:
    wrong = []
    for index, phrase in enumerate(subject.grammar.phrases):
        recognition = subject.hear(phrase)
        best = recognition.nbest[0] if recognition.nbest else None
        if recognition.cause is not Cause.SUCCESS or best is None or (best.text, best.phrase) != (phrase, index):
            wrong.append((phrase, recognition))
    assert wrong == []


def test_fills_in_what_the_log_needs(subject: Subject) -> None:
    speech = subject.say(subject.grammar.phrases[0])
    recognition = subject.hear(subject.grammar.phrases[0])
    assert recognition.engine == subject.recogniser.name
    assert recognition.duration_s == pytest.approx(len(speech) / 8000, abs=0.01)
    assert recognition.took_s > 0
    assert recognition.transcript


def test_nbest_is_ordered_in_range_and_without_doubles(subject: Subject) -> None:
    for phrase in subject.grammar.phrases[:4]:
        nbest = subject.hear(phrase).nbest
        levels = [h.confidence for h in nbest]
        assert levels == sorted(levels, reverse=True) and all(0.0 <= c <= 1.0 for c in levels)
        assert len({h.text for h in nbest}) == len(nbest)
        for h in nbest:
            assert h.phrase is not None and subject.grammar.phrases[h.phrase] == h.text


def test_rejects_what_is_not_in_the_grammar(subject: Subject) -> None:
    for text in subject.outside:
        recognition = subject.hear(text)
        if subject.rejects:
            assert recognition.cause is Cause.NO_MATCH, (text, recognition)
        assert all(h.verdict is not Accept.ACCEPT for h in recognition.nbest)
        assert recognition.transcript  # what the dialogue falls back to


@pytest.mark.parametrize("level", [0.003, 0.05])
def test_noise_is_no_match(subject: Subject, level: float) -> None:
    noise = np.random.default_rng(5).normal(0, level, 8_000).astype(np.float32)
    assert subject.recogniser.recognise(noise, subject.grammar).cause is Cause.NO_MATCH


@pytest.mark.parametrize("seconds", [0.0, 0.02, 1.0])
def test_silence_is_no_match(subject: Subject, seconds: float) -> None:
    silence = np.zeros(int(8000 * seconds), np.float32)
    recognition = subject.recogniser.recognise(silence, subject.grammar)
    assert recognition.cause is Cause.NO_MATCH


def test_a_cancelled_recognition_stops(subject: Subject) -> None:
    asked = threading.Event()

    def cancelled() -> bool:
        already = asked.is_set()
        asked.set()
        return already  # at the second question: in the middle of the work

    with pytest.raises(Cancelled):
        subject.recogniser.recognise(subject.say(subject.grammar.phrases[0]), subject.grammar, cancelled)


def test_several_calls_at_once_hear_what_they_hear_alone(subject: Subject) -> None:
    phrases = subject.grammar.phrases[:2]
    clips = [subject.say(p) for p in phrases] * 2
    with ThreadPoolExecutor(4) as pool:
        heard = list(pool.map(lambda c: subject.recogniser.recognise(c, subject.grammar), clips))
    assert [r.nbest for r in heard] == [subject.hear(p).nbest for p in phrases] * 2


def test_a_grammar_is_compiled_once(subject: Subject) -> None:
    name = f"again-{subject.recogniser.name}"
    first = SpeechGrammar(name, subject.grammar.language, subject.grammar.phrases)
    subject.recogniser.compile(first)
    changed = SpeechGrammar(name, subject.grammar.language, ())  # same key: must not be compiled anew
    phrase = subject.grammar.phrases[1]
    assert subject.recogniser.recognise(subject.say(phrase), changed).nbest[0].text == phrase


def test_an_empty_grammar_gives_the_transcript_only(subject: Subject) -> None:
    empty = SpeechGrammar(f"empty-{subject.recogniser.name}", subject.grammar.language, ())
    recognition = subject.recogniser.recognise(subject.say(subject.grammar.phrases[0]), empty)
    assert recognition.cause is Cause.NO_MATCH and recognition.nbest == () and recognition.transcript


def test_odd_phrases_hurt_nobody(subject: Subject) -> None:
    odd = (
        'say "quotes"',
        "back\\slash",
        "[unk]",
        "{}",
        " ",
        "\u200b",
        "x" * 500,
        "über ñandú 漢字",
        subject.grammar.phrases[1],
    )
    grammar = SpeechGrammar(f"odd-{subject.recogniser.name}", subject.grammar.language, odd)
    recognition = subject.recogniser.recognise(subject.say(subject.grammar.phrases[1]), grammar)
    assert recognition.nbest[0].phrase == len(odd) - 1


@pytest.mark.slow
def test_memory_stays_flat_over_a_hundred_utterances(subject: Subject) -> None:
    count = 8 if subject.recogniser.name == "vosk" else 100  # the Korean model takes a second each
    clips = [subject.say(p)[2_000:6_000] for p in subject.grammar.phrases[:4]]

    def run(times: int) -> int:
        for i in range(times):
            subject.recogniser.recognise(clips[i % len(clips)], subject.grammar)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = run(count // 4)
    after = run(count - count // 4)
    assert after - before < 20_000  # kB


# --- one vendor each ---------------------------------------------------------------------------------------


def test_moonshine_hears_digit_strings(english: Subject) -> None:
    grammar = SpeechGrammar("digits", "en-US", ("agent",), CharacterRun(6, 8))
    for said, digits in (
        ("4 1 7 2 9 0", "417290"),
        ("five five five, oh one nine nine", "5550199"),
        ("My number is 9 8 1 4 6 2", "981462"),
    ):
        best = english.recogniser.recognise(english.say(said), grammar).nbest[0]
        assert (best.text, best.phrase) == (digits, None)
        assert best.verdict is not Accept.REJECT
    assert english.recogniser.recognise(english.say("Agent."), grammar).nbest[0].phrase == 0


def test_moonshine_hears_codes(english: Subject) -> None:
    places = tuple(pattern_of("AA-9999").places)
    grammar = SpeechGrammar("codes", "en-US", ("agent", "b"), CharacterRun(6, 6, (places,)))
    for said, code in (
        ("Bravo kilo one two three four.", "BK1234"),
        ("B as in boy, K as in kilo, one two three four.", "BK1234"),
        ("M N, nine eight seven six.", "MN9876"),
        ("D T five five oh one.", "DT5501"),
    ):
        best = english.recogniser.recognise(english.say(said), grammar).nbest[0]
        assert (best.text, best.phrase) == (code, None)
        assert best.verdict is not Accept.REJECT


@pytest.mark.parametrize(
    ("kind", "said", "value"),
    [
        ("duration", "An hour and a half.", 90),
        ("duration", "Ninety minutes.", 90),
        ("duration", "Two hours and fifteen minutes.", 135),
        ("duration", "Two and a half hours.", 150),
        ("money", "Twelve dollars and fifty cents.", 1250),
        ("money", "A hundred dollars.", 10_000),
        ("money", "Three hundred forty two dollars.", 34_200),
    ],
)
def test_moonshine_hears_how_long_and_how_much(english: Subject, kind: str, said: str, value: int) -> None:
    slot = DurationSlot("en-US", 1, 480) if kind == "duration" else MoneySlot("en-US", 100, 100_000)
    outline = Outline([Entry("answer", parse_phrase("{it}", "en-US"))])
    grammar = StateGrammar(outline, {"it": slot}, "en-US")
    heard = understand(english.recogniser.recognise(english.say(said), grammar.speech), grammar, NO_RISKS)
    assert heard.best is not None and heard.best.meaning.slots["it"].value == value


def test_moonshine_asks_about_minimal_pairs(english: Subject) -> None:
    grammar = SpeechGrammar("pair", "en-US", ("put alien first", "put aliens first"))
    noise = np.random.default_rng(3).normal(0, 0.02, 80_000).astype(np.float32)
    for said in grammar.phrases:
        speech = english.say(said)
        recognition = english.recogniser.recognise(speech + noise[: len(speech)], grammar)
        best = recognition.nbest[0]
        assert best.text == said or best.verdict is not Accept.ACCEPT


def test_moonshine_is_sure_of_a_plain_yes_and_no(english: Subject) -> None:
    """Also where other words for them sound alike."""
    words = ("yes", "no", "nah", "nope", "yeah", "no thanks")
    grammar = SpeechGrammar("yes-no", "en-US", words, means=(0, 1, 1, 1, 0, 1))
    for said in ("Yes.", "No.", "No thanks."):
        best = english.recogniser.recognise(english.say(said), grammar).nbest[0]
        assert (best.text, best.verdict) == (said.strip(".").lower(), Accept.ACCEPT)


@pytest.mark.parametrize("said", ["thirteen", "thirty", "fifteen", "fifty", "three", "third"])
def test_moonshine_never_takes_one_number_for_another(english: Subject, said: str) -> None:
    numbers = ("three", "thirteen", "thirty", "fifteen", "fifty", "the third", "third", "five", "fifth")
    grammar = SpeechGrammar("numbers", "en-US", (), None, (("move", "vertigo", "to", "{n}"),), (("n", numbers),))
    noise = np.random.default_rng(4).normal(0, 0.015, 80_000).astype(np.float32)
    for level in (0.0, 1.0):
        speech = english.say(f"Move Vertigo to {said}.")
        best = english.recogniser.recognise(speech + level * noise[: len(speech)], grammar).nbest[0]
        assert best.text == f"move vertigo to {said}" or best.verdict is not Accept.ACCEPT


def test_moonshine_writes_the_same_whatever_is_listened_for(english: Subject) -> None:
    """The free transcript is decoded beside the beam, in its batches."""
    others = SpeechGrammar("others", "en-US", ("swap casablanca and metropolis", "what's on", "a gent"))
    for phrase in english.grammar.phrases[:6]:
        assert english.recogniser.recognise(english.say(phrase), others).transcript == english.hear(phrase).transcript


def test_moonshine_is_less_sure_of_its_words_in_noise(english: Subject) -> None:
    free = SpeechGrammar("free", "en-US", ())
    speech = english.say("Please call me back after three in the afternoon.")
    noise = np.random.default_rng(1).normal(0, float(np.sqrt((speech**2).mean())), len(speech)).astype(np.float32)
    clean, noisy = (english.recogniser.recognise(sound, free).clarity for sound in (speech, speech + noise))
    assert clean is not None and noisy is not None and 1.0 >= clean > 0.7 > noisy > 0.0


def test_moonshine_tells_what_an_unclear_sentence_may_have_been(english: Subject) -> None:
    speech = english.say("Please call me back after three in the afternoon.")
    noise = np.random.default_rng(1).normal(0, float(np.sqrt((speech**2).mean())), len(speech)).astype(np.float32)
    heard = english.recogniser.recognise(speech + noise, english.grammar)
    chances = [chance for _, chance in heard.alternatives]
    assert heard.cause is Cause.NO_MATCH and len(chances) > 1
    assert chances == sorted(chances, reverse=True) and sum(chances) == pytest.approx(1.0, abs=0.001)
    assert len(dict(heard.alternatives)) == len(chances) and heard.transcript in dict(heard.alternatives)
    again = english.recogniser.recognise(speech + noise, english.grammar)
    assert again.alternatives == heard.alternatives
    assert not english.recogniser.recognise(speech + noise, english.grammar, hurried=lambda: True).alternatives
    asked = count()
    soon = english.recogniser.recognise(speech + noise, english.grammar, hurried=lambda: next(asked) > 12)
    assert next(asked) > 13, "somebody began to wait in mid-work"
    assert not soon.alternatives and (soon.cause, soon.transcript) == (heard.cause, heard.transcript)


def test_moonshine_tells_no_alternatives_to_what_it_heard_well(english: Subject) -> None:
    assert not any(english.hear(phrase).alternatives for phrase in english.grammar.phrases)


def test_moonshine_takes_thousands_of_phrases(english: Subject) -> None:
    words = [
        "red",
        "blue",
        "green",
        "black",
        "white",
        "silver",
        "golden",
        "secret",
        "silent",
        "lost",
        "last",
        "first",
        "hidden",
        "broken",
        "burning",
    ]
    titles = [f"the {a} {b} {c}" for a in words for b in words for c in ("train", "city", "summer", "garden")]
    phrases = tuple(f"{verb} {t}" for t in titles for verb in ("remove", "add", "hold", "skip", "find", "play"))
    assert len(phrases) > 5000
    grammar = SpeechGrammar("many", "en-US", phrases)
    best = english.recogniser.recognise(english.say("Remove the silver secret garden."), grammar).nbest[0]
    assert best.text == "remove the silver secret garden"


def test_vosk_reports_words_that_its_model_lacks(korean: Subject) -> None:
    grammar = SpeechGrammar("unknown", "ko-KR", ("casablanca 영화", "영화", "qqqq"))
    assert set(korean.recogniser.compile(grammar)) == {"casablanca", "qqqq"}
    best = korean.recogniser.recognise(korean.say("영화"), grammar).nbest[0]
    assert best.phrase == 1


def test_vosk_with_nothing_but_unknown_words_does_not_crash(korean: Subject) -> None:
    grammar = SpeechGrammar("all-unknown", "ko-KR", ("zzzz", "qqqq"))
    assert korean.recogniser.recognise(korean.say("영화"), grammar).cause is Cause.NO_MATCH


def test_vosk_shares_one_model(korean: Subject) -> None:
    assert isinstance(korean.recogniser, VoskRecogniser)
    assert korean.recogniser.languages == ("ko-KR",) and KOREAN_MODEL.is_dir()
    assert korean.recogniser.knows("영화") and not korean.recogniser.knows("casablanca")
