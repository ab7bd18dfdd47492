"""Frames on the worker socket."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.events import Accept, Cause, Hypothesis, Manner, Recognition
from ivr.ports import DigitRun, SpeechGrammar
from ivr.speech.framing import BrokenFrame, Message, Sound, encode_audio, encode_message, read_frame
from ivr.speech.wire_values import pack_grammar, pack_recognition, unpack_grammar, unpack_recognition


async def read(data: bytes) -> list[Sound | Message]:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    frames = []
    while not reader.at_eof():
        frames.append(await read_frame(reader))
    return frames


async def test_frames_come_back_as_they_were() -> None:
    data = encode_audio(7, 12.5, b"\x01\x02" * 160) + encode_message(3, {"op": "listen", "ü": [1]}, b"blob\n")
    assert await read(data) == [Sound(7, 12.5, b"\x01\x02" * 160), Message(3, {"op": "listen", "ü": [1]}, b"blob\n")]


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff\x01\x00\x00\x00\x00",
        b"\x00\x00\x00\x02\x09\x00\x00\x00\x00hi",
        b"\x00\x00\x00\x06\x02" + bytes(8) + b"{]",
    ],
)
async def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(BrokenFrame):
        await read(data)


async def test_a_cut_frame_is_the_end_of_the_stream() -> None:
    with pytest.raises(asyncio.IncompleteReadError):
        await read(encode_audio(1, 0.0, bytes(320))[:-1])


def test_a_recognition_survives_the_trip() -> None:
    recognition = Recognition(
        Cause.SUCCESS,
        (Hypothesis("yes", 0.9, 0, Accept.ACCEPT), Hypothesis("417", 0.4, None, Accept.REJECT)),
        "Yes.",
        1.2,
        0.1,
        "moonshine",
        Manner(1.0, 2.0, 3.0, 4.0),
    )
    assert unpack_recognition(pack_recognition(recognition)) == recognition


@given(
    st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1), max_size=5),
    st.one_of(st.none(), st.just(DigitRun(3, 8))),
    st.lists(st.lists(st.sampled_from(["move", "{title}", "{n}"]), min_size=1).map(tuple), max_size=3),
    st.dictionaries(st.sampled_from(["title", "n"]), st.lists(st.sampled_from(["alien", "two", "e t"]))),
)
def test_a_grammar_survives_the_trip(
    phrases: list[str],
    digits: DigitRun | None,
    templates: list[tuple[str, ...]],
    slots: dict[str, list[str]],
) -> None:
    values = tuple((name, tuple(said)) for name, said in slots.items())
    grammar = SpeechGrammar("k", "en-US", tuple(phrases), digits, tuple(templates), values, frozenset(slots))
    assert unpack_grammar(*pack_grammar(grammar)) == grammar
