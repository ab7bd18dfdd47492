"""`ivr serve`: answer calls until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import faulthandler
import gc
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING

import structlog

from ivr.cli.options import Subparsers, add_config, add_listeners, command, configuration
from ivr.config import Config
from ivr.engines import Engines
from ivr.errors import UnavailableError
from ivr.limits import descriptors
from ivr.log_sink import STANDARD_ERROR, LogSink
from ivr.logs import Log, StandardError, configure_logging
from ivr.readiness import Lifecycle, Readiness, Step
from ivr.systemd import Notifier

if TYPE_CHECKING:  # it imports all of the line, for which its engines need not wait
    from ivr.service import Service

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

EPILOG = """\
signals:
  SIGTERM, Ctrl-C  drain: no new calls (503, Retry-After; /readyz says 503), calls in progress may end by
                   themselves; a second one stops at once, with a BYE to everybody. Before the line is ready
                   the first one does.
  SIGHUP           reload: opens log and CDR anew (logrotate by rename) and reads the configuration again, and
                   the files of [sip.tls]: a renewed certificate counts for new connections.
                   Trunks, local_nets, max_calls, busy_status, retry_after_s, session_expires_s, [desk] hours, agents
                   and line, [speech.second_ear], [[flows.services]], [[flows.numbers]], the entry, its language and
                   persona, [retention], [http.oidc], [logs], [cdr], and of [media] processes and legs_per_process
                   count for what begins from then on. In the log, config.restart_needed names the keys that need a
                   restart, config.rejected what is wrong: then nothing changes. Calls in progress notice nothing, and
                   a drain goes on. A terminal that is closed sends SIGHUP, too.
While the line starts, /readyz says 503 and how far it is; so do standard error, and service.starting in the log.
A log that can't be written (disk full, standard output closed) never holds up a call: lines wait, those beyond
20,000 are lost and counted (log.lost), and /readyz says why under "log".
Several services run on one machine with different --sip, --http and --database.
"""

# How many more containers there are when the young ones are collected, and how often the older are along with them. A
# call makes hundreds, most of which outlive the usual 700 by far and are walked through in vain; ten times as many
# would be a standstill of a quarter of a second each time.
COLLECT_AT = (5_000, 5, 10)
TELL_S = 2.0  # how often a step that counts says how far it is


def add(commands: Subparsers) -> None:
    parser = command(commands, "serve", "answer calls", EPILOG, handle)
    add_config(parser)
    add_listeners(parser)
    parser.add_argument(
        "--drain", type=float, default=300.0, metavar="SECONDS", help="how long calls may go on after SIGTERM"
    )


def handle(arguments: argparse.Namespace) -> int:
    signals, notifier = Signals(), Notifier.taken()
    faulthandler.enable(STANDARD_ERROR)  # the watchdog's SIGABRT tells where the loop stood; frames only, no values
    with signals.taken():
        config = configuration(arguments)
        logs = config.logs
        try:
            written = configure_logging(path=logs.path, level=logs.level, redact=logs.redact, lasting=True)
        except OSError as error:
            remedy = "let the service's user write it, or choose another [logs] path"
            raise UnavailableError(f"the log {logs.path}: {error.strerror or error}", remedy=remedy) from error
        notices = LogSink(STANDARD_ERROR, lambda count: f"({count} lines are missing here)\n")
        _take_descriptors(config.sip.max_calls, notices)
        try:
            return asyncio.run(_serve(arguments, config, written, notices, signals, notifier))
        finally:
            notices.close()
            written.close()


def _take_descriptors(max_calls: int, notices: LogSink) -> None:
    """As many as the system gives; calls that find none left are refused one by one, which must not be news then."""
    descriptors.raise_limit()
    if problem := descriptors.warn(max_calls):
        notices.write(f"file descriptors: {problem}; {descriptors.remedy(max_calls)}\n")


class Signals:
    """What the operator wants: ``stop``, ``stop_now`` (asked twice), ``reload``. From the first moment to the last, so
    that no signal finds Python's own behaviour, which would end calls without a BYE or the program with a traceback."""

    def __init__(self) -> None:
        self.stop, self.stop_now, self.reload = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._wanted: list[asyncio.Event] = []  # before there was a loop
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextmanager
    def taken(self) -> Iterator[None]:
        handlers = {signal.SIGTERM: self._stop, signal.SIGINT: self._stop, signal.SIGHUP: self._reload}
        for signum, handler in handlers.items():
            signal.signal(signum, handler)
        try:
            yield
        finally:
            for signum in handlers:  # the end is near, and nobody's signal may make it another one
                signal.signal(signum, signal.SIG_IGN)

    def deliver(self) -> None:
        """The loop runs: from now on it is woken; what came before is set."""
        self._loop = asyncio.get_running_loop()
        for event in self._wanted:
            event.set()

    def _stop(self, _: int, __: FrameType | None) -> None:
        self._want(self.stop_now if self.stop.is_set() or self.stop in self._wanted else self.stop)

    def _reload(self, _: int, __: FrameType | None) -> None:
        self._want(self.reload)

    def _want(self, event: asyncio.Event) -> None:
        self._wanted.append(event)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it is closed: all is over
                self._loop.call_soon_threadsafe(event.set)


