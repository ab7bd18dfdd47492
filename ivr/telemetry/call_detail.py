"""Call detail records (CDR): one JSON line for each pair of legs at its end, in a file of their own.

A call that no agent had, and the last conversation of any other, are told when the call ends (``final``); a
conversation after which the call went on (passed on, back to the dialogue, the agent's line broken), when that ends.
What a caller is billed for stands in the final line only, so that sums are right. Numbers are whole: that is what such
records are for, and why the file is readable by its owner and group only.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import structlog

from ivr.errors import ConfigError
from ivr.events import RECORDING_AGREED
from ivr.log_sink import LogSink, SinkStatus, opened
from ivr.ports import Accepted, Began, Joined, Moment, Opened, Over, Parted, RefusedCall, Waited
from ivr.telemetry.mos import mos

log = structlog.get_logger(__name__)

VERSION = 1
SPILL_BYTES = 8 << 20  # that wait for a disk; beyond, records are lost and counted
MODE = 0o640
COLUMNS = (
    "v", "call_id", "sip_call_id", "node", "trunk", "direction", "caller", "called", "diverted_by", "started",
    "answered", "ended", "seconds", "billable_s", "final", "outcome", "ended_by", "end_reason", "sip_status", "entry",
    "flow_version", "language", "agent", "agent_sip_call_id", "wait_s", "talk_s", "handoff_reason", "transferred_to",
    "codec", "srtp", "tls", "lost", "jitter_ms", "mos", "recording", "consent",
)  # fmt: skip
_WENT_ON = {"line": "passed on", "machine": "returned", "dropped": "agent lost"}


@dataclass(slots=True)
class _Call:
    began: Began
    at: datetime
    opened: Opened | None = None
    answered: datetime | None = None
    waited_s: float = 0.0
    talked_s: float = 0.0
    joined: Joined | None = None  # the latest
    joined_at: datetime | None = None
    transferred_to: str = ""
    recorded: bool = False


@dataclass(slots=True)
class CallDetails:
    """Implements ``ivr.ports.CallObserver``. ``write`` takes a line, with its end, and doesn't wait."""

    node: str
    write: Callable[[str], object]
    _calls: dict[str, _Call] = field(default_factory=dict)

    def refused(self, at: datetime, call: RefusedCall) -> None:
        began = Began(call.sip_call_id, call.caller, call.called, call.trunk)
        self._put(
            {
                **_identity("", self.node, began, at),
                **{"ended": _told(at), "seconds": 0.0, "billable_s": 0, "final": True, "outcome": "refused"},
                **{"ended_by": "service", "end_reason": call.reason, "sip_status": call.status},
            }
        )

    def observe(self, call_id: str, at: datetime, what: Moment) -> None:
        if isinstance(what, Began):
            self._calls[call_id] = _Call(what, at)
            return
        call = self._calls.get(call_id)
        if call is None:
            return
        match what:
            case Opened():
                call.opened = what
            case Accepted():
                call.answered = at
                if what.sip_call_id:
                    call.began = replace(call.began, sip_call_id=what.sip_call_id)
            case Waited():
                call.waited_s += what.seconds
            case Joined():
                call.joined, call.joined_at, call.transferred_to = what, at, ""
            case Parted():
                self._parted(call_id, call, at, what)
            case Over():
                del self._calls[call_id]
                self._over(call_id, call, at, what)

    def _parted(self, call_id: str, call: _Call, at: datetime, parted: Parted) -> None:
        call.talked_s += parted.talk_s
        call.recorded |= parted.recorded
        if call.joined is None:
            return
        if parted.how == "transferred" or parted.agent != call.joined.agent:
            call.transferred_to = parted.agent
        if (outcome := _WENT_ON.get(parted.how)) is None:
            return
        self._put(
            {
                **_identity(call_id, self.node, call.began, call.joined_at or at),
                "answered": _told(call.joined_at),
                "ended": _told(at),
                "seconds": round(parted.talk_s, 2),
                "billable_s": 0,
                "final": False,
                "outcome": outcome,
                "ended_by": parted.by,
                "sip_status": 200,
                **_flow(call),
                **_agent(call),
                "talk_s": round(parted.talk_s, 2),
                "recording": parted.recorded,
            }
        )

    def _over(self, call_id: str, call: _Call, at: datetime, over: Over) -> None:
        told, stats = over.canonical, over.stats
        # The clock on the wall may have been set meanwhile: how long the call took was measured by another.
        lasted_s = float(told.get("seconds") or (at - call.at).total_seconds())
        billable = 0
        if call.answered is not None:
            billable = math.ceil(round(lasted_s - (call.answered - call.at).total_seconds(), 3))
        agreed = over.facts.get(RECORDING_AGREED)
        self._put(
            {
                **_identity(call_id, self.node, call.began, call.at),
                "answered": _told(call.answered),
                "ended": _told(at),
                "seconds": round(lasted_s, 2),
                "billable_s": max(0, billable),
                "final": True,
                "outcome": over.outcome,
                "ended_by": over.ended_by,
                "end_reason": str(told.get("end_reason") or ""),
                "sip_status": over.sip_status,
                **_flow(call),
                "language": str(told.get("language") or ""),
                **_agent(call),
                "wait_s": round(call.waited_s, 2),
                "talk_s": round(call.talked_s, 2),
                "handoff_reason": str(told.get("handoff_reason") or ""),
                "transferred_to": call.transferred_to,
                "codec": stats.codec,
                "srtp": stats.srtp,
                "lost": stats.packets_lost,
                "jitter_ms": stats.jitter_ms,
                "mos": mos(stats.packets_received, stats.packets_lost, stats.jitter_ms),
                "recording": call.recorded,
                "consent": "" if agreed is None else "yes" if agreed is True else "no",
            }
        )

    def _put(self, values: dict[str, Any]) -> None:
        """Every record has every column."""
        record = {name: values.get(name, _EMPTY.get(name, "")) for name in COLUMNS}
        self.write(json.dumps(record, ensure_ascii=False) + "\n")


