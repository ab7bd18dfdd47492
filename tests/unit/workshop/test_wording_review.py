"""Wording review: what is said in which voice, what is missing or out of date, and changes that touch one line."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

import pytest

from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows.format import format_text
from ivr.dialogue.flows.library import load_library
from ivr.reference import COMPANY
from ivr.speech.prompt_lengths import Length
from ivr.workshop.edits import EditConflict, applied, write
from ivr.workshop.words.catalogue import Catalogue, SpokenText
from ivr.workshop.words.changes import Change, ChangesRefused, planned
from ivr.workshop.words.review import RECORDING, Reviewed, Wanted, reviewed
from ivr.workshop.words.saving import checked, save
from ivr.workshop.words.sheet import COLUMNS, exported, guarded, imported, unguarded
from tests.unit.workshop.reference import reference, sources

FACTS = LineFacts(COMPANY.all_signatures, services=("deliveries",))
ASK = "main.ask.help@es-ES.neutral"
NUMBER = "main.which_number"

SMALL = {
    "main.yaml": """\
flow: main
start: hello
states:
  hello:
    prompt: "Hello, {caller.number}."  # who calls
    goto: pick
  pick:
    prompt:
      - "Well?"
      - {if: "call.retries", say: "Once more?"}
    choices:
      - {intent: buy, key: 1, label: buying, goto: goodbye}
    noinput: {1: "Sorry?", 2: "Still there?"}
intents:
  buy: [buy]
""",
    "main.es-ES.yaml": """\
# Made by hand.
wording: main
language: es-ES

prompts:
  # the greeting
  hello: 'Hola, {caller.number}.'   # as people say it

labels:
  pick.buy: comprar
