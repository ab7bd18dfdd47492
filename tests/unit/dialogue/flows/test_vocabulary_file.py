"""Vocabulary files as spreadsheets save them, and what is said of those that can't be read."""

from __future__ import annotations

import pytest

from ivr.dialogue.flows.source import read_file
from ivr.dialogue.flows.vocabulary_file import MOST_TERMS, read_vocabulary
from ivr.dialogue.flows.yaml_tree import MAX_BYTES
from ivr.events import Term

HART = Term("d1", "Doctor Hart", ("hart", "ada hart"))
GREEN = Term("d2", "Green, Bo", ())


@pytest.mark.parametrize(
    "text",
    [
        'id,label,spoken\nd1,Doctor Hart,hart|ada hart\nd2,"Green, Bo",\n',
        '\ufeffid;label;spoken\nd1;Doctor Hart;hart|ada hart\nd2;"Green, Bo";\n',
        "id\tlabel\tspoken\nd1\tDoctor Hart\thart | ada hart\nd2\tGreen, Bo\t\n",
        'Label,ID,Spoken 1,Spoken 2\nDoctor Hart,d1,hart,ada hart\n\n,,,\n"Green, Bo",d2,,\n',
        'id,label,spoken\nd1,Doctor Hart,hart|ada hart|hart|Doctor Hart\nd2,"Green, Bo"\n',
    ],
    ids=["commas", "semicolons", "tabs", "any order", "ragged"],
)
def test_what_spreadsheets_write(text: str) -> None:
    read = read_vocabulary("doctors.csv", text)
    assert (read.terms, read.findings) == ((HART, GREEN), ())


def test_without_ids_a_term_is_known_by_its_label() -> None:
    assert read_vocabulary("a.csv", "label\nCleaning\n").terms == (Term("Cleaning", "Cleaning"),)


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("", "no-label-column", 1),
        ("name,spoken\nHart,h\n", "no-label-column", 1),
        ("id,label,also\n1,Hart,h\n", "unknown-column", 1),
        ("id,label,label\n1,Hart,h\n", "unknown-column", 1),
        ("id,label\n1,Hart\n2, \n", "blank-label", 3),
        ("id,label\n1,Hart\n1,Green\n", "duplicate-term", 3),
        ("id,label\n1,Hart, Ada\n", "bad-row", 2),
        ('id,label\n1,"Hart\n', "bad-csv", 2),
        ("id,label\n1,Hart\ud800\n", "not-utf8", 2),
        ("label\n" + "x" * MAX_BYTES, "too-large", 0),
        ("label\n" + "".join(f"t{n}\n" for n in range(MOST_TERMS + 1)), "too-many-terms", MOST_TERMS + 2),
    ],
)
def test_what_is_wrong_is_said_on_its_line(text: str, code: str, line: int) -> None:
    (finding,) = read_vocabulary("doctors.csv", text).findings
    assert (finding.file, finding.code, finding.line) == ("doctors.csv", code, line)
    assert finding.why and finding.remedy


def test_what_is_right_beside_it_is_read(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("csv") / "latin.csv"
    file.write_bytes("id,label\n1,Peña\n".encode("latin-1"))
    assert [f.code for f in read_vocabulary("latin.csv", read_file(file)).findings] == ["not-utf8"]
    read = read_vocabulary("a.csv", "id,label\n1,Hart\n1,Green\n2,Blue\n")
    assert [term.label for term in read.terms] == ["Hart", "Blue"] and len(read.findings) == 1
