"""What a newcomer meets who makes another company's line of a template: short, true and useful words."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr.__main__ import main, parser
from ivr.embedding.loading import rehearsing


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A dentist's line in two languages, to be changed, in the folder that commands run in."""
    monkeypatch.chdir(tmp_path)
    assert main(["new", "line", "--template", "dentist", "--company", "Riverside", "--languages", "en-US,es-ES"]) == 0
    monkeypatch.chdir(tmp_path / "line")
    capsys.readouterr()
    return tmp_path / "line"


@pytest.fixture
def no_embedding(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("IVR_EMBEDDING", "none")
    rehearsing.cache_clear()
    yield
    rehearsing.cache_clear()


def changed(file: str, before: str, after: str) -> None:
    path = Path("flows") / file
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))


def test_one_more_flow_says_where_its_words_go_in_each_language(line: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow", "new", "visit", "--template", "form"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("flows/visit.yaml\n"), "as short as it can be written from here"
    assert "In main.es-ES.yaml the same phrases under intents:, and the label under labels: as ask.visit." in told


def test_one_flow_more_in_one_language_names_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", ".", "--template", "shop", "--company", "Riverside"]) == 0
    assert main(["flow", "new", "visit"]) == 0
    assert "es-ES" not in capsys.readouterr().out


def test_an_intent_that_is_gone_is_told_once_of_its_examples(line: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed("main.es-ES.yaml", "  move: [me surgió", "  mvoe: [me surgió")
    assert main(["flow", "check"]) == 1
    told = capsys.readouterr()
    assert (told.out + told.err).count("there is no intent mvoe") == 1
    assert "flows/main.es-ES.yaml:" in told.out + told.err and str(line) not in told.out + told.err


def test_who_must_be_known_is_asked_as_the_remedy_says(line: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = "caller.identity == 'likely' and filled(patient.appointment)"
    changed("main.yaml", asked, "filled(patient.appointment)")
    assert main(["flow", "check"]) == 1
    told = capsys.readouterr()
    remedy = "caller.identity in ['likely', 'verified']"
    assert f'come here only after patient.identify, by if: "{remedy}"' in told.out + told.err
    changed("main.yaml", "filled(patient.appointment)", f"{remedy} and filled(patient.appointment)")
    assert main(["flow", "check"]) == 0


@pytest.mark.usefixtures("no_embedding")
def test_why_examples_are_not_understood_is_said(
    line: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["flow", "test"]) == 0
    assert "sentence embedding" not in capsys.readouterr().out, "all is well without it"
    changed("main.test.yaml", "say: I'm in pain", "say: my child fell on her teeth")
    assert main(["flow", "test"]) == 1
    assert "the sentence embedding is switched off" in capsys.readouterr().out
    monkeypatch.setattr("sys.stdin.readline", lambda: "", raising=False)
    assert main(["flow", "simulate", "main"]) == 0
    assert "without it no examples: are understood" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("before", "after", "remedy"),
    [
        (
            '  welcome: {prompt: "Hi',
            '  welcome: {prompt: Sir: "Hi',
            "quotes around texts with commas, colons or brackets",
        ),
        ('Goodbye.", end', "Goodbye., end", "close the"),
        ('Go ahead.", goto', "Go ahead., goto", "or the quotes (perhaps on the line above)"),
        ("  bye:", "\tbye:", "replace the tab by two spaces"),
    ],
    ids=["colon", "last quote", "quote", "tab"],
)
def test_a_file_that_can_not_be_read_is_the_one_thing_told(
    before: str, after: str, remedy: str, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not that its Spanish belongs to a flow that does not exist."""
    changed("main.yaml", before, after)
    assert main(["flow", "check"]) == 1
    told = "".join(capsys.readouterr())
    assert "1 error" in told and remedy in told, told
    assert "main.es-ES.yaml:1" not in told


def test_words_of_a_flow_that_is_nowhere_are_told(line: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed("main.es-ES.yaml", "wording: main", "wording: mian")
    assert main(["flow", "check"]) == 1
    told = "".join(capsys.readouterr())
    assert "these are the words of mian, which does not exist" in told and "did you mean main?" in told


def test_a_parameter_that_an_action_has_not_is_told_with_those_it_has(
    line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed("appointment.yaml", "with: {day: day}", "with: {date: day}")
    assert main(["flow", "check"]) == 1
    told = "".join(capsys.readouterr())
    assert "there is no parameter of appointment.times called date" in told
    assert "parameters of appointment.times here: day" in told


@pytest.mark.parametrize("written", ["es_ES", "es", "es-SE", "spanish"])
def test_a_language_that_only_one_file_says_is_told_once(
    written: str, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not that every flow lacks words in it."""
    changed("main.es-ES.yaml", "language: es-ES", f"language: {written}")
    assert main(["flow", "check"]) == 1
    told = "".join(capsys.readouterr())
    assert "1 error" in told and f"write language: es-ES, or call the file main.{written}.yaml" in told, told


def test_a_file_that_is_called_by_no_language_is_told_once(line: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("flows/main.es-ES.yaml").rename("flows/main.es.yaml")
    assert main(["flow", "check"]) == 1
    told = "".join(capsys.readouterr())
    assert "1 error" in told and "remedy: call the file main.es-ES.yaml" in told, told


@pytest.mark.parametrize(
    ("condition", "remedy"),
    [
        ("caller.identity = 'likely'", "write == for: is the same as"),
        ("caller.identity == 'likely' && filled(day)", "write and"),
        ("caller.identity == 'likely' || filled(day)", "write or"),
        ("!filled(day)", "write not"),
        ("caller.identity == likely =", "write == for: is the same as"),
        ("caller.identity == '=' then", "quote texts: 'like this'"),
    ],
)
def test_what_other_languages_write_is_said_as_this_one_has_it(
    condition: str, remedy: str, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed(
        "main.yaml", """{if: "caller.identity == 'likely'", goto: booking}""", f'{{if: "{condition}", goto: booking}}'
    )
    assert main(["flow", "check"]) == 1
    assert f"remedy: {remedy}\n" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("key", "given", "said"),
    [
        ("language", "es", "no file speaks es (languages here: en-US, es-ES)"),
        ("language", "es-SE", "no file speaks es-SE (did you mean es-ES?)"),
        ("persona", "formal", "nobody speaks as formal (personas here: neutral)"),
    ],
)
def test_words_that_nobody_wrote_answer_no_call(
    key: str, given: str, said: str, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who calls would hear the words of another language, in a wrong voice, and not be understood."""
    whole = Path("config.toml").read_text("utf-8")
    number = f'{whole}\n[[flows.numbers]]\ncalled = "5035550199"\n{key} = "{given}"\n'
    default = f"{whole}\n".replace('language = "en-US"', f'{key} = "{given}"')
    for text, where in ((number, "flows.numbers"), (default, "flows")):
        Path("config.toml").write_text(text, "utf-8")
        assert main(["config", "check"]) == 2
        assert f"{where}.{key}: {said}" in "".join(capsys.readouterr())
        assert main(["doctor", "--sip", "127.0.0.1:0", "--http", "127.0.0.1:0"]) == 1
        assert f"✗ flows: {where}.{key}: {said}" in capsys.readouterr().out
    Path("config.toml").write_text(whole, "utf-8")
    tools = [["simulate", "main"], ["explain", "main.ask"]]
    tools += [["confusable", "main"], ["missed", "main", "--from", "x.log"]] if key == "language" else []
    for tool in tools:
        assert main(["flow", *tool, f"--{key}", given]) == 2
        assert f"--{key}: {said}" in capsys.readouterr().err


def test_another_country_s_english_is_english(line: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = Path("config.toml").read_text("utf-8")
    Path("config.toml").write_text(whole.replace('language = "en-US"', 'language = "en-GB"'), "utf-8")
    assert main(["config", "check"]) == 0, capsys.readouterr()


def test_a_version_that_is_not_there_is_no_difference(line: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow", "history"]) == 0
    assert main(["flow", "rollback"]) == 1
    assert "ivr: there is no earlier version to go back to (see ivr flow history)\n" in capsys.readouterr().err
    for asked, said in (
        ("flwos", "flwos is no folder here, and flwos: no such version"),
        ("live", "no version is live"),
    ):
        assert main(["flow", "diff", asked]) == 2, "1 is: something changed"
        assert said in capsys.readouterr().err


def test_every_command_in_the_files_that_are_made_is_one(line: Path) -> None:
    named = [
        command
        for path in (line / "README.md", line / "config.toml")
        for command in re.findall(r"`(ivr [^`]+)`", path.read_text("utf-8"))
    ]
    assert len(named) > 10
    for command in named:
        assert parser().parse_args(shlex.split(command.replace("NAME", "name"))[1:]).handler
