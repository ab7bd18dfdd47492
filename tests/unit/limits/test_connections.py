"""Which connection makes room for the next; time is turned by hand."""

from __future__ import annotations

from ivr.limits.connections import IDLE_S, ConnectionLimits, ConnectionTable

LIMITS = ConnectionLimits(most=20, unproven=10, unproven_a_source=4, a_source=8)


class Server:
    """A table, its clock, and which connections it closed."""

    def __init__(self) -> None:
        self.now = 0.0
        self.closed: list[str] = []
        self.table = ConnectionTable(LIMITS, lambda: self.now)

    def connect(self, key: str, source: str, *, proven: bool = False) -> bool:
        return self.table.enter(key, source, lambda: self.closed.append(key), proven=proven)


def test_a_stranger_pushes_out_its_own_oldest() -> None:
    server = Server()
    assert all(server.connect(f"x{n}", "x") for n in range(6))
    assert server.closed == ["x0", "x1"]
    assert server.connect("y", "y")
    assert server.closed == ["x0", "x1"]


def test_strangers_of_many_sources_leave_room_for_one_more() -> None:
    server = Server()
    for source in "abcdefgh":
        for n in range(4):
            server.connect(f"{source}{n}", source)
    assert len(server.table) == LIMITS.unproven
    assert server.connect("late", "late")
    assert "late" not in server.closed


def test_strangers_never_keep_out_a_trunk() -> None:
    server = Server()
    for source in "abcdefgh":
        for n in range(64):
            server.connect(f"{source}{n}", source)
    assert all(server.connect(f"trunk{n}", "trunk", proven=True) for n in range(8))
    assert not server.connect("trunk8", "trunk", proven=True), "all its others are at work"
    server.now += IDLE_S
    server.table.active("trunk0")
    assert server.connect("trunk8", "trunk", proven=True)
    assert server.closed[-1] == "trunk1", "the one that was quiet longest"


def test_who_is_being_served_stays() -> None:
    server = Server()
    for n in range(8):
        server.connect(f"t{n}", "t", proven=True)
        server.table.active(f"t{n}", busy=True)
    server.now += 3600.0
    assert not server.connect("more", "t", proven=True)
    server.table.active("t5")
    server.now += IDLE_S
    assert server.connect("more", "t", proven=True)
    assert server.closed == ["t5"]


def test_whoever_proves_itself_leaves_the_strangers_share() -> None:
    server = Server()
    server.connect("known", "x")
    server.table.prove("known")
    for n in range(50):
        server.connect(f"x{n}", "x")
    assert "known" not in server.closed
    assert server.table.proven("known")
    server.table.leave("known")
    assert not server.table.proven("known")


def test_what_we_open_ourselves_always_has_room() -> None:
    server = Server()
    for n in range(8):
        server.connect(f"t{n}", "t", proven=True)
    assert server.table.enter("ours", "t", lambda: None, ours=True)
