"""What calls cost the database: ``python -m tests.bench.journal_commits [--calls 120] [--rate 4] [--hold 24]``.

Callers of SIPp work through the flows by keys, on a line of its own on PostgreSQL: first one whose journal commits
each write by itself, then one as it ships, whose writer gathers what all calls have to write. PostgreSQL counts:
commits, those that wrote (each has a transaction number, and waits for the disk), rows and write-ahead log. What a line
takes that has no call (its beats) is measured first and shown beside it. Aim: as shipped, while calls come, go and are
spoken with, at most one commit of the journal in 250 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import asyncpg

from ivr.demo.line import LineSetup, RunningLine
from tests.bench.figures import Figure, tell
from tests.bench.process_tree import Spent, Watch
from tests.postgres import PostgresServer, start_server, stop_server
from tests.wire.sipp import SippResult, start_sipp

SCENARIO = Path(__file__).with_name("uac_presses.xml")
PAUSES = 4  # of the scenario: a key after each but the last
AIM = 4.0  # commits a second: one in 250 ms
IDLE_S = 6.0
SETTLE_S = 2.5  # PostgreSQL's own counters are a second behind
MODULES = {"each write by itself": "tests.bench.ungathered_line", "gathered": "ivr"}
_COUNTS = """
SELECT xact_commit AS commits, pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS writes,
  (pg_current_wal_insert_lsn() - '0/0')::bigint AS wal,
  (SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint FROM pg_stat_user_tables) AS rows
