"""What strangers write, made plain."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest

from ivr.cli.tail import render
from ivr.plain_text import plain

ACTING = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Rosa Díaz", "Rosa Díaz"),
        ("", ""),
        ("李小龙 👨‍👩‍👧 Zoë", "李小龙 👨‍👩‍👧 Zoë"),
        ("نام\u200cها", "نام\u200cها"),
        ("a\x1b[31mb", "a[31mb"),
        ("a\x9b31mb", "a31mb"),
        ("a\r\nb\tc\u2028d\x85e", "a b c d e"),
        ("a\x00\x07\x7fb", "ab"),
        ("\u202egnp.exe\u202c\u2066x\u2069\u200f\u061c", "gnp.exex"),
        ("\ufeff\u200ba\xad\u2060\U000e0041", "a"),
        ("a\ud800b\udfff", "a\ufffdb\ufffd"),
    ],
)
def test_what_acts_is_gone_and_what_is_read_stays(text: str, shown: str) -> None:
    assert plain(text) == shown
    assert plain(shown) == shown


def test_no_control_of_unicode_is_left() -> None:
    every = (chr(code) for code in range(sys.maxunicode + 1))
    acting = "".join(c for c in every if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp"))
    assert set(plain(acting)) == {" ", "\ufffd"}
    assert all(unicodedata.bidirectional(c) not in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
               for c in plain("".join(map(chr, range(0x3000)))))  # fmt: skip


def test_the_log_is_shown_plainly_whatever_is_in_it() -> None:
    acting = "\x1b[2J\x9b\u202e\ud800\n2026-01-01 a line that nobody wrote"
    fields = ("at", "level", "event", "call_id", "state", "display", "exception", acting)
    shown = render({**dict.fromkeys(fields, acting), "nested": {acting: [acting]}}).plain
    assert not ACTING.search(shown.replace("\n", ""))
    assert shown.count("\n") == 2, "only the traceback has lines"
