"""The log sink: full disks, closed pipes, renamed and emptied files; lines are late or counted, and never raise."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog

from ivr import log_sink
from ivr.log_sink import NOWHERE, LogSink
from ivr.logs import configure_logging

PATIENCE_S = 10.0


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_sink, "RETRY_S", 0.02)
    monkeypatch.setattr(log_sink, "LOOK_S", 0.02)


@contextmanager
def sink_on(target: str | int | Path) -> Iterator[LogSink]:
    sink = LogSink(target if isinstance(target, int) else str(target), lambda count: f"lost {count}\n")
    yield sink
    sink.close()


def until(met: Callable[[], bool]) -> None:
    """Another thread makes it so: there is no event to wait for."""
    deadline = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < deadline, "it never came so far"
        time.sleep(0.005)


def test_lines_of_many_threads_come_whole_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ivr.log"
    with sink_on(path) as sink:

        def talk(who: int) -> None:
            for number in range(500):
                sink.write(f"{who} {number}\n")

        threads = [threading.Thread(target=talk, args=(who,)) for who in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = [line.split() for line in path.read_text().splitlines()]
    for who in range(4):
        assert [int(number) for speaker, number in lines if speaker == str(who)] == list(range(500))


@pytest.mark.usefixtures("restored")
def test_lines_go_in_blocks_and_an_error_takes_along_what_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_sink, "BLOCK_S", 2 * PATIENCE_S)
    path = tmp_path / "ivr.log"
    logs = configure_logging(path=str(path), level="info", redact=True)
    log = structlog.get_logger()

    def events() -> list[str]:
        return [json.loads(line)["event"] for line in path.read_text().splitlines()]

    log.info("line.alone")
    until(lambda: events() == ["line.alone"])
    log.info("line.waiting")
    log.error("call.crashed")
    until(lambda: events() == ["line.alone", "line.waiting", "call.crashed"])
    log.info("line.last")
    logs.close()
    assert events()[-1] == "line.last", "what waits is written at the end"


def test_a_full_disk_costs_nothing_while_lines_can_wait(tmp_path: Path) -> None:
    path = tmp_path / "ivr.log"
    path.symlink_to("/dev/full")
    with sink_on(path) as sink:
        for number in range(100):
            assert sink.write(f"{number}\n") > 0
        until(lambda: sink.status.trouble == "full: No space left on device")
        path.unlink()  # the disk has room again
        until(lambda: str(sink.status) == "ok")
    assert path.read_text().split() == [str(number) for number in range(100)]


def test_lines_beyond_the_bound_are_counted_and_their_number_stands_where_they_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_sink, "MOST_LINES", 10)
    path = tmp_path / "ivr.log"
    path.symlink_to("/dev/full")
    with sink_on(path) as sink:
        for number in range(17):
            sink.write(f"{number}\n")
        assert sink.status.lost == 7
        path.unlink()
        until(lambda: path.exists() and "lost" in path.read_text())
        sink.write("after\n")
        until(lambda: sink.status.trouble == "")
    assert path.read_text().splitlines() == [*(str(n) for n in range(10)), "lost 7", "after"]
    assert str(sink.status) == "7 lines lost"


def test_huge_lines_are_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_sink, "MOST_CHARACTERS", 1000)
    path = tmp_path / "ivr.log"
    path.symlink_to("/dev/full")
    with sink_on(path) as sink:
        for _ in range(5):
            sink.write("x" * 400 + "\n")
        assert sink.status.lost == 3


LIMITED = """
import resource, sys, time
from ivr import log_sink
log_sink.RETRY_S = 0.02
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
sink = log_sink.LogSink(sys.argv[1], lambda count: f"lost {count}\\n")
for number in range(300):
    sink.write(f"line {number:04}\\n")
while not sink.status.trouble:
    time.sleep(0.01)