FROM pg_stat_database WHERE datname = current_database()
"""


FIRST_MEMBER, PREFIX = 50_000, "50377"
_JOIN = (
    """INSERT INTO members (id, number, name, first_name, plan, since, language)
    SELECT each, each::text, name, first_name, plan, since, language FROM generate_series({first}, {last}) each, members
    WHERE members.id = (SELECT min(id) FROM members)""",
    """INSERT INTO member_phones (number, member_id)
    SELECT '{prefix}' || lpad((each - {first})::text, 5, '0'), each FROM generate_series({first}, {last}) each""",
    """INSERT INTO queue_entries (member_id, position, title_id, added_at)
    SELECT each, position, title_id, added_at FROM generate_series({first}, {last}) each, queue_entries
    WHERE member_id = (SELECT min(id) FROM members)""",
)


@dataclass(frozen=True, slots=True)
class Counts:
    """Of a database so far, or between two looks ``seconds`` apart. ``writes``: commits that wrote something."""

    commits: float
    writes: float
    wal: float
    rows: float
    seconds: float

    def since(self, before: Counts) -> Counts:
        return Counts(*(now - then for now, then in zip(self.all, before.all, strict=True)))

    @property
    def all(self) -> Sequence[float]:
        return (self.commits, self.writes, self.wal, self.rows, self.seconds)

    def beyond(self, idle: Counts) -> Counts:
        """What is not the line's own, which goes on as when nobody calls."""
        share = self.seconds / idle.seconds
        beyond = Counts(*(mine - share * its for mine, its in zip(self.all, idle.all, strict=True)))
        return replace(beyond, seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class Load:
    """``calls`` one after another, ``rate`` a second, each of ``hold`` seconds."""

    calls: int
    rate: float
    hold: float

    @property
    def at_once(self) -> float:
        return min(self.calls, self.rate * self.hold)


@dataclass(frozen=True, slots=True)
class Measured:
    """``idle``: with no call. ``whole``: from before the first call until all is written. ``busy``: while calls came,
    went and were spoken with; ``most``: commits that wrote in one of its seconds."""

    idle: Counts
    whole: Counts
    busy: Counts
    most: float
    result: SippResult
    spent: Spent

    @property
    def of_calls(self) -> Counts:
        return self.whole.beyond(self.idle)

    @property
    def journal(self) -> float:
        """Commits a second while it is busy, beyond those of a line that has no call."""
        return self.busy.writes / self.busy.seconds - self.idle.writes / self.idle.seconds


async def counted(connection: asyncpg.Connection[asyncpg.Record]) -> Counts:
    row = await connection.fetchrow(_COUNTS)
    assert row is not None
    at = asyncio.get_running_loop().time()
    return Counts(row["commits"], row["writes"], row["wal"], row["rows"] or 0, at)


async def joined(server: PostgresServer, database: str, members: int) -> None:
    """So many members with a number and a queue each: whoever calls while another call of theirs is being written has
    that written at once, so callers must not be the same few people."""
    connection = await asyncpg.connect(host=str(server.folder), user="postgres", database=database)
    for statement in _JOIN:
        await connection.execute(statement.format(first=FIRST_MEMBER, last=FIRST_MEMBER + members - 1, prefix=PREFIX))
    await connection.close()  # its counters are told by then


async def run(server: PostgresServer, database: str, module: str, load: Load, folder: Path) -> Measured:
    await server.execute(f"CREATE DATABASE {database}")
    setup = LineSetup(
        folder / "line",
        max_calls=2 * load.calls + 10,
        speech=f"talkers = {2 * load.calls + 10}",
        database=server.url(database),
        module=module,
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        port = sink.getsockname()[1]
        fields = "".join(f"{port};{PREFIX}{member:05};\n" for member in range(load.calls))
        (folder / "fields.csv").write_text("SEQUENTIAL\n" + fields)
        async with RunningLine.running(setup) as line:
            await joined(server, database, load.calls)
            connection = await asyncpg.connect(host=str(server.folder), user="postgres", database=database)
            try:
                await asyncio.sleep(SETTLE_S)
                before = await counted(connection)
                await asyncio.sleep(IDLE_S)
                return await _called(line, connection, (await counted(connection)).since(before), load, folder)
            finally:
                await connection.close()


async def _called(
    line: RunningLine, connection: asyncpg.Connection[asyncpg.Record], idle: Counts, load: Load, folder: Path
) -> Measured:
    before, offering_s = await counted(connection), load.calls / load.rate
    sipp = await start_sipp(
        SCENARIO,
        folder,
        target=line.sip,
        calls=load.calls,
        rate=load.rate,
        deadline_s=offering_s + load.hold + 30,
        options=["-inf", str(folder / "fields.csv"), "-d", str(round(1000 * load.hold / PAUSES))],
        traces=("stat", "err"),
    )
    watch = Watch.on(line.process.pid, sipp.process.pid)
    try:
        ended = asyncio.create_task(sipp.result())
        looks = []
        while not ended.done():
            await asyncio.wait({ended}, timeout=1.0)
            looks.append(await counted(connection))
        result, spent = await ended, watch.spent()
    finally:
        await sipp.stop()
    await asyncio.sleep(SETTLE_S)
    whole = (await counted(connection)).since(before)
    first, last = before.seconds + min(load.hold, offering_s / 2), before.seconds + offering_s
    busy = [look for look in looks if first <= look.seconds <= last] or looks
    most = max(now.since(then).writes / now.since(then).seconds for then, now in pairwise(busy))
    return Measured(idle, whole, busy[-1].since(busy[0]), most, result, spent)


def told(name: str, load: Load, found: Measured) -> str:
    each, idle = found.of_calls, found.idle
    return (
        f"{name}: {found.result.successful} of {load.calls} calls of {load.hold:g} s, about {load.at_once:.0f} at once,"
        f" {PAUSES - 1} keys each\n"
        f"  a call: {each.commits / load.calls:.1f} commits, {each.writes / load.calls:.2f} of them writing,"
        f" {each.rows / load.calls:.1f} rows, {each.wal / load.calls / 1000:.1f} kB of WAL\n"
        f"  a second: {found.busy.writes / found.busy.seconds:.1f} commits that write (most {found.most:.1f});"
        f" {found.journal:.1f} of them for calls, {found.busy.commits / found.busy.seconds:.1f} commits in all\n"
        f"  with no call: {idle.writes / idle.seconds:.1f} that write, {idle.commits / idle.seconds:.1f} in all,"
        f" a second\n"
        f"  load {found.spent.load:.1f}, others had {found.spent.others_cores:.2f} cores"
    )


async def measure(load: Load) -> bool:
    server, found = start_server(), {}
    try:
        for number, (name, module) in enumerate(MODULES.items()):
            folder = Path(tempfile.mkdtemp(prefix="ivr-commits-"))
            found[name] = await run(server, f"commits_{number}", module, load, folder)
            print(told(name, load, found[name]), flush=True)
            if found[name].result.failed:
                print(found[name].result.errors[-800:])
    finally:
        stop_server(server)
    figures = list(_figures(found, load))
    tell(*figures)
    met = all(figure.met is not False for figure in figures)
    print(f"aim: at most {AIM:g} commits a second for calls, nobody lost: {'met' if met else 'MISSED'}")
    return met


def _figures(found: Mapping[str, Measured], load: Load) -> Sequence[Figure]:
    told_of: list[Figure] = []
    for name, each in found.items():
        shipped = MODULES[name] == "ivr"
        others, note = each.spent.others_cores, f"load {each.spent.load:.1f}, {os.cpu_count()} cores"
        calls = each.of_calls
        told_of += [
            Figure(
                f"commits a second for calls, {name}",
                *(each.journal, "", AIM if shipped else None),
                neighbours=others,
                note=f"about {load.at_once:.0f} calls at once; {note}",
            ),
            Figure(f"commits that write, a call, {name}", calls.writes / load.calls, "", neighbours=others, note=note),
            Figure(f"rows a call, {name}", calls.rows / load.calls, "", neighbours=others),
            Figure(f"WAL a call, {name}", calls.wal / load.calls / 1000, "kB", neighbours=others),
            Figure(f"calls lost, {name}", load.calls - each.result.successful, "", 0, neighbours=others),
        ]
    return told_of


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=160)
    parser.add_argument("--rate", type=float, default=4.0, help="new calls a second")
    parser.add_argument("--hold", type=float, default=24.0, help="seconds that each lasts")
    options = parser.parse_args()
    return 0 if asyncio.run(measure(Load(options.calls, options.rate, options.hold))) else 1


if __name__ == "__main__":
    sys.exit(main())
