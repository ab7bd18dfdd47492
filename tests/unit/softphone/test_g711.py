import numpy as np
import pytest

from ivr.media.process import codec
from ivr.softphone.g711 import SILENCE, Law, decode, encode

LAWS: tuple[Law, ...] = ("PCMU", "PCMA")


@pytest.mark.parametrize(
    ("law", "code", "value"),
    [
        ("PCMU", 0x00, -32124),
        ("PCMU", 0x80, 32124),
        ("PCMU", 0xFF, 0),
        ("PCMU", 0xFE, 8),
        ("PCMA", 0xD5, 8),
        ("PCMA", 0x55, -8),
        ("PCMA", 0xAA, 32256),
        ("PCMA", 0x2A, -32256),
    ],
)
def test_decodes_the_values_of_the_standard(law: Law, code: int, value: int) -> None:
    assert decode(bytes([code]), law)[0] == value


@pytest.mark.parametrize("law", LAWS)
def test_every_code_survives_a_round_trip(law: Law) -> None:
    codes = bytes(range(256))
    values = decode(codes, law)
    assert np.array_equal(decode(encode(values.astype("<i2").tobytes(), law), law), values)


@pytest.mark.parametrize("law", LAWS)
def test_no_sample_moves_further_than_half_a_step(law: Law) -> None:
    samples = np.arange(-32768, 32768, dtype="<i2")
    moved = np.abs(decode(encode(samples.tobytes(), law), law).astype(int) - samples)
    assert np.all(moved <= np.maximum(8, np.abs(samples.astype(int)) / 16 / 2 + 16).clip(max=650))


@pytest.mark.parametrize("law", LAWS)
def test_silence_is_the_code_phones_send(law: Law) -> None:
    assert encode(b"\0\0" * 3, law) == SILENCE[law] * 3


@pytest.mark.parametrize("law", LAWS)
def test_agrees_with_the_services_own_codec(law: Law) -> None:
    """Two tables written apart: the same values out, and no worse a choice of code in."""
    theirs = codec.coder(law)
    codes = bytes(range(256))
    assert np.array_equal(decode(codes, law), theirs.decode(codes))
    samples = np.arange(-32768, 32768, dtype=np.int16)
    ours = np.abs(decode(encode(samples.astype("<i2").tobytes(), law), law).astype(int) - samples)
    other = np.abs(decode(theirs.encode(samples), law).astype(int) - samples)
    assert np.all(ours <= other)


@pytest.mark.parametrize("law", LAWS)
def test_g711_costs_what_it_should(law: Law) -> None:
    clean = (3000 * np.sin(2 * np.pi * 300 * np.arange(8000) / 8000)).astype("<i2")
    error = decode(encode(clean.tobytes(), law), law).astype(float) - clean
    assert 33 < 10 * np.log10(np.mean(clean.astype(float) ** 2) / np.mean(error**2)) < 45
