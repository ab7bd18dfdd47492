"""Two lines on one database behind Kamailio, for these tests only; each begins with both of them up and no call."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.postgres import PostgresServer, postgres_server
from tests.wire.takeover.cluster import Cluster, cluster

__all__ = ["postgres_server"]


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def both(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with cluster(postgres_server, tmp_path_factory.mktemp("two"), agents=4) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def two_lines(both: Cluster) -> AsyncIterator[Cluster]:
    await both.up()
    yield both
    await both.hang_up()