async def _serve(
    arguments: argparse.Namespace,
    config: Config,
    written: Log,
    notices: LogSink,
    signals: Signals,
    notifier: Notifier,
) -> int:
    signals.deliver()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(descriptors.Exhaustion(loop))
    config.check_secrets()  # what is missing is told before anything runs
    async with AsyncExitStack() as stack:
        gc.disable()  # a fifth of the start would be collections that find nothing: all of it is there to stay
        stack.callback(gc.enable)
        watching = asyncio.create_task(notifier.watch())
        stack.push_async_callback(_cancelled, watching)
        engines = Engines(config)
        stack.push_async_callback(engines.stop)
        engines.begin()
        with _startup(notices, notifier) as tell:
            starting = asyncio.create_task(_started(stack, config, Lifecycle(tell), written, engines))
            read = partial(configuration, arguments)
            reloads = asyncio.create_task(_reload(signals, written, starting, read, notifier))
            stack.push_async_callback(_cancelled, reloads)
            await _first(starting, signals.stop)
        if not starting.done():
            notifier.stopping("stopped before it was ready")
            await _cancelled(starting)
            notices.write("stopped before it was ready\n")
            return 0
        service = await starting
        # What lives as long as the process is never looked at again: a collection then takes a fraction of the time in
        # which no call can be served, also while new versions of the flows are being read. What a start leaves behind
        # (a megabyte) is kept along with it: finding it would take a tenth of the start.
        gc.freeze()
        gc.set_threshold(*COLLECT_AT)
        gc.enable()
        if service.first_link:
            notices.write(first_account(service.first_link))
        service.readiness.told = lambda readiness: notifier.status(status_line(readiness))
        notifier.ready("ready")
        secure = f" (sip over TLS {service.tls_address})" if service.tls_address else ""
        notices.write(f"ready: sip {service.sip_address}, http {service.http_address}{secure}\n")
        await signals.stop.wait()
        notifier.stopping("draining")
        if calls := len(service.calls):
            notices.write(f"draining {calls} call(s); again to stop at once\n")
        drained = asyncio.create_task(service.drain.finish(arguments.drain))
        await _first(drained, signals.stop_now)
        await _cancelled(drained)
    return 0


async def _started(
    stack: AsyncExitStack, config: Config, lifecycle: Lifecycle, written: Log, engines: Engines
) -> Service:
    """The engines load in processes of their own while this one imports the rest of the line."""
    lifecycle.begin("loading the program")
    line = await asyncio.to_thread(import_module, "ivr.service")
    service: Service = await stack.enter_async_context(line.running(config, lifecycle, written, engines))
    return service


def first_account(link: str) -> str:
    """What whoever starts a line that nobody has an account at is told, on their terminal only."""
    return f"nobody has an account yet. Make the first one within 15 minutes (later: ivr accounts link):\n{link}\n"


def status_line(readiness: Readiness) -> str:
    """What ``systemctl status`` shows of a running line."""
    calls = f"{readiness.calls} call{'' if readiness.calls == 1 else 's'}"
    return f"{readiness.state}, {calls}" + "".join(f"; {reason}" for reason in readiness.reasons)


async def _reload(
    signals: Signals,
    written: Log,
    starting: asyncio.Task[Service],
    read: Callable[[], Config],
    notifier: Notifier,
) -> None:
    """Whenever it is wanted. The log is opened anew at once, the rest when there is a line to change."""
    while True:
        await signals.reload.wait()
        signals.reload.clear()
        written.reopen()
        service = await asyncio.shield(starting)
        service.telemetry.reopen()
        notifier.reloading()
        taken = await service.reload.run(read)
        notifier.reloaded("reloaded" if taken else "the new configuration was rejected: the log says why")


async def _first(work: asyncio.Task[object] | asyncio.Task[Service] | asyncio.Task[None], event: asyncio.Event) -> None:
    """Returns when ``work`` is done or ``event`` is set; cancels neither."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


async def _cancelled(task: asyncio.Task[Service] | asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@contextmanager
def _startup(notices: LogSink, notifier: Notifier) -> Iterator[Callable[[Step], None]]:
    """What the start is doing, for whoever looks: bars on a terminal, else lines; in the log either way."""
    from rich.console import Console  # most commands draw nothing and start without it
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

    console = Console(file=StandardError())  # type: ignore[arg-type]  # what it needs of a file
    columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    said = Step("")
    said_at = float("-inf")
    bars = Progress(
        *columns,
        console=console,
        disable=not console.is_terminal,
        redirect_stdout=False,
        redirect_stderr=False,  # it would be handed what it writes itself
    )
    with bars:
        shown: TaskID | None = None

        def tell(step: Step) -> None:
            nonlocal said, said_at, shown
            new = step.name != said.name
            notifier.status(f"starting: {step}")
            if new and shown is not None:
                bars.update(shown, total=1, completed=1, description=said.name)
            if new or shown is None:
                shown = bars.add_task(step.name, total=None)
            bars.update(shown, total=step.total or None, completed=step.done, description=str(step))
            if new or time.monotonic() - said_at >= TELL_S or (step.total and step.done == step.total):
                said_at = time.monotonic()
                log.info("service.starting", step=step.name, done=step.done, total=step.total)
                if not console.is_terminal:
                    notices.write(f"starting: {step}\n")
            said = step

        yield tell
        if shown is not None:
            bars.update(shown, total=1, completed=1)
