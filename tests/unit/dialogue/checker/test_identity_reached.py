"""Identity levels are proven on every path: red where one lacks, green where it is reached or the refusal is led on."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ivr.dialogue.checker.check import check_sources
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.identity import Identity, IdentityLevel
from ivr.reference import COMPANY
from tests.unit.dialogue.checker.corpus import good
from tests.unit.dialogue.talk import ROOT

SIGNATURES = {
    s.name: s
    for s in (
        ActionSignature("find", outcomes=("ok", "unknown"), gives={"ok": Identity(IdentityLevel.LIKELY, "number")}),
        ActionSignature(
            "claim", (Parameter("n", "digits"),), gives={"ok": Identity(IdentityLevel.UNVERIFIED, "keyed number")}
        ),
        ActionSignature(
            "prove",
            (Parameter("n", "digits"),),
            outcomes=("ok", "wrong"),
            gives={"ok": Identity(IdentityLevel.VERIFIED, "PIN")},
        ),
        ActionSignature("hours", needs=IdentityLevel.UNKNOWN),
        ActionSignature("read", needs=IdentityLevel.LIKELY),
        ActionSignature("tell", needs=IdentityLevel.VERIFIED),
        ActionSignature("move", risk="reversible"),
        ActionSignature("wipe", risk="irreversible"),
        ActionSignature("callback.request", promises="callback", needs=IdentityLevel.UNKNOWN),
    )
}
HUMAN, UNIVERSALS = good()["human.yaml"], good()["universals.yaml"]
CODE = "identity-not-reached"
MAIN = """
flow: main
start: who
variables: {pin: {type: digits, length: 4, secret: true}}
intents: {go: [do it now]}
states:
  who: {action: find, on: {ok: ask, unknown: UNKNOWN, failed: human, timeout: human}}
  ask: {prompt: "What?", choices: [{intent: go, key: 1, label: "it", goto: GO}]}
  which: {ask: pin, prompt: "PIN?", goto: prove}
  prove: {action: prove, with: {n: pin}, on: {ok: {goto: ask, clear: [pin]}, wrong: FAIL, failed: FAIL, timeout: FAIL}}
  act: {ACT}
  done: {prompt: "Done.", goto: ask}
