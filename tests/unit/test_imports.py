"""What programs import before they do anything: each tenth of a second here is one of every start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import ivr
from ivr.__main__ import COMMANDS, parser
from ivr.cli.flow import TOOLS

ROOT = Path(ivr.__file__).parents[1]
ENGINES = frozenset({"vosk", "sherpa_onnx", "onnx", "piper", "moonshine_voice"})
OF_THE_LINE = frozenset({"aiohttp", "sqlalchemy", "alembic", "jinja2", "joserfc", "opentelemetry", "transitions"})
OF_ANY = frozenset({"pydantic", "structlog", "yaml", "numpy", "rich", "ivr.config"})


def loaded(program: str) -> frozenset[str]:
    """Names of the modules that a process of its own has imported after ``program``."""
    told = f"import sys\ntry:\n    {program}\nexcept SystemExit: pass\nprint('LOADED', *sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True, env=environment)
    return frozenset(done.stdout.rpartition("LOADED")[2].split())


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["nonsense"], []])
def test_help_is_there_at_once(words: list[str]) -> None:
    found = loaded(f"import ivr.__main__; ivr.__main__.main({words!r})")
    assert "argparse" in found
    assert not found & (OF_ANY | OF_THE_LINE | ENGINES)


@pytest.mark.parametrize("words", [["flow", "--help"], ["deploy", "--help"]])
def test_help_of_a_command_waits_for_nothing_that_the_line_needs(words: list[str]) -> None:
    found = loaded(f"import ivr.__main__; ivr.__main__.main({words!r})")
    assert f"ivr.cli.{words[0]}" in found
    assert not found & (OF_THE_LINE | ENGINES | {"ivr.config", "numpy"})


def test_a_tool_is_imported_without_the_others() -> None:
    found = loaded("import ivr.__main__; ivr.__main__.main(['flow', 'schema', '--help'])")
    assert {tool for tool in TOOLS if f"ivr.cli.flow.{tool}" in found} == {"schema"}


def test_the_engines_are_begun_before_the_rest_of_the_line_is_imported() -> None:
    found = loaded("import ivr.__main__; ivr.__main__.parser(['serve'])")
    assert {"ivr.engines", "ivr.speech.service", "ivr.media.pool"} <= found
    assert not found & (OF_THE_LINE | ENGINES | {"numpy", "ivr.service", "ivr.store", "ivr.web"})


@pytest.mark.parametrize(
    "work", ["synthesis", "recognition, ivr.speech.worker.prefork, ivr.speech.recognisers.moonshine"]
)
def test_speech_workers_start_without_the_line(work: str) -> None:
    found = loaded(f"import ivr.speech.worker.__main__, ivr.speech.worker.{work}")
    assert "ivr.speech.wire" in found
    rest = {"ivr.ports", "ivr.record", "ivr.dialogue.flows", "ivr.dialogue.engine", "phonenumbers", "cryptography"}
    assert not found & (OF_THE_LINE | ENGINES | rest)


def test_lists_say_of_commands_what_they_say_themselves() -> None:
    assert parser(["--help"]).format_help() == parser().format_help()
    (short,), (whole,) = (_tools(words) for words in (["flow", "--help"], ["flow", "--nothing", *TOOLS]))
    assert short == whole
    assert all(name in short for name in TOOLS) and all(name in parser(["--help"]).format_help() for name in COMMANDS)


def _tools(words: list[str]) -> list[str]:
    actions = parser(words)._subparsers
    assert actions is not None
    (choices,) = (action.choices for action in actions._group_actions)
    assert isinstance(choices, dict)
    return [choices["flow"].format_help()]
