"""Two ends of a socket that keep account of the same grammars, and a process that is told each once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ivr.ports import SpeechGrammar
from ivr.speech import wire
from ivr.speech.known_grammars import KnownGrammars, SharedParts
from ivr.speech.speech_process import SpeechProcess
from ivr.speech.wire import GRAMMAR, Grammar, Setup

YES = SpeechGrammar("yes", "en-US", ("yes", "no"))


@given(st.lists(st.sampled_from("abcdefg")), st.integers(1, 5))
def test_what_the_sender_believes_is_what_the_receiver_keeps(named: list[str], most: int) -> None:
    sender: KnownGrammars[bool] = KnownGrammars(most)
    receiver: KnownGrammars[str] = KnownGrammars(most)
    for key in named:
        if sender.get(key) is None:
            sender.put(key, True)
            receiver.put(key, key.upper())
        assert receiver.get(key) == key.upper()


class Socket:
    """A worker's, as the line writes to it."""

    def __init__(self) -> None:
        self.open = False
        self.sent: list[wire.Message] = []

    def send(self, kind: int, number: int = 0, body: bytes = b"") -> bool:
        if self.open:
            self.sent.append(wire.decode(kind, body)[0])
        return self.open


def test_a_grammar_is_sent_once_to_each_process() -> None:
    socket = Socket()
    process = SpeechProcess("listen", Setup())
    process.worker = socket  # type: ignore[assignment]
    process.send_grammar(YES, GRAMMAR.dump_json)
    assert socket.sent == [], "nobody is there: nobody knows it"
    socket.open = True
    process.send_grammar(YES, GRAMMAR.dump_json)
    process.send_grammar(YES, GRAMMAR.dump_json)
    assert socket.sent == [Grammar("yes", GRAMMAR.dump_json(YES))]
    process.lost("killed", None)
    process.send_grammar(YES, GRAMMAR.dump_json)
    assert len(socket.sent) == 2, "the next process knows nothing"


def test_what_callers_grammars_have_in_common_is_kept_once() -> None:
    def blob(key: str, title: str) -> bytes:
        slots = (("film", ("alien", "vertigo")), ("title", (title,)))
        return GRAMMAR.dump_json(SpeechGrammar(key, "en-US", ("yes", "no"), None, (("move", "{title}"),), slots))

    shared = SharedParts()
    one, other = shared.parsed(blob("a", "alien")), shared.parsed(blob("b", "vertigo"))
    assert one.phrases is other.phrases and one.templates is other.templates
    assert one.slots[0][1] is other.slots[0][1] and one.slots[1][1] != other.slots[1][1]
    assert GRAMMAR.dump_json(other) == blob("b", "vertigo")
