"""SIP session timer (RFC 4028): who refreshes, how often, and what happens when nobody does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from aiosipua.session_timer import parse_session_expires, watchdog_delay

from ivr.sip.headers import BadMessage
from ivr.sip.message import SipMessage, SipRequest, SipResponse
from ivr.sip.timers import Timer, Timers

MIN_SE = 90
AGAIN = 1 / 8  # of the interval: three more tries before the far end counts the session as over


class IntervalTooSmall(BadMessage):
    """An interval to be answered with 422 and Min-SE."""

    status = 422
    headers: Mapping[str, str] = MappingProxyType({"Min_SE": str(MIN_SE)})


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """The agreed terms. ``refresher`` is "uac" or "uas" of the request that carried it."""

    interval_s: int
    refresher: str

    @property
    def header(self) -> str:
        return f"{self.interval_s};refresher={self.refresher}"


def min_se(message: SipMessage) -> int:
    value = message.headers.first("min-se").partition(";")[0].strip()
    return max(MIN_SE, int(value)) if value.isdecimal() and len(value) < 8 else MIN_SE


def terms_for(request: SipRequest, ours: int) -> SessionTerms:
    """Choose, as the callee, for an INVITE or UPDATE (section 9). Raises IntervalTooSmall."""
    floor = max(ours, min_se(request))
    raw, knows = request.headers.first("session-expires"), "timer" in request.extensions
    if not raw:
        return SessionTerms(floor, "uac" if knows else "uas")
    interval, refresher = parse_session_expires(raw)
    if interval < MIN_SE:
        if knows:
            raise IntervalTooSmall
        interval = MIN_SE
    chosen = refresher if refresher in ("uac", "uas") and knows else "uac" if knows else "uas"
    return SessionTerms(min(interval, floor), chosen)


def agreed(response: SipResponse, offered: int) -> SessionTerms | None:
    """Return what a 2xx settled for the caller (section 7.2), None when the far end knows no timers."""
    raw = response.headers.first("session-expires")
    if not raw:
        return SessionTerms(offered, "uac")  # the far end ignores it: we alone keep the session checked
    interval, refresher = parse_session_expires(raw)
    return SessionTerms(max(interval, MIN_SE), refresher or "uac") if interval > 0 else None


def _nothing() -> None:
    return None


class SessionTimer:
    """It refreshes at half the interval, or calls ``expire`` when the far end's refresh stays away (section 10)."""

    def __init__(self, timers: Timers, refresh: Callable[[], None], expire: Callable[[], None]) -> None:
        self._timers, self._refresh, self._expire = timers, refresh, expire
        self._timer: Timer | None = None
        self.interval_s = 0

    def start(self, terms: SessionTerms, us: str) -> None:
        """Start anew; we were ``us``, "uac" or "uas", when the terms were agreed."""
        self.stop()
        self.interval_s = terms.interval_s
        if terms.refresher == us:
            self._timer = self._timers.call_later(terms.interval_s / 2, self._refresh)
        else:
            self._timer = self._timers.call_later(watchdog_delay(terms.interval_s), self._expire)

    def try_again(self) -> None:
        """Our refresh did not get through (section 7.4), and the session goes on until its interval is over."""
        self.stop()
        self._timer = self._timers.call_later(self.interval_s * AGAIN, self._refresh)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def end(self) -> None:
        """The dialog is over: stop for good, and know nothing of it."""
        self.stop()
        self._refresh = self._expire = _nothing
