"""Input timers: no-input (VoiceXML ``timeout``), inter-digit (``interdigittimeout``) and a late recognition."""

from __future__ import annotations

import asyncio

from ivr.call.inbox import Inbox, InputTimer, TimerExpired
from ivr.dialogue.engine.contract import Listen

# A recogniser that is late must not leave the caller in silence. From when the end of the utterance was told: a murmur;
# then keys; then, once those are said, a human. It ended half a second earlier: within 2.5 s there is an answer.
RECOGNITION_LATE_S = (0.5, 1.1, 6.0)


class InputTimers:
    """One call's. An expired timer posts TimerExpired; each runs at most once at a time."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._running: dict[InputTimer, asyncio.TimerHandle] = {}

    def await_input(self, listen: Listen) -> None:
        """Nothing is being said by either side: no-input runs, unless it does already or the caller is keying."""
        if listen.timeout_s is not None and not {"no-input", "inter-digit"} & self._running.keys():
            self._start("no-input", listen.timeout_s, listen.token)

    def await_key(self, listen: Listen | None) -> None:
        """A key was pressed, and more may follow."""
        if listen is not None and listen.interdigit_s:
            self._start("inter-digit", listen.interdigit_s, listen.token)

    def await_recognition(self, step: int = 0) -> None:
        """The caller's utterance has ended, or its recognition is late by ``step`` steps, which the token tells."""
        self._start("recognition", RECOGNITION_LATE_S[step], step)

    def stop(self, *timers: InputTimer) -> None:
        """These, or all of them."""
        for timer in timers or tuple(self._running):
            handle = self._running.pop(timer, None)
            if handle is not None:
                handle.cancel()

    def _start(self, timer: InputTimer, seconds: float, token: int) -> None:
        self.stop(timer)

        def expire() -> None:
            self._running.pop(timer, None)
            self._inbox.put_nowait(TimerExpired(timer, token))

        self._running[timer] = asyncio.get_running_loop().call_later(seconds, expire)
