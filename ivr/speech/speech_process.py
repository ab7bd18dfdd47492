"""A speech worker as the line sees it: a supervised process, which listens or speaks, and its messages."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from ivr.errors import SpeechUnavailable
from ivr.ports import SpeechGrammar
from ivr.speech import wire
from ivr.speech.known_grammars import KnownGrammars
from ivr.speech.wire import Grammar, Message, Ready, Setup
from ivr.workers.frames import Life
from ivr.workers.process import Role, Worker

log = structlog.get_logger(__name__)
_START_S = 90.0  # loading models on a busy machine
_HUNG_S = 5.0  # its calls are deaf meanwhile, and better off with a human
_BEHIND = 256 * 1024  # bytes of unsent audio: 16 s of speech
# Recognisers are forked, and threads that a library starts by itself don't live on in a child.
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class SpeechProcess:
    """A worker of ``role`` "listen" or "speak". Its sessions' messages go to ``on_message``; ``on_lost`` ends them."""

    def __init__(
        self,
        role: str,
        setup: Setup,
        on_message: Callable[[int, Message], None] = lambda *_: None,
        on_lost: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.role = role
        self.loaded = Ready((), False)
        self._grammars: KnownGrammars[bool] = KnownGrammars()  # that the process keeps
        self._setup = setup
        self._on_message = on_message
        self._on_lost = on_lost
        self.worker = Worker(
            Role(
                name=role,
                title=f"the {role} worker",
                module=("ivr.speech.worker", role),
                errors=(SpeechUnavailable,),
                remedy="see worker.* in the log",
                start_s=_START_S,
                hung_after_s=_HUNG_S,
                variables=_ONE_THREAD,
            ),
            self,
        )

    @property
    def languages(self) -> list[str]:
        """What its recognisers hear."""
        return [language for engine in self.loaded.engines if not engine.detail for language in engine.languages]

    async def start(self) -> None:
        """Returns when all is loaded that can be; or, with what there is, when that takes too long."""
        await self.worker.start()
        await self.worker.wait_until(lambda: self.loaded.complete, _START_S)

    def send(self, session: int, message: Message) -> None:
        """Never dropped; to a dead worker it is nobody's."""
        kind, body = wire.encode(message)
        self.worker.send(kind, session, body)

    def send_grammar(self, grammar: SpeechGrammar, pack: Callable[[SpeechGrammar], bytes]) -> None:
        """Before whatever names it; nothing is sent to a process that knows it."""
        if self._grammars.get(grammar.key):
            return
        kind, body = wire.encode(Grammar(grammar.key, pack(grammar)))
        if self.worker.send(kind, 0, body):
            self._grammars.put(grammar.key, True)

    def send_audio(self, session: int, at: float, pcm: bytes) -> bool:
        """False: dropped, the worker is behind or gone."""
        return self.worker.unsent <= _BEHIND and self.worker.send(wire.AUDIO, session, wire.audio(at, pcm))

    async def ask(self, message: Message, *, timeout_s: float) -> bytes:
        """The reply to a request. Raises SpeechUnavailable when it fails, hangs or dies meanwhile."""
        await self.worker.wait_up(timeout_s)
        kind, body = wire.encode(message)
        return await self.worker.request(kind, body=body, timeout_s=timeout_s)

    # --- for the worker (Owner) ------------------------------------------------------------------------------

    def setup(self) -> bytes:
        """What it is to load."""
        return wire.encode(self._setup)[1]

    def ready(self, body: bytes) -> bool:
        """It has loaded more."""
        loaded, _ = wire.decode(Life.READY, body)
        assert isinstance(loaded, Ready)
        self.loaded = loaded
        if loaded.complete:
            log.info("worker.ready", role=self.role, pid=self.worker.pid)
        return bool(loaded.engines) or loaded.complete

    def received(self, kind: int, number: int, body: bytes) -> None:
        """Something happened in a session."""
        self._on_message(number, wire.decode(kind, body)[0])

    def lost(self, reason: str, restart_in_s: float | None) -> None:
        """Its sessions are lost."""
        self.loaded = Ready((), False)
        self._grammars.clear()
        if restart_in_s is not None:
            log.error("worker.died", role=self.role, pid=self.worker.pid, reason=reason, restart_in_s=restart_in_s)
        self._on_lost(reason)
