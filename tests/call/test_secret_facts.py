"""A secret fact on the line: from the service's answer to every place that a call is written down or shown in."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.events import ActionResult
from ivr.ports import ActionCall
from tests.call.fakes import FakeActions
from tests.call.test_session import FLOWS, Rig
from tests.call.virtual import run
from tests.unit.dialogue.engine.test_secret_facts import COMPANY, FORMS, KNOWN, MAIN, PIN
from tests.unit.dialogue.talk import HUMAN


class Practice(FakeActions):
    """Knows one patient, and who has been told their PIN."""

    async def perform(self, call: ActionCall) -> ActionResult:
        self.calls.append(call)
        return ActionResult("ok", facts=KNOWN if call.arguments.get("path") == "/patients" else {})


@pytest.fixture(scope="module")
def library() -> FlowLibrary:
    universals = {path.name: path.read_text() for path in FLOWS.glob("universals*.yaml")}
    sources = {"main.yaml": MAIN, "company.yaml": COMPANY, "human.yaml": HUMAN, **universals}
    loaded = load_library(sources, {})
    assert loaded.library is not None, loaded.findings
    return loaded.library


def test_no_log_line_record_view_or_handover_has_it(library: FlowLibrary) -> None:
    views: list[object] = []

    async def scenario() -> Rig:
        rig = Rig(library)
        rig.actions = Practice()
        async with rig.call():
            assert "four seven one one" in rig.said, "the caller hears what the flow says to them"
            views.append(rig.session.view())
            await rig.say("tell them")
            views.append(rig.session.view())
            await rig.say("somebody else")
            assert rig.with_agent()
            views.append(rig.session.view())
        return rig

    with capture_logs() as logs:
        rig = run(scenario())
    tell = next(call for call in rig.actions.calls if call.arguments.get("path") == "/notes")
    assert tell.arguments["body"] == {"note": PIN, "copy": PIN}, "the service gets it"
    assert tell.facts["patient.pin"] == PIN, "and so do actions"
    records = rig.records
    (context,) = rig.desk.contexts
    sinks = {
        "log": logs,
        "record": records.entries,
        "call": records.known,
        "end": records.finished,
        "resume": records.resume_points,
        "view": views,
        "hand-over": context.to_json(),
        "headers": rig.desk.headers(context, ""),
        "agent's leg": rig.endpoint.dialled,
    }
    for sink, told in sinks.items():
        assert not any(form in repr(told).lower() for form in FORMS), sink
    assert context.facts["patient.pin"] == "•••" and records.known["facts"]["patient.pin"] == "•••"
    assert context.facts["patient.name"] == "Ada"
    assert any("•••" in repr(entry) for entry in records.entries)
