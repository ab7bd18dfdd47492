"""`ivr flow missed` and `confusable`: what a designer learns from the log and the database of real calls."""

from __future__ import annotations

import io
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from ivr.__main__ import main
from ivr.dialogue.flows.library import FlowLibrary
from ivr.logs import configure_logging
from tests.call.test_session import FLOWS, Rig
from tests.call.virtual import run
from tests.flows.reference import library

SAID = ("my popcorn machine burst into flames", "my popcorn machine burst into flames", "agent")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(FLOWS, tmp_path / "flows")
    return tmp_path


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(flows: FlowLibrary, path: Path, *, redact: bool) -> None:
    """A whole call, as the line logs it."""

    async def scenario() -> None:
        rig = Rig(flows)
        async with rig.call():
            for text in SAID:
                await rig.say(text)

    written = io.StringIO()
    configure_logging(path="-", level="info", redact=redact, stream=written)
    run(scenario())
    path.write_text(written.getvalue(), "utf-8")


def configured(place: Path, *, redact: bool) -> None:
    (place / "config.toml").write_text(f"[logs]\nredact = {str(redact).lower()}\n", "utf-8")


def test_what_nobody_understood_is_ready_to_be_pasted(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configured(place, redact=False)
    logged(library(), place / "ivr.log", redact=False)
    capsys.readouterr()
    assert main(["flow", "missed", "main", "--from", "ivr.log"]) == 0
    told = capsys.readouterr().out
    assert "# 2 sentences of 1 calls that main did not understand" in told
    assert '    - "my popcorn machine burst into flames"  # 2×, not understood; nearest: ' in told
    assert "agent" not in told


def test_unknown_words_are_hidden_while_logs_are_redacted(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configured(place, redact=True)
    logged(library(), place / "ivr.log", redact=False)
    capsys.readouterr()
    assert main(["flow", "missed", "main", "--from", "ivr.log"]) == 0
    told = capsys.readouterr().out
    assert "popcorn" not in told
    assert '    # - "my • machine' in told


def test_a_masked_log_says_how_to_see_more(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logged(library(), place / "ivr.log", redact=True)
    capsys.readouterr()
    assert main(["flow", "missed", "main", "--from", "ivr.log"]) == 0
    told = capsys.readouterr().out
    assert "# 2 more were masked in the log: pass the database, or set [logs] redact = false" in told


def typed(place: Path, monkeypatch: pytest.MonkeyPatch, *said: str) -> str:
    """The database that a simulated call is kept in."""
    configured(place, redact=False)
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in said)))
    database = f"sqlite+aiosqlite:///{place}/calls.sqlite3"
    assert main(["flow", "simulate", "main", "--database", database]) == 0
    return database


def test_what_was_denied_is_missed_too(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = typed(place, monkeypatch, "could you shove Casablanca up to the very front", "no")
    capsys.readouterr()
    assert main(["flow", "missed", "main", "--from", database]) == 0
    assert '- "could you shove {title} up to the very front"  # 1×, denied; nearest: ' in capsys.readouterr().out


def test_a_flow_without_phrases_of_its_own_tells_what_it_missed(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answers are dates: there is no intent that the sentences could be examples of."""
    database = typed(place, monkeypatch, "put my deliveries on hold", "my popcorn machine burst into flames")
    capsys.readouterr()
    assert main(["flow", "missed", "hold", "--from", database]) == 0
    told = capsys.readouterr().out
    assert told.splitlines() == [
        "# 1 sentences of 1 calls that hold did not understand",
        '# - "my popcorn machine burst into flames"  # 1×, not understood',
    ]


def test_a_source_that_is_not_there_is_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow", "missed", "main", "--from", "nowhere.log"]) == 2
    assert "name a log or a database URL" in capsys.readouterr().err


def test_confusable_phrases_are_named(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flow", "confusable", "queue", "--most", "3"]) == 0
    told = capsys.readouterr().out
    assert "pairs of intents" in told
    assert "-> move_to_position" in told
    assert "examples: of the first intent" in told


def test_without_weights_nothing_is_confusable(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IVR_EMBEDDING", "none")
    from ivr.embedding.loading import rehearsing

    rehearsing.cache_clear()
    try:
        assert main(["flow", "confusable", "queue"]) != 0
        assert "ivr models get sentence-embedding" in capsys.readouterr().err
    finally:
        rehearsing.cache_clear()
