"""The record of a simulated call, in the shape that the phone's calls are kept in: nothing need tell them apart."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ivr.ports import CallRecords
from ivr.record import Entry
from ivr.workshop.simulate.simulation import Simulation

INSIDE = frozenset({"caller", "resume", "end"})  # entries of a simulation that no phone call has


def timeline(simulation: Simulation) -> dict[str, Any]:
    """What there is to know of the calls of a simulation, ready for JSON."""
    start = simulation.start
    connect = simulation.connected
    return {
        "call_id": simulation.call_id,
        "caller": start.caller,
        "called": start.called,
        "started_at": simulation.at.isoformat(),
        "ended_at": simulation.now.isoformat(),
        "flow": start.entry,
        "flow_version": simulation.library.version,
        "language": start.language,
        "persona": start.persona,
        "keys_led": start.keys_led,
        "outcome": "handed over" if connect is not None else simulation.outcome,
        "canonical": {
            "outcome": "handed over" if connect is not None else simulation.outcome,
            "ended_by": "caller" if simulation.outcome == "abandoned" else "service",
            "handoff_reason": connect.reason if connect is not None else "",
            "resolved": simulation.dialogue.resolved,
        },
        "entries": [entry.to_json() for entry in simulation.entries],
    }


async def keep(kept: Mapping[str, Any], records: CallRecords) -> None:
    """Write a timeline to the store as the phone would have. Raises StoreUnavailable."""
    call_id = str(kept["call_id"])
    details = {name: kept[name] for name in ("flow", "flow_version", "language", "persona", "keys_led")}
    started, ended = (datetime.fromisoformat(kept[name]) for name in ("started_at", "ended_at"))
    await records.begin(call_id, kept["caller"], kept["called"], started, {**details, "simulated": True})
    await records.append_all(
        call_id, [Entry.from_json(entry) for entry in kept["entries"] if entry["kind"] not in INSIDE]
    )
    await records.finish(call_id, kept["outcome"], ended, kept["canonical"])
