"""Whatever a file contains: findings, never a traceback, never a hang, never code of its own."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from ivr.dialogue.checker.check import check_sources
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.format import format_text
from ivr.dialogue.flows.schema import flow_schema
from ivr.dialogue.flows.source import Parsed, parse, read_directory
from tests.unit.dialogue.checker.corpus import SIGNATURES, good
from tests.unit.examples import examples

FLOWS = Path(__file__).parents[4] / "flows"
REFERENCE = read_directory(FLOWS) or good()
FUZZED = LineFacts(SIGNATURES, skills=("general",), services=())
KEYS = sorted({field for body in flow_schema()["$defs"].values() for field in body.get("properties", {})})


def sound(parsed: Parsed, text: str) -> None:
    """What is true of every parse."""
    assert (parsed.model is None) == bool(parsed.findings)
    lines = text.count("\n") + text.count("\r") + 2
    for finding in parsed.findings:
        assert isinstance(finding, Finding)
        assert finding.why
        assert finding.remedy
        assert 0 <= finding.line <= lines
        assert finding.render()


@examples(100)
@given(st.text(max_size=300))
@example("\ufeff")
@example("%YAML 9.9\n---\nflow: x")
@example("? ? ? ?")
@example("flow: x\nstart: 1\nstates: {1: {end: 2}}")
@example("{flow: x, flow: y}")
@example("flow: !!binary aGk=")
@example("- - - - - -")
@example("a: |\n\tx")
@example("flow: x\nstates: {²: {end: x}}\nstart: ²")
@example("flow: x\nstart: a\nstates: {a: {end: x, prompt: {²: hi}}}")
def test_any_text(text: str) -> None:
    sound(parse("x.yaml", text), text)


@examples(100)
@given(st.binary(max_size=300))
def test_any_bytes(raw: bytes) -> None:
    text = raw.decode("utf-8", "surrogateescape")
    sound(parse("x.yaml", text), text)


@examples(100)
@given(st.integers(0, 2**48))
def test_mutated_reference_flows(seed: int) -> None:
    dice = random.Random(seed)
    name = dice.choice(sorted(REFERENCE))
    raw = bytearray(REFERENCE[name].encode("utf-8"))
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(raw) or 1)
        raw = raw or bytearray(b"x")
        match dice.randint(0, 4):
            case 0:
                raw[at] = dice.randrange(256)
            case 1:
                del raw[at : at + dice.randint(1, 30)]
            case 2:
                raw[at:at] = bytes(dice.choices(b"{}[]:,-#&*!|>'\"%@`\n \t?0a", k=dice.randint(1, 5)))
            case 3:
                other = dice.randrange(len(raw))
                raw[at:at] = raw[other : other + dice.randint(1, 80)]
            case 4:
                raw = raw[: max(1, at)]
    text = bytes(raw).decode("utf-8", "surrogateescape")
    sound(parse(name, text), text)


@examples(20)
@given(st.integers(0, 2**48))
def test_checking_a_directory_with_a_mutated_file(seed: int) -> None:
    """Lines left out, doubled or swapped: often still a flow, seldom a right one."""
    dice = random.Random(seed)
    sources = good()
    name = dice.choice(sorted(sources))
    lines = sources[name].split("\n")
    for _ in range(dice.randint(1, 4)):
        a, b = dice.randrange(len(lines)), dice.randrange(len(lines))
        match dice.randint(0, 3):
            case 0:
                del lines[a : a + dice.randint(1, 3)]
                lines = lines or [""]
            case 1:
                lines.insert(a, lines[b])
            case 2:
                lines[a], lines[b] = lines[b], lines[a]
            case 3:
                words = lines[a].split(" ")
                words[dice.randrange(len(words))] = dice.choice(KEYS)
                lines[a] = " ".join(words)
    sources[name] = "\n".join(lines)
    for finding in check_sources(sources, FUZZED, profile="gethuman-1.0").findings:
        assert finding.remedy
        assert finding.render()
    formatted = format_text(name, sources[name])
    assert format_text(name, formatted.text).text == formatted.text


values = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner),
    max_leaves=25,
)


@examples(100)
@given(st.sampled_from(["flow", "fragment", "wording", "universals"]), st.dictionaries(st.sampled_from(KEYS), values))
def test_any_structure(kind: str, body: dict[str, object]) -> None:
    text = json.dumps({kind: "x", "start": "a", **body})
    sound(parse("x.yaml", text), text)


def test_too_much_is_refused_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr(yaml, "parse", never)
    huge = "flow: x\nabout: " + "x" * 10_000_000
    assert [f.code for f in parse("x.yaml", huge).findings] == ["too-large"]
    (tmp_path / "x.yaml").write_text(huge, "utf-8")
    sources = read_directory(tmp_path)
    assert len(sources["x.yaml"]) < 1_100_000  # no more is read than shows it
    assert [f.code for f in parse("x.yaml", sources["x.yaml"]).findings] == ["too-large"]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "[{a: "])
def test_deep_nesting_stops_at_the_limit(opening: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more of the file is looked at than shows that it is too deep."""
    events = 0
    genuine = yaml.parse

    def counted(*args: object, **kwargs: object):  # type: ignore[no-untyped-def]
        nonlocal events
        for event in genuine(*args, **kwargs):
            events += 1
            yield event

    monkeypatch.setattr(yaml, "parse", counted)
    text = "flow: x\nabout: " + ("\n  " if opening == "- " else "") + opening * 100_000
    assert "too-deep" in [f.code for f in parse("x.yaml", text).findings]
    assert events < 200


def test_a_flow_without_states_is_only_reported() -> None:
    sources = good() | {"size.yaml": "flow: size\nstart: ask\nstates: {}\n"}
    assert "unknown-start" in {f.code for f in check_sources(sources, FUZZED, profile="gethuman-1.0").findings}


def test_an_alias_bomb_does_not_go_off() -> None:
    lines = ["flow: x", "a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    parsed = parse("x.yaml", "\n".join(lines))
    assert parsed.model is None
    assert {"anchor", "alias"} <= {f.code for f in parsed.findings}
    assert len(parsed.findings) <= 100


def test_nothing_from_a_file_is_executed(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    text = f"flow: x\nstart: a\nstates:\n  a: !!python/object/apply:pathlib.Path.touch [!!python/object:x {witness}]\n"
    parsed = parse("x.yaml", text)
    assert "tag" in [f.code for f in parsed.findings]
    sources = good()
    sources["main.yaml"] = sources["main.yaml"].replace(
        "{films|list}", f"{{films|list}} {{__import__('pathlib').Path('{witness}').touch()}}"
    )
    assert check_sources(sources, FUZZED).findings
    assert not witness.exists()
