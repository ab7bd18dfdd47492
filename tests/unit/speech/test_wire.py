"""The speech protocol: every message comes back as it was."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.events import (
    Accept,
    Cause,
    Heard,
    Hypothesis,
    Manner,
    RecogniserFailed,
    Recognition,
    SpeechEnded,
    SpeechStarted,
)
from ivr.ports import CharacterRun, SpeechGrammar
from ivr.speech import wire
from ivr.speech.wire import (
    GRAMMAR,
    RECOGNITION,
    Close,
    Engine,
    Grammar,
    Level,
    Listen,
    Message,
    Open,
    Ready,
    Recognise,
    Render,
    Setup,
    Unsure,
)
from ivr.workers.frames import REQUEST

PACKED = GRAMMAR.dump_json(SpeechGrammar("k", "en-US", ("yes", "no"), CharacterRun(3, 8), counted=frozenset({"n"})))
RECOGNITION_OF_YES = Recognition(
    Cause.SUCCESS,
    (Hypothesis("yes", 0.9, 0, Accept.ACCEPT), Hypothesis("417", 0.4, None, Accept.REJECT)),
    "Yes.",
    1.2,
    0.1,
    "moonshine",
    Manner(1.0, 2.0, 3.0, 4.0),
)


@pytest.mark.parametrize(
    "message",
    [
        Setup("vosk", "/models", ("hibari",)),
        Ready((Engine("moonshine", ("en",)), Engine("vosk", ("es-ES",), "no model")), complete=True),
        Open("en-US"),
        Open("en-US", unsure=True),
        Listen(),
        Grammar("k", PACKED),
        Listen("k", 0.5, 12.0, False),
        Close(),
        Recognise("k", bytes(range(256))),
        Render("hibari", "¿Qué? “{x}”", "es-US", ""),
        Level(bytes(range(256))),
        SpeechStarted(12.5),
        SpeechEnded(13.0),
        Heard(RECOGNITION_OF_YES, 13.0),
        Heard(replace(RECOGNITION_OF_YES, seconded=("Yes.", "yeah"))),
        Heard(replace(RECOGNITION_OF_YES, alternatives=(("Yes.", 0.7), ("Guess.", 0.3)))),
        Unsure(Heard(RECOGNITION_OF_YES, 13.0), bytes(range(256))),
        RecogniserFailed("it died"),
    ],
)
def test_a_message_survives_the_trip(message: Message) -> None:
    kind, body = wire.encode(message)
    if isinstance(message, Recognise | Render | Level):
        assert wire.decode(kind, REQUEST.pack(7) + body) == (message, 7)
    else:
        assert wire.decode(kind, body) == (message, 0)


def test_audio_survives_the_trip() -> None:
    assert wire.parse_audio(wire.audio(12.5, b"\x01\x02" * 160)) == (12.5, b"\x01\x02" * 160)


def test_a_recognition_survives_the_trip() -> None:
    assert RECOGNITION.validate_json(RECOGNITION.dump_json(RECOGNITION_OF_YES)) == RECOGNITION_OF_YES


@pytest.mark.parametrize("body", [b"\0\0\0\x02{]", b'\0\0\0\x0f{"language": 12}'])
def test_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="validation error"):
        wire.decode(wire.encode(Open("en-US"))[0], body)


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=5),
    st.one_of(st.none(), st.just(CharacterRun(3, 8))),
    st.lists(st.lists(st.sampled_from(["move", "{title}", "{n}"]), min_size=1).map(tuple), max_size=3),
    st.dictionaries(st.sampled_from(["title", "n"]), st.lists(st.sampled_from(["alien", "two", "e t"]))),
)
def test_a_grammar_survives_the_trip(
    phrases: list[str],
    digits: CharacterRun | None,
    templates: list[tuple[str, ...]],
    slots: dict[str, list[str]],
) -> None:
    values = tuple((name, tuple(said)) for name, said in slots.items())
    grammar = SpeechGrammar("k", "en-US", tuple(phrases), digits, tuple(templates), values, frozenset(slots))
    assert asdict(GRAMMAR.validate_json(GRAMMAR.dump_json(grammar))) == asdict(grammar)
