"""structlog set up for operators: JSON lines, one event a line, `noun.verb` names, personal data redacted.

Every line of a call carries ``call_id``, ``leg``, ``flow``, ``flow_version`` and ``state`` through contextvars; the
canonical line ``call.end`` closes it. ``caller``, ``called``, what was said, keyed or filled are personal data: they
are masked unless [logs] redact = false, and fields marked secret are masked always.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from ivr.log_sink import NOWHERE, STANDARD_OUTPUT, LogSink, SinkStatus, opened

# The fields of the call that the current task serves: one mutable mapping a call, shared by all its tasks.
_CALL: ContextVar[dict[str, Any] | None] = ContextVar("ivr_call", default=None)

NUMBER_KEYS = frozenset({"caller", "called", "number", "from_number", "to_number", "phone"})
TEXT_KEYS = frozenset(
    {"text", "transcript", "heard", "said", "nbest", "slots", "name", "facts", "arguments", "values", "note"}
)
DIGIT_KEYS = frozenset({"key", "keys", "digits"})
SECRET_KEYS = frozenset({"password", "token", "authorization", "secret"})
_PRIVATE_KEYS = NUMBER_KEYS | TEXT_KEYS | DIGIT_KEYS | SECRET_KEYS
_LEVELS = {name: getattr(logging, name.upper()) for name in ("debug", "info", "warning", "error", "critical")}
_LEVELS |= {"warn": logging.WARNING, "exception": logging.ERROR, "fatal": logging.CRITICAL, "msg": logging.INFO}
_NAMES = {"warn": "warning", "exception": "error"}  # of levels, by method
_ADDRESS = re.compile(r"(?i)sip:|tel:")
_USER = re.compile(r"(?i)(?<=sip:)[^@;>\s]+(?=@)|(?<=tel:)[^;>\s]+")  # of a SIP URI, or a tel URI (RFC 3966)


def bind_call(fields: dict[str, Any] | None) -> None:
    """From here on every line of this task and those it starts carries ``fields`` as they are when it is written."""
    _CALL.set(fields)


def mask_number(value: str) -> str:
    """A telephone number with all but its last two digits hidden, so that ops can still tell two callers apart."""
    return "•" * max(len(value) - 2, 0) + value[-2:] if value else ""


def mask_text(value: object) -> str:
    """The amount of what was said, not the words."""
    words = len(str(value).split())
    return f"[{words} word{'' if words == 1 else 's'}]"


def _mask_keys(value: str) -> str:
    """What was keyed; not the keys of a configuration, which have names."""
    return value if "." in value else "•" * len(value)


class Redaction:
    """Processor: hides personal data by key, in nested mappings too."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        self._hide(event)
        return event

    def _hide(self, event: MutableMapping[str, Any]) -> None:
        """In place; nested mappings are somebody else's, and copied."""
        for key, value in event.items():
            if key in _PRIVATE_KEYS:
                event[key] = self._private(key, value)
            elif not self.enabled:
                continue
            elif isinstance(value, str):
                if ":" in value and _ADDRESS.search(value):
                    event[key] = _USER.sub(lambda m: mask_number(m.group()), value)
            elif isinstance(value, Mapping):
                event[key] = inner = dict(value)
                self._hide(inner)

    def _private(self, key: str, value: Any) -> Any:
        if key in SECRET_KEYS:
            return "[secret]"
        if not self.enabled or value is None or value == "":
            return value
        if key in NUMBER_KEYS:
            return mask_number(str(value))
        if key in DIGIT_KEYS:
            return [_mask_keys(str(each)) for each in value] if isinstance(value, list) else _mask_keys(str(value))
        return mask_text(value)


_encoded = json.JSONEncoder(ensure_ascii=False, default=str).encode


class Line:
    """Processor: the event as one line of JSON, whatever is in it."""

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> str:
        try:
            return _encoded(event)
        except (TypeError, ValueError, RecursionError):  # keys that are no text, circles
            return json.dumps({str(key): _plain(value) for key, value in event.items()}, ensure_ascii=False)


def _plain(value: object) -> object:
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)[:1000]


