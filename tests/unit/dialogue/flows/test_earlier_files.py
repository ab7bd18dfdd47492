"""Files of an earlier version: valid as they are; ``ivr flow fmt`` lays them out anew, and calls go as before.

tests/corpus/earlier has what was otherwise before optional values, the company file and the types of this version.
"""

from __future__ import annotations

import pytest

from ivr.__main__ import main
from ivr.dialogue.engine.contract import ActionDone, Record
from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.dialogue.flows.source import read_directory
from ivr.dialogue.flows.yaml_tree import read_tree
from ivr.events import ActionResult
from tests.unit.dialogue.checker.corpus import CORPUS, SIGNATURES, check_corpus, good
from tests.unit.dialogue.talk import Talk

EARLIER = {**good(), **read_directory(CORPUS / "earlier")}
CALLS = (
    ("order Casablanca", "two", "wrapped", "tomorrow", "yes", "read my orders", "goodbye"),
    ("withdraw my order", "yes", "no", "0"),
    ("read my orders", "this is terrible"),
    ("1", "Vertigo", "3", "plain", "in two weeks", "no", "Casablanca", "go back", "operator"),
)


def untidy(text: str) -> str:
    """As editors and people leave it behind: wide, with blanks at the ends, a mark at the beginning, and notes."""
    lines = (" " * (len(line) - len(line.lstrip())) + line for line in text.splitlines())
    wide = "  \r\n".join(
        line.replace(": {", ":   {").replace(", ", ",  ") if '"' not in line else line for line in lines
    )
    return f"\ufeff# ours, since 2019\r\n\r\n\r\n{wide}\r\n\r\n\r\n"


def test_they_are_valid_as_they_are() -> None:
    assert [f.render() for f in check_corpus(EARLIER)] == []


@pytest.fixture(scope="module")
def tidied(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("flows")
    for name, text in EARLIER.items():
        (folder / name).write_text(untidy(text), encoding="utf-8", newline="")
    assert main(["flow", "fmt", "--check", str(folder)]) == 1, "there is something to do"
    assert main(["flow", "fmt", str(folder)]) == 0
    assert main(["flow", "fmt", "--check", str(folder)]) == 0, "and it is done"
    return read_directory(folder)


@pytest.mark.parametrize("name", EARLIER)
def test_they_are_laid_out_and_say_the_same(name: str, tidied: dict[str, str]) -> None:
    assert read_tree(tidied[name]).data == read_tree(EARLIER[name]).data
    assert tidied[name].startswith("# ours, since 2019\n")
    assert not [line for line in tidied[name].split("\n") if line != line.rstrip() or "\r" in line]


def test_they_check_clean_afterwards(tidied: dict[str, str]) -> None:
    assert [f.render() for f in check_corpus(tidied)] == []


def gone(library: FlowLibrary, language: str, said: tuple[str, ...]) -> list[object]:
    """All that happens in a call."""
    talk = Talk(library, entry="main", perform=False, language=language)
    answered = 0
    for words in (None, *said):
        if words is not None:
            (talk.key if words.isdecimal() else talk.say)(words)
        while answered < len(talk.performed):
            token, answered = talk.performed[answered].token, answered + 1
            talk.send(ActionDone(token, ActionResult("ok", {"titles": ["Vertigo"]}, {"member.first_name": "Ada"})))
    told = [effect.what for effect in talk.effects if isinstance(effect, Record)]
    return [*told, *((each.name, each.arguments) for each in talk.performed), *talk.connects, talk.dialogue.state]


@pytest.mark.parametrize("language", ["en-US", "es-ES"])
@pytest.mark.parametrize("said", CALLS, ids=lambda said: said[0])
def test_calls_go_as_before(said: tuple[str, ...], language: str, tidied: dict[str, str]) -> None:
    before, after = (load_library(files, SIGNATURES).library for files in (EARLIER, tidied))
    assert before is not None and after is not None and before.version != after.version
    happened = gone(before, language, said)
    assert len(happened) > 8 and happened == gone(after, language, said)


def test_and_do_what_they_did() -> None:
    """What a call of the earlier version came to, written down when this one came."""
    library = load_library(EARLIER, SIGNATURES).library
    assert library is not None
    happened = gone(library, "en-US", CALLS[0])
    done = [each for each in happened if isinstance(each, tuple)]
    assert [name for name, _ in done] == ["member.find", "order.place", "order.read"]
    assert done[1][1] == {"title": "casablanca", "count": 2}
    withdrawn = gone(library, "en-US", CALLS[1])
    (stop,) = [each[1] for each in withdrawn if isinstance(each, tuple) and each[0] == "http.call"]
    assert stop["body"] == {"reason": "withdrawn"}
