"""Every table that there is has a time after which its rows go, or is named as kept, and why."""

from __future__ import annotations

from ivr.config.retention_section import KINDS
from ivr.reference import COMPANY
from ivr.store.retention_rules import KEPT, RULES
from ivr.store.tables import metadata


def test_every_table_has_a_time_or_a_reason() -> None:
    timed = {rule.table.name for rule in RULES}
    kept = {**KEPT, **COMPANY.kept}
    assert set(metadata.tables) == timed | set(kept), "say in ivr.store.retention_rules how long its rows are kept"
    assert not timed & set(kept) and all(kept.values())


def test_every_kind_is_of_something() -> None:
    files = {"recordings", "prompts"}
    assert {rule.kind for rule in RULES} | files == set(KINDS)


def test_calls_go_last_because_the_others_ask_which_of_them_go_on() -> None:
    assert RULES[-1].table.name == "calls"
