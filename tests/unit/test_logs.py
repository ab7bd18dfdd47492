"""Redaction, the call's fields on every line, and `ivr tail`."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from ivr.__main__ import main
from ivr.cli.tail import render
from ivr.logs import bind_call, configure_logging


@pytest.fixture
def restored() -> Iterator[None]:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def written(redact: bool, **values: object) -> dict[str, Any]:
    stream = io.StringIO()
    configure_logging(path="-", level="info", redact=redact, stream=stream)
    structlog.get_logger("test").info("test.event", **values)
    return lines(stream)[0]


@pytest.mark.usefixtures("restored")
def test_personal_data_is_masked_by_default() -> None:
    line = written(
        True,
        caller="5035550101",
        transcript="my number is one two three",
        key="4",
        slots={"title": "Vertigo"},
        nested={"caller": "5035550101", "outcome": "ok"},
        contact="sip:5035550101@192.0.2.1",
        why="403 tel:+15035550101 is no agent's phone",
    )
    text = json.dumps(line)
    assert "5035550101" not in text and "Vertigo" not in text and "one two" not in text
    assert line["caller"].endswith("01")
    assert line["transcript"] == "[6 words]"
    assert line["nested"]["outcome"] == "ok"


@pytest.mark.usefixtures("restored")
def test_ops_may_ask_for_the_words_but_never_for_secrets() -> None:
    line = written(False, transcript="hello", password="hunter2")
    assert line["transcript"] == "hello"
    assert line["password"] == "[secret]"


@pytest.mark.usefixtures("restored")
def test_a_line_may_name_a_method() -> None:
    """SIP has methods, and a refused call must not end in a 500 over its log line."""
    assert written(True, method="INVITE", level="odd")["method"] == "INVITE"


@pytest.mark.usefixtures("restored")
def test_every_line_of_a_call_carries_its_fields_as_they_are_now() -> None:
    stream = io.StringIO()
    configure_logging(path="-", level="info", redact=True, stream=stream)
    fields = {"call_id": "c1", "state": "main.greet"}

    async def child(go: asyncio.Event) -> None:
        await go.wait()
        structlog.get_logger("test").info("child.spoke")

    async def call() -> None:
        bind_call(fields)
        go = asyncio.Event()
        task = asyncio.create_task(child(go))
        fields["state"] = "main.ask"
        go.set()
        await task

    asyncio.run(call())
    logging.getLogger("library").warning("from a library")
    child_line, library_line = lines(stream)
    assert (child_line["call_id"], child_line["state"]) == ("c1", "main.ask")
    assert library_line["event"] == "from a library"


@pytest.mark.usefixtures("restored")
def test_tail_shows_one_call_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ivr.log"
    with path.open("w", encoding="utf-8") as stream:
        configure_logging(path="-", level="info", redact=True, stream=stream)
        log = structlog.get_logger("test")
        log.info("call.start", call_id="aaaa1111", caller="5035550101")
        log.warning("journal.failed", call_id="bbbb2222", error="timeout")
        stream.write("not json\n")
    assert main(["tail", "--log", str(path), "--call", "aaaa"]) == 0
    out = capsys.readouterr().out
    assert "call.start" in out and "journal.failed" not in out and "5035550101" not in out
    assert main(["tail", "--log", str(path), "--level", "warning"]) == 0
    assert "journal.failed" in capsys.readouterr().out
    assert main(["tail", "--log", str(tmp_path / "none")]) == 2


def test_a_rendered_line_reads_left_to_right() -> None:
    text = render(
        {
            "at": "2026-03-03T10:00:01.250Z",
            "level": "info",
            "event": "call.end",
            "call_id": "abcdef0123",
            "outcome": "resolved",
        }
    )
    assert text.plain == "10:00:01.250 abcdef01 call.end outcome=resolved"