print(sink.status, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
while sink.status.trouble:
    time.sleep(0.01)
sink.close()
"""


def test_a_line_that_was_cut_by_the_end_of_the_disk_is_made_whole(tmp_path: Path) -> None:
    path = tmp_path / "ivr.log"
    done = subprocess.run([sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "full: File too large\n"), done.stderr
    assert path.read_text().splitlines() == [f"line {number:04}" for number in range(300)]


def test_a_renamed_file_keeps_its_lines_and_a_new_one_gets_the_next(tmp_path: Path) -> None:
    path, old = tmp_path / "ivr.log", tmp_path / "ivr.log.1"
    with sink_on(path) as sink:
        sink.write("before\n")
        until(lambda: path.read_text() == "before\n")
        path.rename(old)
        sink.reopen()
        until(path.exists)
        sink.write("after\n")
    assert (old.read_text(), path.read_text()) == ("before\n", "after\n")


def test_a_file_that_somebody_removed_is_made_anew_without_being_asked(tmp_path: Path) -> None:
    path = tmp_path / "ivr.log"
    with sink_on(path) as sink:
        path.unlink()

        def written_again() -> bool:
            sink.write("here\n")
            return path.exists() and "here" in path.read_text()

        until(written_again)


def test_what_cannot_be_opened_later_is_tried_until_it_can(tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "ivr.log", tmp_path / "taken"
    elsewhere.write_text("a file where a folder is wanted")
    with sink_on(path) as sink:
        sink.reopen(str(elsewhere / "ivr.log"))
        until(lambda: sink.status.trouble == "File exists")
        sink.write("still in the old one\n")
        until(lambda: path.read_text() == "still in the old one\n")
        elsewhere.unlink()
        until(lambda: sink.status.trouble == "")
        sink.write("in the new one\n")
        until(lambda: (elsewhere / "ivr.log").read_text() == "in the new one\n")


def test_a_path_that_cannot_be_opened_at_the_start_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="exists"):
        LogSink(str(tmp_path / "file" / "ivr.log"), str)


def test_a_reader_that_went_away_raises_nothing_anywhere() -> None:
    read, write = os.pipe()
    with sink_on(write) as sink:
        os.close(read)
        for _ in range(100):
            sink.write("nobody reads this\n")
        until(lambda: sink.status.trouble == "Broken pipe")
    os.close(write)


def test_a_reader_that_stands_still_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_sink, "SLOW_S", 0.05)
    monkeypatch.setattr(log_sink, "MOST_CHARACTERS", 1 << 20)
    read, write = os.pipe()
    sink = LogSink(write, lambda count: f"lost {count}\n")
    began = time.monotonic()
    for _ in range(2000):
        sink.write("x" * 1000 + "\n")
    assert time.monotonic() - began < 2.0
    until(lambda: sink.status.trouble.startswith("stuck: nothing was taken for"))
    assert sink.status.lost > 0
    assert not sink.close(timeout_s=0.05)
    os.close(read)  # and with it the thread's wait
    os.close(write)


def test_no_standard_output_is_no_reason_not_to_serve() -> None:
    with sink_on(NOWHERE) as sink:
        sink.write("x\n")
        assert str(sink.status) == "standard output is closed"


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


@pytest.fixture
def restored() -> Iterator[None]:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


@pytest.mark.usefixtures("restored")
def test_what_cannot_be_written_as_a_line_raises_into_nothing(tmp_path: Path) -> None:
    circle: dict[str, object] = {}
    circle["itself"] = circle
    log = configure_logging(path=str(tmp_path / "ivr.log"), level="info", redact=True)
    logger = structlog.get_logger("test")
    logger.info("test.event", what=Hostile())
    logger.info("test.event", what=circle)
    logger.info("test.event", what={("a", "tuple"): 1})
    logger.info("test.event", what="half of a pair \ud83d")
    logging.getLogger("library").warning("%d is no number", "this")
    logging.getLogger("library").error("%s", Hostile())
    try:
        raise ValueError(Hostile())
    except ValueError:
        logger.exception("test.raised")
    logger.info("test.last")
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "ivr.log").read_text().splitlines()]
    assert lines[-1]["event"] == "test.last"
    said = [line for line in lines if line["event"] in ("test.event", "log.lost")]
    assert len(said) >= 3 and log.status.lost > 0
    assert sum(line.get("lines", 0) for line in lines if line["event"] == "log.lost") == log.status.lost


@pytest.mark.usefixtures("restored")
def test_level_redaction_and_path_change_for_every_logger_at_once(tmp_path: Path) -> None:
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    log = configure_logging(path=str(first), level="warning", redact=True)
    bound = structlog.get_logger("test").bind(caller="5035550101")  # as a leg keeps one for its whole life
    bound.info("test.quiet")
    bound.warning("test.loud")
    until(lambda: first.exists() and "test.loud" in first.read_text())
    log.apply(path=str(second), level="debug", redact=False)
    bound.debug("test.heard")
    log.close()
    assert "test.quiet" not in first.read_text() and "5035550101" not in first.read_text()
    assert json.loads(second.read_text())["caller"] == "5035550101"


CLAIMING = """
import os, sys
from ivr.log_sink import claim_standard_streams
claim_standard_streams()
os.write(int(sys.argv[1]), str(os.open("/", os.O_RDONLY)).encode())
"""


def test_closed_standard_streams_are_nobody_elses() -> None:
    read, write = os.pipe()
    shell = f"exec {sys.executable} -c '{CLAIMING}' {write} <&- >&- 2>&-"
    subprocess.run(["sh", "-c", shell], check=True, pass_fds=(write,))
    assert int(os.read(read, 10)) > 2
    os.close(read)
    os.close(write)