""".replace("FAIL", "human")
EDGES = "{ok: done, failed: human, timeout: human}"


def checked(act: str, go: str = "act", unknown: str = "human", **more: str) -> list[Finding]:
    main = MAIN.replace("ACT", act).replace("GO", go).replace("UNKNOWN", unknown)
    sources = {"main.yaml": main, "human.yaml": HUMAN, "universals.yaml": UNIVERSALS}
    sources |= {f"{name}.yaml": text for name, text in more.items()}
    facts = LineFacts(SIGNATURES, entries=("main",), levels={"vault": IdentityLevel.VERIFIED})
    return [f for f in check_sources(sources, facts).findings if f.code == CODE]


@pytest.mark.parametrize("action", ["hours", "read", "move"])
def test_green_where_the_number_suffices(action: str) -> None:
    assert checked(f"action: {action}, on: {EDGES}") == []


@pytest.mark.parametrize("action", ["tell", "wipe"])
def test_red_where_it_does_not_with_file_line_and_path(action: str) -> None:
    (finding,) = checked(f"action: {action}, confirm: {{policy: explicit, prompt: Now?}}, on: {EDGES}")
    assert (finding.file, finding.line, finding.text, finding.severity) == ("main.yaml", 11, action, "error")
    assert "needs a caller who is verified" in finding.why
    assert "may be likely" in finding.why
    assert "prove" in finding.remedy
    assert finding.path[:3] == ("main.who", "[ok]", "main.ask")
    assert finding.path[-1] == "main.act"


@pytest.mark.parametrize("action", ["read", "move", "tell", "wipe"])
def test_red_where_nobody_was_identified(action: str) -> None:
    confirm = "confirm: {policy: explicit, prompt: Now?}, "
    (finding,) = checked(f"action: {action}, {confirm}on: {EDGES}", unknown="ask")
    assert finding.line == 11


def test_what_declares_nothing_is_said_to() -> None:
    (finding,) = checked(f"action: move, on: {EDGES}", unknown="ask")
    assert "as all do that declare nothing" in finding.why


def test_green_after_verification() -> None:
    assert checked(f"action: tell, on: {EDGES}", go="which") == []
    (finding,) = checked(f"action: tell, on: {EDGES}", go="which", unknown="act")
    assert finding.path == ("main.who", "[unknown]", "main.act")


@pytest.mark.parametrize(
    "condition",
    ["caller.identity == 'verified'", "caller.identity in ['verified']", "not caller.identity != 'verified'"],
)
def test_a_condition_on_the_level_is_understood(condition: str) -> None:
    more = f'branch: {{when: [{{if: "{condition}", goto: act}}, {{goto: which}}]}}'
    main = MAIN.replace("ACT", f"action: tell, on: {EDGES}").replace("GO", "branch").replace("UNKNOWN", "human")
    sources = {"main.yaml": main + f"  {more}\n", "human.yaml": HUMAN, "universals.yaml": UNIVERSALS}
    facts = LineFacts(SIGNATURES, entries=("main",))
    assert [f.code for f in check_sources(sources, facts).findings if f.code in (CODE, "unreachable")] == []
    wrong = sources["main.yaml"].replace("'verified'", "'likely'")
    found = [f for f in check_sources({**sources, "main.yaml": wrong}, facts).findings if f.code == CODE]
    assert len(found) == 1


def test_green_where_a_refusal_is_led_to_verification() -> None:
    edges = EDGES.replace("{ok", "{not_verified: which, ok")
    assert checked(f"action: tell, on: {edges}") == []


def test_a_refusal_must_reach_a_human_like_every_way() -> None:
    main = MAIN.replace("ACT", "action: tell, on: {not_verified: act2, ok: done, failed: human, timeout: human}")
    main = main.replace("GO", "act").replace("UNKNOWN", "human") + "  act2: {goto: act}\n"
    sources = {"main.yaml": main, "human.yaml": HUMAN, "universals.yaml": UNIVERSALS}
    codes = {f.code for f in check_sources(sources, LineFacts(SIGNATURES, entries=("main",))).findings}
    assert "silent-loop" in codes


def test_an_edge_for_a_refusal_that_cannot_be_is_unknown() -> None:
    main = MAIN.replace("ACT", "action: hours, on: {not_verified: ask, ok: done, failed: human, timeout: human}")
    sources = {"main.yaml": main.replace("GO", "act").replace("UNKNOWN", "ask"), "human.yaml": HUMAN}
    findings = check_sources({**sources, "universals.yaml": UNIVERSALS}, LineFacts(SIGNATURES)).findings
    assert "unknown-outcome" in {f.code for f in findings}


@pytest.mark.parametrize(
    ("http", "red"),
    [
        ("service: s, path: /a", False),
        ("service: s, path: /a, needs: verified", True),
        ("service: s, path: /a, risk: irreversible", True),
        ("service: s, path: /a, risk: irreversible, needs: likely", False),
        ("service: vault, path: /a", True),
        ("service: vault, path: /a, needs: unknown", True),
    ],
)
def test_http_calls_are_held_to_their_level_and_their_services(http: str, red: bool) -> None:
    confirm = "confirm: {policy: explicit, prompt: Now?}"
    act = f"http: {{{http}}}, {confirm}, on: {{ok: done, refused: human, failed: human, timeout: human}}"
    assert bool(checked(act)) is red


def test_in_a_flow_that_is_called_the_path_begins_where_the_call_does() -> None:
    inner = f"flow: inner\nstart: tell\nstates:\n  tell: {{action: tell, on: {EDGES}}}\n  done: {{return: done}}\n"
    (finding,) = checked("call: inner, on: {done: done}", inner=inner)
    assert (finding.file, finding.line) == ("inner.yaml", 4)
    assert finding.path[0] == "main.who"
    assert finding.path[-1] == "inner.tell"


def test_after_a_drop_what_was_verified_is_not() -> None:
    main = MAIN.replace("who:", "who0: {resume: true, on: {none: ask}}\n  who:", 1).replace("{ok: ask,", "{ok: who0,")
    main = main.replace("ACT", f"action: tell, on: {EDGES}").replace("UNKNOWN", "human").replace("GO", "which")
    main = main.replace("{ok: {goto: ask, clear: [pin]}", "{ok: {goto: sure, clear: [pin]}")
    main += '  sure: {prompt: "Sure?", choices: [{intent: go, key: 1, label: "it", goto: act}]}\n'
    sources = {"main.yaml": main, "human.yaml": HUMAN, "universals.yaml": UNIVERSALS}
    found = [f for f in check_sources(sources, LineFacts(SIGNATURES, entries=("main",))).findings if f.code == CODE]
    assert [f.path[0] for f in found] == ["[the call drops and is taken up again]"]


# -- the reference flows -------------------------------------------------------------------------------------------


def reference(changed: Mapping[str, tuple[str, str]]) -> list[tuple[str, str]]:
    sources = {p.name: p.read_text("utf-8") for p in (ROOT / "flows").glob("*.yaml") if p.name.count(".") == 1}
    for file, (old, new) in changed.items():
        assert old in sources[file]
        sources[file] = sources[file].replace(old, new)
    findings = check_sources(sources, LineFacts(COMPANY.all_signatures, entries=("main",))).findings
    return [(f.file, f.text) for f in findings if f.code == CODE]


def test_the_reference_flows_reach_every_level() -> None:
    assert reference({}) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "red"),
    [
        ("notes.yaml", "      not_verified: who_hears\n", "", ("notes.yaml", "notes.read")),
        ("notes.yaml", "      not_verified: who_deletes\n", "", ("notes.yaml", "notes.delete_all")),
        ("main.yaml", "      claimed: prove\n", "      claimed: found\n", ("queue.yaml", "queue.read")),
        ("main.yaml", "      claimed: prove\n", "      claimed: found\n", ("discs.yaml", "disc.report")),
        (
            "main.yaml",
            "unknown: perhaps_waiting\n      ambiguous",
            "unknown: ask\n      ambiguous",
            ("queue.yaml", "queue.undo"),
        ),
    ],
)
def test_a_step_left_out_of_them_is_seen(file: str, old: str, new: str, red: tuple[str, str]) -> None:
    assert red in reference({file: (old, new)})