_EMPTY: dict[str, Any] = {
    **dict.fromkeys(("answered", "mos")),
    **dict.fromkeys(("wait_s", "talk_s", "jitter_ms"), 0.0),
    "lost": 0,
    "recording": False,
}


def _identity(call_id: str, node: str, began: Began, started: datetime) -> dict[str, Any]:
    return {
        "v": VERSION,
        "call_id": call_id,
        "sip_call_id": began.sip_call_id,
        "node": node,
        "trunk": began.trunk,
        "direction": began.direction,
        "caller": began.caller,
        "called": began.called,
        "diverted_by": began.diverted_by,
        "started": _told(started),
        "tls": began.transport == "tls",
    }


def _flow(call: _Call) -> dict[str, str]:
    opened = call.opened
    if opened is None:
        return {}
    return {"entry": opened.entry, "flow_version": opened.flow_version, "language": opened.language}


def _agent(call: _Call) -> dict[str, str]:
    joined = call.joined
    return {} if joined is None else {"agent": joined.agent, "agent_sip_call_id": joined.sip_call_id}


def _told(at: datetime | None) -> str | None:
    """UTC, to the millisecond."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class CallDetailFile:
    """The file; ``apply`` opens, changes and closes it while calls go on. A full disk costs records, never a call."""

    def __init__(self) -> None:
        self._sink: LogSink | None = None
        self._path = ""

    def check(self, path: str) -> None:
        """Raises ConfigError for one that could not be written to now; what is written to already is not looked at."""
        if path and path != self._path:
            try:
                os.close(opened(path, MODE))
            except OSError as error:
                raise _unwritable(path, error) from error

    def apply(self, path: str) -> None:
        """Reopens it too: it may have been renamed (logrotate). One that can't be opened any more is tried again.

        Raises ConfigError for a first path that can't be opened."""
        self._path = path
        if not path:
            self.close()
        elif self._sink is None:
            try:
                self._sink = LogSink(path, _missing, most_bytes=SPILL_BYTES, mode=MODE)
            except OSError as error:
                raise _unwritable(path, error) from error
        else:
            self._sink.reopen(path)

    def reopen(self) -> None:
        """It was renamed: go on in one of its name."""
        if self._sink is not None:
            self._sink.reopen()

    def write(self, line: str) -> None:
        if self._sink is not None:
            self._sink.write(line)

    @property
    def status(self) -> SinkStatus | None:
        """None: there is none."""
        return self._sink.status if self._sink is not None else None

    def close(self) -> None:
        """Write what waits, for a short while."""
        sink, self._sink = self._sink, None
        if sink is not None and not sink.close():
            log.error("cdr.unwritten", why=sink.status.trouble)


def _unwritable(path: str, error: OSError) -> ConfigError:
    return ConfigError(f"[cdr] path {path}: {error.strerror}", remedy="name a file that can be made")


def _missing(count: int) -> str:
    """The line that stands where ``count`` records are missing."""
    return json.dumps({"v": VERSION, "missing": count, "at": _told(datetime.now(UTC))}) + "\n"
