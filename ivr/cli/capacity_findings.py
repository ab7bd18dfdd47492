"""Findings about capacity: what `sip.max_calls` takes of descriptors, ports, cores; priority, disks, clock, dumps."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

from ivr.cli.finding import Finding
from ivr.config import Config
from ivr.deploy.capacity import Costs
from ivr.limits import descriptors

FULL, LOW = 200 << 20, 2 << 30  # bytes left on a disk
BUSY = 0.75  # of a core, beyond which one thread is late now and then
LEGS_REMEDY = "more media.processes, a core each; or media.legs_per_process as you measured it; or lower max_calls"
_TIME_ERROR = 5  # what ntp_adjtime(3) returns while nothing keeps the clock
_TIMEX_BYTES = 512  # of struct timex, and room


def capacity_findings(config: Config) -> Iterator[Finding]:
    yield _descriptors(config.sip.max_calls)
    yield _ports(config)
    yield from _cores(config)
    yield _real_time()
    yield from _disks(config)
    yield _clock()
    if (soft := resource.getrlimit(resource.RLIMIT_CORE)[0]) != 0:
        allowed = "of any size" if soft == resource.RLIM_INFINITY else f"up to {soft} bytes"
        detail = f"allowed, {allowed}: what callers said and every secret would be in them"
        yield Finding("note", "core dumps", detail, "LimitCORE=0 in the systemd unit, or ulimit -c 0")


def _descriptors(max_calls: int) -> Finding:
    available = descriptors.attainable()
    if problem := descriptors.shortage(max_calls, available):
        return Finding("bad", "file descriptors", problem, descriptors.remedy(max_calls))
    needed = descriptors.needed(max_calls)
    return Finding("ok", "file descriptors", f"{available} allowed, {needed} needed for max_calls = {max_calls}")


def _ports(config: Config) -> Finding:
    """Each caller needs a port pair, and another for the agent who joins them."""
    ports, enough, wanted = config.media.ports, config.media.callers, config.sip.max_calls
    if enough >= wanted:
        return Finding("ok", f"RTP ports {ports}", f"enough for {enough} callers, agents included")
    low = config.media.port_range[0]
    remedy = f'set media.ports = "{low}-{low + 4 * wanted - 1}" or wider, or lower sip.max_calls'
    return Finding(
        "bad", f"RTP ports {ports}", f"enough for {enough} callers only, of {wanted} in sip.max_calls", remedy
    )


def _cores(config: Config) -> Iterator[Finding]:
    cores, talkers, most = len(os.sched_getaffinity(0)), config.speech.most_talkers, config.sip.max_calls
    told = f"{cores} may be used; {config.speech.processes} recognise, for {talkers} callers who talk"
    if most > talkers:
        remedy = "more cores, speech.talkers as you measured it (README), or a second unit"
        yield Finding("note", "cores", f"{told}; beyond, of {most} in sip.max_calls, new calls get 503", remedy)
    else:
        yield Finding("ok", "cores", told)
    yield _media(config, cores)


def _media(config: Config, cores: int) -> Finding:
    """A process is one thread, of so many legs at most; a caller with an agent has two."""
    processes, legs = config.media_processes, config.media.legs_per_process
    told = f"{processes} process{'es' * (processes > 1)} of {legs} legs: enough for {config.media_callers} callers"
    if config.media_callers < config.sip.max_calls:
        return Finding("bad", "media", f"{told} only, of {config.sip.max_calls} in sip.max_calls", LEGS_REMEDY)
    costs = Costs()
    busiest = min(legs, math.ceil(descriptors.LEGS_A_CALL * config.sip.max_calls / processes))
    of_a_core = busiest * (costs.call_ms_s + costs.srtp_ms_s) / 1000
    if of_a_core > BUSY:
        detail = f"{busiest} legs a process, all encrypted, take {of_a_core:.2f} of a core in one thread"
        return Finding("note", "media", detail, "lower media.legs_per_process, or add media.processes")
    if processes > cores:
        return Finding("note", "media", f"{told}, on {cores} cores", "media.processes = 0 has one a core at most")
    return Finding("ok", "media", f"{told}, agents included")


def legs_short(config: Config) -> str:
    """That there are too few for ``sip.max_calls``, and what to do."""
    return (
        f"{config.media_processes} media processes of {config.media.legs_per_process} legs are enough for"
        f" {config.media_callers} callers only, each with an agent ({LEGS_REMEDY})"
    )


def _real_time() -> Finding:
    """Tried, and taken back: what a limit says is not all that decides."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except (OSError, AttributeError):
        remedy = "LimitRTPRIO=1 in the systemd unit; --cap-add SYS_NICE for a container"
        return Finding("note", "real-time priority", "not allowed: other programs may make packets late", remedy)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return Finding("ok", "real-time priority", "media keeps its 20 ms by it")


def _disks(config: Config) -> Iterator[Finding]:
    """One of each file system that something is written to."""
    written = {"log": Path(config.logs.path), "spool": config.store.spool_folder, "recordings": config.recording.folder}
    if config.logs.path == "-":
        del written["log"]
    if config.cdr.path:
        written["call detail records"] = Path(config.cdr.path)
    used: dict[int, tuple[Path, list[str]]] = {}
    for what, path in (*written.items(), ("prompts", config.speech.cache)):
        there = next(each for each in (path.absolute(), *path.absolute().parents) if each.is_dir())
        used.setdefault(there.stat().st_dev, (there, []))[1].append(what)
    for there, parts in used.values():
        free, listed = shutil.disk_usage(there).free, ", ".join(parts)
        detail = f"{free / (1 << 30):.1f} GB free for {listed}"
        remedy = "make room: rotate the log, shorten recordings and transcripts under [retention]"
        state = "bad" if free < FULL else "note" if free < LOW else "ok"
        yield Finding(state, f"disk of {there}", detail, "" if state == "ok" else remedy)


def _clock() -> Finding:
    """Asked of the kernel, as far as it tells."""
    try:
        answer = ctypes.CDLL(None, use_errno=True).ntp_adjtime(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        answer = -1
    if answer == -1:
        return Finding("note", "clock", "whether anything keeps it can't be told here", "see that NTP runs on the host")
    if answer == _TIME_ERROR:
        detail = "nothing keeps it: opening hours, certificates, log-ins and the order of several lines go by it"
        return Finding(
            "note", "clock", detail, "apt-get install systemd-timesyncd, or chrony; in a container: the host"
        )
    return Finding("ok", "clock", "kept by NTP")
