"""Log sink: where log lines are written. A thread writes; a full, slow or missing disk costs lines and nothing else."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ivr import private_file

MOST_LINES = 20_000
MOST_CHARACTERS = 16 << 20
BLOCK_S = 0.05  # from one block to the next: a line after a pause goes at once, those of many calls go together
RETRY_S = 1.0
LOOK_S = 1.0  # how often the file's name is looked at: whoever renames or removes it gets a new one
SLOW_S = 3.0
NOWHERE, STANDARD_OUTPUT, STANDARD_ERROR = -1, 1, 2  # descriptors
_BATCH = 64 * 1024  # bytes, or one line
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
_NONE = -1


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """``trouble``: "" while lines are written, else why not; ``lost``: lines that nobody will ever read."""

    trouble: str = ""
    lost: int = 0

    def __str__(self) -> str:
        counted = f"{self.lost} line{'' if self.lost == 1 else 's'} lost" if self.lost else ""
        return "; ".join(filter(None, (self.trouble, counted))) or "ok"


def opened(path: str, mode: int = 0o640) -> int:
    """A descriptor that appends to ``path``, which is made where it isn't there. Raises OSError."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return private_file.opened(path, os.O_WRONLY | os.O_APPEND | os.O_NOCTTY, mode)


class LogSink:
    """``write`` and ``flush``, as of a text stream, from any thread: they never raise and never wait.

    ``target`` is a file's path, or the number of an open descriptor (STANDARD_OUTPUT). What can't be written waits, in
    order, up to MOST_LINES; lines beyond are lost, and counted: where they are missing, and as soon as there is room,
    stands what ``note`` says of their number. A path that can't be opened is tried again, and written to once it can.
    ``most_bytes`` may wait (0: MOST_CHARACTERS); ``mode``: of a file that is made.

    Raises OSError for a path that can't be opened, unless the disk is only full."""

    def __init__(
        self, target: str | int, note: Callable[[int], str], *, most_bytes: int = 0, mode: int = 0o640
    ) -> None:
        self._target = target
        self._most_bytes, self._mode = most_bytes, mode
        self._note = note
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._lost = self._told = 0
        self._written = 0  # bytes of the first waiting line that the file has already
        self._size = 0  # of the file when they were written
        self._descriptor = _NONE
        self._trouble = ""
        self._reopen = self._closed = False
        self._looked_at, self._missing = time.monotonic(), False
        self._writing_since: float | None = None
        self._changed = threading.Condition()  # re-entrant: a finaliser may log in the middle of our own work
        self._closing = threading.Event()
        self._idle = False  # the thread waits for a line
        self._hurry = threading.Event()  # this block doesn't wait for more
        try:
            self._open()
        except OSError as error:
            if isinstance(target, str) and error.errno not in _FULL:
                raise
            self._trouble = _said(error)
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    # -- for whoever logs --------------------------------------------------------------------------------------

    def write(self, text: str) -> int:
        """One line, or several, each with its end."""
        data = text.encode("utf-8", "backslashreplace")
        with self._changed:
            if self._closed or not self._has_room(len(data)):
                self._lost += max(1, text.count("\n"))
            else:
                self._tell_of_losses()
                self._append(data)
            if self._idle:
                self._changed.notify()
        return len(text)

    def hurry(self) -> None:
        """What was written so far may be the last that this process says."""
        self._hurry.set()

    def flush(self) -> None:
        """Nothing waits for the disk."""

    def lose(self) -> None:
        """Count a line that could not even be made."""
        with self._changed:
            self._lost += 1
            self._changed.notify()

    @property
    def status(self) -> SinkStatus:
        with self._changed:
            since, trouble = self._writing_since, self._trouble
            if not trouble and since is not None and (stuck_s := time.monotonic() - since) > SLOW_S:
                trouble = f"stuck: nothing was taken for {stuck_s:.0f} s"
            return SinkStatus(trouble, self._lost)

    # -- for whoever owns it -------------------------------------------------------------------------------------

    def reopen(self, target: str | int | None = None) -> None:
        """Write to the file that has the path now (it was renamed), or to another ``target``. What is waiting goes
        there; the old file keeps what it has. Where that can't be opened, lines go on to the old one meanwhile."""
        with self._changed:
            self._target = self._target if target is None else target
            self._reopen = True
            self._changed.notify()
        self._hurry.set()

    def close(self, timeout_s: float = 2.0) -> bool:
        """Write what waits, for at most ``timeout_s``; whether all of it was written."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._closing.set()
        self._hurry.set()
        self._thread.join(timeout_s)
        return not self._waiting

    # -- the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._work():
            trouble = ""
            try:
                self._look()
            except OSError as error:  # the old file is still good
                trouble = _said(error)
            try:
                self._put(self._batch())
            except OSError as error:
                trouble = trouble or _said(error)
            with self._changed:
                self._trouble = trouble
                self._reopen = self._reopen or bool(trouble)  # a disk may be gone for good, and another in its place
                if trouble and self._closed:
                    return
            if trouble:
                self._closing.wait(RETRY_S)
            else:
                self._hurry.wait(BLOCK_S)
                self._hurry.clear()

    def _work(self) -> bool:
        """Waits for some; False once there will be none."""
        with self._changed:
            while True:
                self._tell_of_losses()
                if self._waiting or self._closed:
                    return bool(self._waiting)
                if self._reopen:
                    return True
                self._idle = True
                self._changed.wait()
                self._idle = False

    def _look(self) -> None:
        """Open the file anew where that is wanted, or where its name belongs to another file. Raises OSError."""
        now = time.monotonic()
        with self._changed:
            wanted, self._reopen = self._reopen, False
        if not wanted and now - self._looked_at >= LOOK_S:
            self._looked_at = now
            wanted = self._renamed()
        if wanted:
            self._open()

    def _renamed(self) -> bool:
        """A name that is missing may be about to be created by who took it: only when it still is at the next look."""
        if not isinstance(self._target, str) or self._descriptor == _NONE:
            return False
        try:
            named = Path(self._target).stat()
        except OSError:
            was_missing, self._missing = self._missing, True
            return was_missing
        self._missing = False
        return not os.path.samestat(named, os.fstat(self._descriptor))

    def _open(self) -> None:
        """Raises OSError; then what was open still is."""
        if isinstance(self._target, int):
            if self._target == NOWHERE:
                raise OSError(errno.EBADF, "standard output is closed")
            fresh = os.dup(self._target)
        else:
            fresh = opened(self._target, self._mode)
        before, self._descriptor = self._descriptor, fresh
        if before != _NONE:
            same = os.path.samestat(os.fstat(before), os.fstat(fresh))
            self._written = self._written if same else 0
            with contextlib.suppress(OSError):
                os.close(before)

    def _batch(self) -> bytes:
        with self._changed:
            size = 0
            lines: list[bytes] = []
            for line in self._waiting:
                if lines and size + len(line) > _BATCH:
                    break
                lines.append(line)
                size += len(line)
        return b"".join(lines)

    def _put(self, batch: bytes) -> None:
        """Write ``batch``, which begins with the first waiting line. Raises OSError."""
        if not batch:
            return
        if self._descriptor == _NONE:
            raise OSError(errno.EBADF, "it isn't open")
        if self._written and self._shrunk():
            self._written = 0  # somebody emptied the file, and half of this line with it
        view = memoryview(batch)[self._written :]
        while view:
            self._writing_since = time.monotonic()
            try:
                count = os.write(self._descriptor, view)
            finally:
                self._writing_since = None
            view = view[count:]
            self._wrote(count)

    def _shrunk(self) -> bool:
        status = os.fstat(self._descriptor)
        return stat.S_ISREG(status.st_mode) and status.st_size < self._size

    def _wrote(self, count: int) -> None:
        """The file has ``count`` bytes more: whole lines are done with."""
        with self._changed:
            self._written += count
            while self._waiting and self._written >= len(self._waiting[0]):
                line = self._waiting.popleft()
                self._written -= len(line)
                self._bytes -= len(line)
            self._tell_of_losses()
        if self._written:
            self._size = os.fstat(self._descriptor).st_size

    # -- with the lock held ------------------------------------------------------------------------------------------

    def _has_room(self, size: int) -> bool:
        return len(self._waiting) < MOST_LINES and self._bytes + size <= (self._most_bytes or MOST_CHARACTERS)

    def _append(self, data: bytes) -> None:
        self._waiting.append(data)
        self._bytes += len(data)

    def _tell_of_losses(self) -> None:
        """Where lines are missing, a line says how many."""
        if self._lost > self._told and self._has_room(0):
            missing, self._told = self._lost - self._told, self._lost
            self._append(self._note(missing).encode())


def _said(error: OSError) -> str:
    """Why lines can't be written, for people: "full: No space left on device"."""
    reason = error.strerror or type(error).__name__
    return f"full: {reason}" if error.errno in _FULL else reason


def claim_standard_streams() -> None:
    """Let descriptors 0 to 2 be nobody else's: a socket or a database that gets one of them, because it was closed at
    our start, would be written to by whatever prints (a library, a child process)."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