""",
}


def small(**changed: str) -> dict[str, str]:
    """Two flows' files and the reference's universals and human flow."""
    around = {n: t for n, t in sources().items() if n.startswith(("universals", "human")) and "oregon" not in n}
    return {
        **around,
        **SMALL,
        **{f"{name.replace('__', '.').replace('_', '-')}.yaml": t for name, t in changed.items()},
    }


def catalogue(texts: Mapping[str, str], *earlier: Mapping[str, str]) -> Catalogue:
    loaded = load_library(texts, COMPANY.all_signatures)
    assert loaded.draft is not None
    return Catalogue(loaded.draft, [catalogue(each) for each in earlier])


def said(made: Catalogue) -> dict[str, SpokenText]:
    return {text.key: text for text in made.texts()}


def after(texts: Mapping[str, str], *changes: Change) -> dict[str, str]:
    plan = planned(catalogue(texts), changes)
    return {**texts, **applied(texts, plan.edits)}


def changed_lines(before: str, now: str) -> tuple[list[str], list[str]]:
    lines = list(difflib.unified_diff(before.split("\n"), now.split("\n"), lineterm="", n=0))[2:]
    return [x[1:] for x in lines if x.startswith("-")], [x[1:] for x in lines if x.startswith("+")]


def refusal(texts: Mapping[str, str], *changes: Change) -> str:
    with pytest.raises(ChangesRefused) as refused:
        planned(catalogue(texts), changes)
    return "\n".join(refused.value.reasons)


# --- what there is ---------------------------------------------------------------------------------------------------


def test_every_spoken_text_is_there_once_in_each_voice() -> None:
    made = Catalogue(reference())
    texts = made.texts()
    assert len({text.key for text in texts}) == len(texts)
    prompts = {(u.owner, u.name) for u in (t.unit for t in texts) if u.section == "prompts"}
    for name, flow in reference().flows.items():
        for sid, state in flow.states.items():
            assert {(name, said.id_in(sid)) for said in state.prompts()} <= prompts
    assert {(t.language, t.persona) for t in texts} == set(reference().voices)
    assert {t.status for t in texts} == {"ok", "shared"}, "the reference is translated as a whole"


def test_where_it_stands_and_what_it_translates() -> None:
    text = said(Catalogue(reference()))[ASK]
    assert (text.file, text.origin, text.what, text.unit.state) == ("main.es-ES.yaml", "own", "help", "ask")
    line = sources()[text.file].split("\n")[text.line - 1]
    assert line.strip().startswith("ask.help:") and text.text in line
    assert text.base.startswith("Say it your way")
    second = said(Catalogue(reference()))[f"{NUMBER}/2.0@es-ES.neutral"]
    assert second.what == "prompt, second time" and second.text == "¿Cuál es el número?"
    english = said(Catalogue(reference()))["main.greet/1.1@es-ES.neutral"]
    assert english.said_in == "en-US", "the one sentence of another language"


def test_a_prompt_without_words_is_missing_and_a_persona_speaks_as_everybody() -> None:
    texts = said(catalogue(small()))
    assert texts["main.hello@es-ES.neutral"].status == "ok"
    lacking = texts["main.pick.noinput/2.0@es-ES.neutral"]
    assert (lacking.status, lacking.text, lacking.said_in) == ("missing", "Still there?", "en-US")
    assert lacking.note == "no words in es-ES: callers hear it in en-US"
    shared = said(Catalogue(reference()))["main.ask.help@en-US.oregon"]
    assert shared.status == "shared" and shared.file == "main.yaml"


# --- out of date ------------------------------------------------------------------------------------------------------


def test_a_text_that_is_rewritten_here_leaves_its_translations_out_of_date() -> None:
    texts = after(small(), Change("main.hello@en-US.neutral", "Welcome, {caller.number}."))
    assert 'prompt: "Welcome, {caller.number}."  # who calls' in texts["main.yaml"]
    assert said(catalogue(texts))["main.hello@es-ES.neutral"].status == "out of date"
    assert "# as people say it  # of " in texts["main.es-ES.yaml"]
    right = after(texts, Change("main.hello@es-ES.neutral", "", right=True))
    assert said(catalogue(right))["main.hello@es-ES.neutral"].status == "ok"
    again = after(texts, Change("main.hello@es-ES.neutral", "Bienvenido, {caller.number}."))
    assert said(catalogue(again))["main.hello@es-ES.neutral"].status == "ok"


def test_without_a_mark_earlier_releases_tell() -> None:
    before, now = small(), small(main=SMALL["main.yaml"].replace("Hello", "Welcome"))
    key = "main.hello@es-ES.neutral"
    assert said(catalogue(now))[key].status == "ok", "nobody knows"
    assert said(catalogue(now, now, before))[key].status == "out of date"
    spanish = {**now, "main.es-ES.yaml": SMALL["main.es-ES.yaml"].replace("Hola", "Bienvenido")}
    assert said(catalogue(spanish, now, before))[key].status == "ok", "the translation is younger"
    approved = after(now, Change(key, "", right=True))
    assert said(catalogue(approved, now, before))[key].status == "ok", "a mark counts first"


def test_a_translator_of_an_older_text_marks_that() -> None:
    old = said(catalogue(small()))["main.hello@es-ES.neutral"]
    now = small(main=SMALL["main.yaml"].replace("Hello", "Welcome"))
    texts = after(now, Change(old.key, "Buenas, {caller.number}.", old.digest, old.of))
    assert said(catalogue(texts))[old.key].status == "out of date"


def test_marks_survive_the_formatter() -> None:
    texts = after(small(), Change("main.hello@en-US.neutral", "Welcome, {caller.number}."))
    laid = {name: format_text(name, text).text for name, text in texts.items()}
    assert said(catalogue(laid))["main.hello@es-ES.neutral"].status == "out of date"


# --- changes ----------------------------------------------------------------------------------------------------------


def test_only_the_line_changes_whatever_its_quotes() -> None:
    for key, new, line in (
        ("main.hello@es-ES.neutral", "¡Hola!: {caller.number}", "  hello: '¡Hola!: {caller.number}'"),
        ("main.label:pick.buy@es-ES.neutral", "la compra", "  pick.buy: la compra"),
        ("main.label:pick.buy@es-ES.neutral", "sí: \"comprar\"", '  pick.buy: "sí: \\"comprar\\""'),
    ):  # fmt: skip
        now = after(small(), Change(key, new))["main.es-ES.yaml"]
        gone, came = changed_lines(SMALL["main.es-ES.yaml"], now)
        assert len(gone) == len(came) == 1 and came[0].startswith(line), came
        assert said(catalogue({**small(), "main.es-ES.yaml": now}))[key].text == new


def test_every_text_of_the_reference_can_be_rewritten_and_nothing_else_changes() -> None:
    made = Catalogue(reference())
    own = [text for text in made.texts() if text.origin in ("own", "base")]
    assert len(own) > 600
    for text in own[::9]:
        new = f"{text.text} Ñandú: “x” 'y'"
        plan = planned(made, [Change(text.key, new)])  # which compares all the data
        changed = applied(sources(), plan.edits)
        if text.origin == "own":
            ((name, now),) = changed.items()
            gone, came = changed_lines(sources()[name], now)
            assert len(gone) == len(came) <= 2, "the text, and the mark at its prompt"
    everything = [Change(text.key, f"{text.text} Ñandú: “x” 'y'") for text in own]
    plan = planned(made, everything)
    texts = {**sources(), **applied(sources(), plan.edits)}
    assert {t.key: t.text for t in catalogue(texts).texts() if t.origin in ("own", "base")} == {
        change.key: change.text for change in everything
    }


def test_a_missing_prompt_is_added_as_a_whole_where_it_belongs() -> None:
    one = Change("main.pick@es-ES.neutral", "¿Y bien?")
    assert "write it, too" in refusal(small(), one)
    texts = after(small(), one, Change("main.pick/1.1@es-ES.neutral", "¿Otra vez?"))
    gone, came = changed_lines(SMALL["main.es-ES.yaml"], texts["main.es-ES.yaml"])
    assert not gone and came[0].startswith("  pick:  # of ")
    assert came[1:] == ['  - "¿Y bien?"', '  - {if: "call.retries", say: "¿Otra vez?"}'] or came[1:] == [
        '    - "¿Y bien?"',
        '    - {if: "call.retries", say: "¿Otra vez?"}',
    ]
    counts = after(
        texts,
        Change("main.pick.noinput@es-ES.neutral", "¿Perdón?"),
        Change("main.pick.noinput/2.0@es-ES.neutral", "¿Sigue ahí?"),
    )
    assert '\n  pick.noinput: {1: "¿Perdón?", 2: "¿Sigue ahí?"}  # of ' in counts["main.es-ES.yaml"]
    assert {t.status for k, t in said(catalogue(counts)).items() if k.startswith("main") and "es-ES" in k} == {"ok"}


def test_a_voice_without_a_file_gets_one() -> None:
    texts = {n: t for n, t in sources().items() if n != "hold.es-ES.yaml"}
    key = "hold.sorry@es-ES.neutral"
    assert said(catalogue(texts))[key].status == "missing"
    now = after(texts, Change(key, "Perdón, no contesta."))
    assert now["hold.es-ES.yaml"].startswith("wording: hold\nlanguage: es-ES\n\nprompts:\n  sorry: ")
    assert said(catalogue(now))[key].status == "ok"


def test_the_lines_own_words_are_put_into_the_universals() -> None:
    spanish = sources()["universals.es-ES.yaml"].split("\n")
    texts = small() | {"universals.es-ES.yaml": "\n".join(x for x in spanish if not x.startswith("  apology:"))}
    ours = said(catalogue(texts))["universals.apology@es-ES.neutral"]
    assert (ours.origin, ours.status, ours.file) == ("built in", "ok", "")
    now = after(texts, Change(ours.key, "Lo siento mucho."))
    assert changed_lines(texts["universals.es-ES.yaml"], now["universals.es-ES.yaml"])[0] == []
    assert said(catalogue(now))[ours.key].text == "Lo siento mucho."


def test_what_is_refused_is_told_all_at_once() -> None:
    told = refusal(
        small(),
        Change("main.nowhere@es-ES.neutral", "x"),
        Change("main.hello@es-ES.neutral", "Hola, {caller.name}."),
        Change("main.hello@en-US.neutral", "Hello, {caller.number."),
        Change("main.pick.noinput@en-US.neutral", " "),
        Change("main.label:pick.buy@es-ES.neutral", "la compra", was="abcdef"),
        Change("main.label:pick.buy@en-US.neutral", "x\x07"),
    )
    for part in (
        "there is no such text",
        "{caller.number} is missing; there is no {caller.name} in “Hello, {caller.number}.”",
        "a brace without its partner",
        "it is empty",
        "somebody else changed it meanwhile to “comprar”",
        "a character that is no text",
    ):
        assert part in told


def test_the_checker_has_the_last_word(tmp_path: Path) -> None:
    made = Catalogue(reference())
    confirm = next(t for t in made.texts() if t.unit.name == "identify.confirm" and t.language == "es-ES")
    plan = planned(made, [Change(confirm.key, "¿{member_number|digitos}?")])
    with pytest.raises(ChangesRefused, match=r"main\.es-ES\.yaml:"):
        checked(sources(), plan, FACTS)
    for name, text in sources().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ChangesRefused):
        save(tmp_path, plan, FACTS)
    assert (tmp_path / "main.es-ES.yaml").read_text(encoding="utf-8") == sources()["main.es-ES.yaml"]
    good = planned(made, [Change(ASK, "Dígalo como quiera.")])
    assert list(save(tmp_path, good, FACTS)) == ["main.es-ES.yaml"]
    with pytest.raises(EditConflict):
        save(tmp_path, good, FACTS)


def test_flows_that_are_wrong_already_can_still_be_translated() -> None:
    texts = small()  # with many prompts missing, which is an error each
    changes = [Change("main.pick.noinput@es-ES.neutral", "¿Perdón?"),
               Change("main.pick.noinput/2.0@es-ES.neutral", "¿Sigue ahí?")]  # fmt: skip
    assert "main.es-ES.yaml" in checked(texts, planned(catalogue(texts), changes), FACTS)


# --- sheets -----------------------------------------------------------------------------------------------------------


def rows(made: Catalogue, **lengths: Length) -> list[Reviewed]:
    return list(reviewed(made, lambda *asked: lengths.get(asked[0], Length(1.0, "estimated")), ["Casablanca"]))


def test_a_sheet_comes_back_as_nothing_to_do_and_one_cell_as_one_line() -> None:
    made = Catalogue(reference())
    sheet = exported(rows(made))
    assert sheet.startswith("\ufeff" + ",".join(COLUMNS) + "\r\n")
    plan = planned(made, imported(sheet.encode()))
    assert plan.edits == () and plan.told == ()
    old = said(made)[ASK].text
    assert sheet.count(old) == 2, "the text and its example"
    edited = sheet.replace(old, "Dígalo a su modo.", 1)
    now = applied(sources(), planned(made, imported(edited.encode())).edits)
    gone, came = changed_lines(sources()["main.es-ES.yaml"], now["main.es-ES.yaml"])
    assert list(now) == ["main.es-ES.yaml"] and len(gone) == len(came) == 1
    assert came[0].startswith('  ask.help: "Dígalo a su modo."  # of ')


def test_spreadsheets_save_it_their_way() -> None:
    for text in ("key;text\r\nk;a, b\r\n", "key\ttext\nk\ta, b\n", '\ufeffKey,Text\nk,"a,\nb"\n\n,\n'):
        (change,) = imported(text.encode())
        assert (change.key, change.text) == ("k", "a, b")
    (change,) = imported("key\ttext\tstill right\nk\tñ\tX\n".encode("utf-16"))
    assert change.text == "ñ" and change.right


def test_a_cell_never_is_a_formula_and_comes_back_as_it_was() -> None:
    for text in ("=1+1", "+1", "-1", "@x", "\tx", "'=x", "''-", "=cmd|' /C calc'!A0"):
        assert guarded(text).startswith("'") and unguarded(guarded(text)) == text
    for text in ("'ello", "1-2", "", "¿=?"):
        assert guarded(text) == text == unguarded(text)
    texts = {**small(), "main.es-ES.yaml": SMALL["main.es-ES.yaml"].replace("comprar", '"=comprar+1"')}
    sheet = exported(rows(catalogue(texts)))
    assert "'=comprar+1" in sheet
    assert planned(catalogue(texts), imported(sheet.encode())).edits == ()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"a,b\n1,2\n", "no column key and text"),
        (b"key,text\nk,well, hello\n", "line 2 of the sheet has more cells"),
        (b"key,text\n,hello\n", "line 2 of the sheet has no key"),
        (b"PK\x03\x04rest", "save it as CSV UTF-8"),
        ("key,text\nk,ñ\n".encode("latin-1"), "not UTF-8"),
        (b'key,text\nk,"open\n', "can't be read as CSV"),
        (b"", "no column"),
    ],
)
def test_what_is_no_such_sheet_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ChangesRefused, match=why):
        imported(data)


def test_a_recording_of_other_words_is_told() -> None:
    made = Catalogue(reference())
    text = said(made)[ASK]
    found = rows(made, **{text.text: Length(4.0, "recorded", "es-ES/help.wav", "Otra cosa.")})
    (row,) = [row for row in found if row.text.key == ASK]
    assert (row.status, row.note) == (RECORDING, "es-ES/help.wav says “Otra cosa.”")
    assert [r for r in found if Wanted(status=RECORDING).fits(r)] == [row]
    assert Wanted(language="es-ES", owner="main", text="DÍGALO A SU").fits(row)
    assert not Wanted(persona="oregon").fits(row)


def test_examples_name_something_in_the_language_of_the_voice() -> None:
    found = {row.text.key: row.example for row in rows(Catalogue(reference()))}
    assert "{" not in "".join(found.values())
    assert any("cuatro de julio" in example for example in found.values())
    assert any("July fourth" in example for example in found.values())


def test_several_files_are_written_or_none(tmp_path: Path) -> None:
    texts = small()
    write(tmp_path, texts)
    plan = planned(catalogue(texts), [Change("main.hello@en-US.neutral", "Welcome, {caller.number}.")])
    assert {edit.file for edit in plan.edits} == {"main.yaml", "main.es-ES.yaml"}
    (tmp_path / "main.es-ES.yaml").write_text("wording: main\nlanguage: es-ES\n", encoding="utf-8")
    with pytest.raises(EditConflict, match=r"main\.es-ES\.yaml"):
        save(tmp_path, plan, FACTS)
    assert (tmp_path / "main.yaml").read_text(encoding="utf-8") == texts["main.yaml"]
