"""One file: what is read, where it stands, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.dialogue.flows.model import Flow
from ivr.dialogue.flows.source import parse, read_directory, source_files

GOOD = """\
# a comment
flow: titles
start: menu
variables:
  title: {type: title, from: [queue]}
states:
  menu:
    prompt: {1: "Yes?", 2: "And?"}
    choices:
      - {intent: stop, key: 1, label: 1984, goto: bye}
    timeout: 800ms
  bye: {prompt: "Bye: now", end: done}
"""


def test_a_flow_is_read_with_positions() -> None:
    parsed = parse("titles.yaml", GOOD)
    assert parsed.findings == ()
    assert isinstance(parsed.model, Flow)
    choice = parsed.model.states["menu"].choices[0]
    assert (choice.key, choice.label) == ("1", "1984")
    assert parsed.model.states["menu"].timeout == 0.8
    positions = parsed.positions
    assert (positions.key("states", "menu").line, positions.key("states", "menu").column) == (7, 3)
    goto = positions.value("states", "menu", "choices", 0, "goto")
    assert (goto.line, goto.column, goto.text) == (10, 51, "bye")
    prompt = positions.value("states", "menu", "prompt", 2, 0, "say")
    assert (prompt.line, prompt.column, prompt.text) == (8, 28, "And?")


def test_words_that_other_yaml_takes_for_booleans_are_words() -> None:
    parsed = parse("titles.yaml", GOOD.replace("goto: bye}", "goto: no}").replace("  bye:", "  no:"))
    assert isinstance(parsed.model, Flow)
    assert parsed.model.states["menu"].choices[0].goto == "no"


def test_concepts_are_of_single_words() -> None:
    text = "wording: universals\nlanguage: en-US\nconcepts:\n  queue: [lineup, my list]\n"
    assert parse("universals.en-US.yaml", text.replace("my list", "list")).findings == ()
    (finding,) = parse("universals.en-US.yaml", text).findings
    assert (finding.line, finding.text) == (4, "my list") and "not one word" in finding.why


def test_everything_wrong_is_said_at_once() -> None:
    text = """\
flow: titles
abuot: x
start: menu
variables:
  title: {type: titel}
states:
  menu:
    choices:
      - {intent: x, key: 05, goto: menu}
      - {intent: x, kee: 5, goto: menu}
    timeout: 9x
    bargein: perhaps
  menu: {goto: menu}
"""
    findings = parse("titles.yaml", text).findings
    assert [(f.code, f.line, f.text) for f in findings] == [
        ("unknown-key", 2, "abuot"),
        ("bad-value", 5, "titel"),
        ("bad-key", 9, "05"),
        ("unknown-key", 10, "kee"),
        ("bad-value", 11, "9x"),
        ("bad-value", 12, "perhaps"),
        ("duplicate-key", 13, "menu"),
    ]
    assert [f.remedy for f in findings[:2]] == ["did you mean about?", "did you mean title?"]
    assert all(f.remedy and f.why and f.column > 0 for f in findings)


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("", "empty-file", 1),
        ("- a", "empty-file", 1),
        ("flwo: titles", "unknown-kind", 1),
        ("flow: a\nwording: b", "unknown-kind", 2),
        ("flow: x\n\tb: c", "tab", 2),
        ('flow: "x', "syntax", 1),
        ("flow: x: y", "syntax", 1),
        ("flow: x\nabout: [a, b", "syntax", 2),
        ("flow: x\nabout: &a y", "anchor", 2),
        ("flow: x\nabout: *a", "alias", 2),
        ("flow: x\nabout: !!python/object:os.system y", "tag", 2),
        ("flow: x\nabout: !y z", "tag", 2),
        ("flow: x\n<<: {about: y}", "merge-key", 2),
        ("flow: x\nflow: y", "duplicate-key", 2),
        ("flow: x\ntrue: y", "key-not-text", 2),
        ("flow: x\n1.5: y", "key-not-text", 2),
        ("flow: x\n? [a]\n: y", "key-not-text", 2),
        ("flow: x\n---\nflow: y", "several-documents", 2),
        ("flow: x\nabout: \udcff", "wrong-encoding", 2),
        ("flow: x\nabout: a\x00b", "wrong-encoding", 2),
        ("flow: x\nabout: " + "[" * 60, "too-deep", 2),
        ("flow: X1\nstart: a\nstates: {a: {end: x}}", "bad-name", 1),
    ],
)
def test_refused(text: str, code: str, line: int) -> None:
    parsed = parse("x.yaml", text)
    assert parsed.model is None
    assert (code, line) in [(f.code, f.line) for f in parsed.findings], [f.render() for f in parsed.findings]
    assert all(f.remedy for f in parsed.findings)


def test_what_is_left_of_a_wrong_file_is_kept_as_a_draft() -> None:
    parsed = parse("titles.yaml", GOOD.replace("timeout:", "tiemout:"))
    assert parsed.model is None
    assert isinstance(parsed.draft, Flow)
    assert set(parsed.draft.states) == {"menu", "bye"}


@pytest.mark.parametrize(
    ("text", "line", "remedy"),
    [
        ("flow: “main”\nstart: a\n", 1, "curly quotes “ ”"),
        ("flow: main\nabout: ‘hello’\n", 2, "curly quotes ‘ ’"),
        ("flow: main\nstates:\n  a: {prompt: “one, two: three”, end: x}\n", 3, "curly quotes “"),
        ("flow: main\nstates:\n  “a”: {end: x}\n", 3, "curly quotes “ ”"),
        ("flow:\u00a0main\nstart: a\n", 2, "U+00A0"),
        ("flow: main\nstart\u200b: a\n", 2, "U+200B"),
    ],
)
def test_what_no_keyboard_makes_is_told_in_clear_words(text: str, line: int, remedy: str) -> None:
    found = [f for f in parse("main.yaml", text).findings if remedy in f.remedy]
    assert found and found[0].line == line, [f.render() for f in parse("main.yaml", text).findings]


def test_curly_quotes_inside_a_text_are_text() -> None:
    assert parse("titles.yaml", GOOD.replace("Bye: now", "Don’t say “no”")).findings == ()


def test_a_byte_order_mark_is_no_fault() -> None:
    assert parse("titles.yaml", "\ufeff" + GOOD).findings == ()


def test_hidden_files_are_other_programs(tmp_path: Path) -> None:
    (tmp_path / "titles.yaml").write_text(GOOD)
    (tmp_path / "._titles.yaml").write_bytes(b"\x00\x05\x16\x07\x00\x02")
    (tmp_path / "._titles.test.yaml").write_bytes(b"\x00\x05\x16\x07\x00\x02")
    (tmp_path / ".titles.yaml.swp.yaml").write_text("half a file: [")
    assert [path.name for path in source_files(tmp_path)] == ["titles.yaml"]
    assert list(read_directory(tmp_path)) == ["titles.yaml"]


def test_a_directory_is_read_without_its_tests(tmp_path: object) -> None:
    from pathlib import Path

    directory = Path(str(tmp_path))
    (directory / "main.yaml").write_text("flow: main", "utf-8")
    (directory / "main.test.yaml").write_text("tests: []", "utf-8")
    (directory / "readme.md").write_text("x", "utf-8")
    (directory / "latin.yaml").write_bytes(b"flow: caf\xe9")
    sources = read_directory(directory)
    assert list(sources) == ["latin.yaml", "main.yaml"]
    assert [f.code for f in parse("latin.yaml", sources["latin.yaml"]).findings] == ["wrong-encoding"]