class Log:
    """Where lines go, from which level on, how much they show; ``apply`` changes it for all loggers at once.

    Whatever goes wrong with a line stays here: it is lost, and counted."""

    def __init__(self, out: LogSink | StandardError | TextIO, level: str, redact: bool) -> None:
        self._out = out
        self._redaction = Redaction(redact)
        self._threshold = _LEVELS[level]

    def apply(self, *, path: str, level: str, redact: bool) -> None:
        """Reopens the file too: it may have been renamed (logrotate)."""
        self._threshold = _LEVELS[level]
        self._redaction.enabled = redact
        logging.getLogger().setLevel(max(self._threshold, logging.WARNING))
        if isinstance(self._out, LogSink):
            self._out.reopen(_target(path))

    def check(self, path: str) -> None:
        """Raises OSError for a path that could not be written to now."""
        if isinstance(self._out, LogSink) and isinstance(target := _target(path), str):
            os.close(opened(target))

    def reopen(self) -> None:
        """The file was renamed: go on in one of its name."""
        if isinstance(self._out, LogSink):
            self._out.reopen()

    @property
    def status(self) -> SinkStatus:
        return self._out.status if isinstance(self._out, LogSink) else SinkStatus()

    def close(self) -> None:
        """Write what waits, for a short while."""
        if isinstance(self._out, LogSink):
            self._out.close()

    def lose(self) -> None:
        """A line could not be made, or not be handed over."""
        if isinstance(self._out, LogSink):
            self._out.lose()

    def install(self, *, lasting: bool = False) -> None:
        """structlog's loggers write here, and the standard library's. ``lasting``: no other log is installed in this
        process, so that a logger need not ask at every line where to write."""
        lines = _Lines(self._out)
        rest: list[Any] = [_identified, structlog.processors.format_exc_info, self._redaction, Line()]
        structlog.configure(
            processors=[self._loud_enough, *rest],
            wrapper_class=_guarded(self),
            logger_factory=lambda *_: lines,
            cache_logger_on_first_use=lasting,
        )
        formatter = structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rest],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.add_log_level],
        )
        root = logging.getLogger()
        root.handlers[:] = [_Handler(self, self._out, formatter)]
        root.setLevel(max(self._threshold, logging.WARNING))

    def _loud_enough(self, _: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if _LEVELS[method] < self._threshold:
            raise structlog.DropEvent
        return event


def _identified(_: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """The event with the fields of its call, its level and when it was."""
    fields = _CALL.get()
    line = {**fields, **event} if fields else event
    line.setdefault("level", _NAMES.get(method, method))
    line["at"] = datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
    return line


def _guarded(log: Log) -> type[Any]:
    """A logger whose lines never raise into whoever writes them."""

    class Guarded(structlog.make_filtering_bound_logger(logging.NOTSET)):  # type: ignore[misc]
        def _proxy_to_logger(self, level: str, /, *arguments: Any, **event: Any) -> Any:
            try:
                return super()._proxy_to_logger(level, *arguments, **event)
            except Exception:
                log.lose()
                return None

    return Guarded


class _Lines:
    """What structlog writes a line with. An error may be the last that this process says: it waits for no others."""

    def __init__(self, out: LogSink | StandardError | TextIO) -> None:
        self._write = out.write
        self._hurry = out.hurry if isinstance(out, LogSink) else out.flush

    def info(self, line: str) -> None:
        self._write(line + "\n")

    def error(self, line: str) -> None:
        self._write(line + "\n")
        self._hurry()

    debug = msg = log = warn = warning = info
    exception = critical = fatal = error


class _Handler(logging.Handler):
    """The standard library's loggers, on the same terms."""

    def __init__(self, log: Log, out: LogSink | StandardError | TextIO, formatter: logging.Formatter) -> None:
        super().__init__()
        self._log, self._out = log, out
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._out.write(self.format(record) + "\n")
            if record.levelno >= logging.ERROR and isinstance(self._out, LogSink):
                self._out.hurry()
        except Exception:
            self._log.lose()


def configure_logging(
    *, path: str, level: str, redact: bool, stream: StandardError | TextIO | None = None, lasting: bool = False
) -> Log:
    """Log to ``path`` ("-": standard output), or to ``stream``; ``lasting``: see ``Log.install``. Raises OSError when
    the path can't be opened."""
    log = Log(stream or LogSink(_target(path), _lost), level, redact)
    log.install(lasting=lasting)
    return log


def _target(path: str) -> str | int:
    if path != "-":
        return path
    return STANDARD_OUTPUT if sys.stdout is not None else NOWHERE


def _lost(count: int) -> str:
    """The line that stands where ``count`` others are missing."""
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({"event": "log.lost", "lines": count, "level": "error", "at": at}) + "\n"


class StandardError:
    """Whatever sys.stderr is when something is written: a command's own, or a test's that replaces it. One that is
    closed, or whose terminal is gone, takes everything in silence."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            if sys.stderr is not None:
                sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            if sys.stderr is not None:
                sys.stderr.flush()

    def isatty(self) -> bool:
        try:
            return sys.stderr is not None and sys.stderr.isatty()
        except ValueError:
            return False
