"""systemd's notification protocol, against a datagram socket as systemd has one."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ivr.systemd import Notifier
from tests.call.virtual import run


@contextmanager
def manager(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(address)
        bound.setblocking(False)
        yield bound


def heard(bound: socket.socket) -> list[list[str]]:
    told = []
    while True:
        try:
            told.append(bound.recv(4096).decode().split("\n"))
        except BlockingIOError:
            return told


def names(tmp_path: Path) -> tuple[tuple[str, str], ...]:
    """(as systemd writes it, as it is bound): a path, and an abstract name."""
    path, name = str(tmp_path / "notify"), f"ivr-test-{os.getpid()}"
    return (path, path), (f"@{name}", f"\0{name}")


def test_a_life_from_start_to_stop(tmp_path: Path) -> None:
    for written, address in names(tmp_path):
        with manager(address) as bound:
            notifier = Notifier.taken({"NOTIFY_SOCKET": written})
            notifier.reloading()
            notifier.reloaded("too early")
            notifier.status("loading")
            notifier.status("loading")
            notifier.ready("12 calls")
            before = time.monotonic_ns() // 1000
            notifier.reloading()
            notifier.reloaded("12 calls")
            notifier.stopping("draining")
            told = heard(bound)
        assert told[:2] == [["STATUS=loading"], ["READY=1", "STATUS=12 calls"]]
        assert told[2][0] == "RELOADING=1" and int(told[2][1].removeprefix("MONOTONIC_USEC=")) >= before
        assert told[3:] == [
            ["READY=1", "STATUS=12 calls"],
            ["STOPPING=1", "STATUS=draining", "EXTEND_TIMEOUT_USEC=30000000"],
        ]


def test_the_children_are_not_the_service(tmp_path: Path) -> None:
    environment = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/"}
    assert Notifier.taken(environment).interval_s == 5.0 and environment == {"HOME": "/"}
    assert Notifier.taken({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "3000000"}).interval_s == 1.5


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NOTIFY_SOCKET": ""},
        {"NOTIFY_SOCKET": "@"},
        {"NOTIFY_SOCKET": "relative", "WATCHDOG_USEC": "x"},
    ],
)
def test_without_systemd_nothing_happens(environment: dict[str, str]) -> None:
    notifier = Notifier.taken(environment)
    with capture_logs() as logs:
        notifier.ready("0 calls")
        run(notifier.watch())
    assert logs == []


def test_the_watchdog_of_another_process_is_not_ours(tmp_path: Path) -> None:
    async def main() -> None:
        with manager(str(tmp_path / "notify")) as bound:
            environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"}
            notifier = Notifier.taken(environment)
            notifier.ready("")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(60):
                    await notifier.watch()
            assert not re.search("WATCHDOG", str(heard(bound)))

    run(main())


def test_the_loop_is_told_of_while_it_turns_and_a_start_gets_its_time(tmp_path: Path) -> None:
    async def main() -> None:
        with manager(str(tmp_path / "notify")) as bound:
            notifier = Notifier(str(tmp_path / "notify"), watchdog_s=4.0)
            watching = asyncio.create_task(notifier.watch())
            await asyncio.sleep(3.0)
            assert heard(bound) == [["WATCHDOG=1", "EXTEND_TIMEOUT_USEC=30000000"]] * 2
            notifier.ready("")
            await asyncio.sleep(2.0)
            assert heard(bound) == [["READY=1", "STATUS="], ["WATCHDOG=1"]]
            notifier.stopping("")
            await asyncio.sleep(2.0)
            assert heard(bound)[1] == ["WATCHDOG=1", "EXTEND_TIMEOUT_USEC=30000000"]
            watching.cancel()

    run(main())


def test_a_full_socket_gets_it_a_moment_later_in_order(tmp_path: Path) -> None:
    async def main() -> None:
        with manager(str(tmp_path / "notify")) as bound:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
                other.setblocking(False)
                with pytest.raises(BlockingIOError):
                    while True:
                        other.sendto(b"X=1", str(tmp_path / "notify"))
            notifier = Notifier(str(tmp_path / "notify"))
            notifier.ready("a")
            notifier.status("b")
            assert set(map(tuple, heard(bound))) == {("X=1",)}
            await asyncio.sleep(1.0)
            assert heard(bound) == [["READY=1", "STATUS=a"], ["STATUS=b"]]

    run(main())


def test_a_socket_that_is_gone_is_one_line_in_the_log(tmp_path: Path) -> None:
    with capture_logs() as logs:
        notifier = Notifier(str(tmp_path / "nobody"))
        notifier.ready("")
        notifier.status("x")
    assert [entry["event"] for entry in logs] == ["systemd.unreachable"]
