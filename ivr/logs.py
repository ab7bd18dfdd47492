"""structlog set up for operators: JSON lines, one event a line, `noun.verb` names, personal data redacted.

Every line of a call carries ``call_id``, ``leg``, ``flow``, ``flow_version`` and ``state`` through contextvars; the
canonical line ``call.end`` closes it. ``caller``, ``called``, what was said, keyed or filled are personal data: they
are masked unless [logs] redact = false, and fields marked secret are masked always.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

# The fields of the call that the current task serves: one mutable mapping a call, shared by all its tasks.
_CALL: ContextVar[dict[str, Any] | None] = ContextVar("ivr_call", default=None)

NUMBER_KEYS = frozenset({"caller", "called", "number", "from_number", "to_number", "phone"})
TEXT_KEYS = frozenset(
    {"text", "transcript", "heard", "said", "nbest", "slots", "name", "facts", "arguments", "values", "note"}
)
DIGIT_KEYS = frozenset({"key", "keys", "digits"})
SECRET_KEYS = frozenset({"password", "token", "authorization", "secret"})
_SIP_USER = re.compile(r"(?<=sip:)[^@;>\s]+(?=@)")


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


class Redaction:
    """Processor: hides personal data by key, in nested mappings too."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return dict(self._mapping(event))

    def _mapping(self, event: Mapping[str, Any]) -> MutableMapping[str, Any]:
        return {key: self._value(key, value) for key, value in event.items()}

    def _value(self, key: str, value: Any) -> Any:
        if key in SECRET_KEYS:
            return "[secret]"
        if not self._enabled or value is None or value == "":
            return value
        if key in NUMBER_KEYS:
            return mask_number(str(value))
        if key in DIGIT_KEYS:
            return "•" * len(str(value))
        if key in TEXT_KEYS:
            return mask_text(value)
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, str) and "sip:" in value:
            return _SIP_USER.sub(lambda m: mask_number(m.group()), value)
        return value


def configure_logging(*, path: str, level: str, redact: bool, stream: TextIO | StandardError | None = None) -> None:
    """Send structlog to ``path`` ("-": standard output) as JSON lines; the standard library's loggers join it."""
    out: Any = stream or (sys.stdout if path == "-" else _open(path))
    threshold = getattr(logging, level.upper())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        lambda _, __, event: {**(_CALL.get() or {}), **event},  # the fields of the call, where there is one
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, Redaction(redact), structlog.processors.JSONRenderer(ensure_ascii=False, default=str)],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                Redaction(redact),
                structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
            ],
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(threshold, logging.WARNING))


class StandardError:
    """Whatever sys.stderr is when something is written: a command's own, or a test's that replaces it."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def _open(path: str) -> TextIO:
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.open("a", encoding="utf-8", buffering=1)
