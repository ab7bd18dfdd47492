"""A line's engines: media and speech, each in processes of its own, which load while the line itself gets ready.

Imported and begun before the rest of the line is: that takes a second, in which they have a core to themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from ivr.config import Config
from ivr.errors import ConfigError, IvrError
from ivr.media.pool import MediaPool
from ivr.speech.service import WorkerSpeechService
from ivr.workers.process import Worker

log = structlog.get_logger(__name__)


class Engines:
    """``begin`` starts them; ``media_up`` and ``speech_up`` are awaited once they are needed; ``stop`` ends them."""

    def __init__(self, config: Config) -> None:
        self.media = MediaPool(
            hosts=[address.host for address in config.sip.listen],
            port_range=config.media.port_range,
            codecs=config.media.codecs,
            timeout_s=config.media.timeout_s,
            processes=config.media_processes,
            legs_per_process=config.media.legs_per_process,
            advertise=config.sip.advertise,
            browser_addresses=config.media.browser_addresses,
        )
        self.speech = WorkerSpeechService(config.speech)
        self._config = config
        self._starting: list[asyncio.Task[None]] = []

    @property
    def workers(self) -> Mapping[str, Sequence[Worker]]:
        """Their processes, by what operators call them."""
        listen, speak = self.speech.listener.worker, self.speech.speaker.worker
        return {"media": self.media.workers, "listen": [listen], "speak": [speak]}

    def check(self, config: Config) -> None:
        """Raises ConfigError for what they can't become while they run: ports stay as they are."""
        media = config.media
        if media.processes > media.callers:
            raise ConfigError(
                f"media.processes = {media.processes}: the ports that are in use ({media.ports}) are enough for"
                f" {media.callers} callers, each with an agent",
                remedy="restart with more media.ports",
            )
        if config.media_callers < config.sip.max_calls:
            log.warning("service.media_short", callers=config.media_callers, max_calls=config.sip.max_calls)

    def apply(self, config: Config) -> None:
        """What a reload may change of them."""
        self.media.apply(config.media_processes, config.media.legs_per_process)
        self.speech.apply(config.speech)

    def begin(self) -> None:
        """Idempotent."""
        if not self._starting:
            self.check(self._config)
            self._starting = [asyncio.create_task(each.start()) for each in (self.media, self.speech)]

    async def media_up(self) -> None:
        """Raises MediaUnavailable."""
        await asyncio.shield(self._starting[0])

    async def speech_up(self) -> None:
        """Raises SpeechUnavailable."""
        await asyncio.shield(self._starting[1])

    async def stop(self) -> None:
        """Idempotent; never raises for what goes wrong at the end."""
        starting, self._starting = self._starting, []
        for task in starting:
            task.cancel()
        await asyncio.gather(*starting, return_exceptions=True)
        for stop in (self.speech.stop, self.media.stop) if starting else ():
            try:
                await stop()
            except (IvrError, OSError) as error:
                log.error("service.stop_failed", error=str(error))
