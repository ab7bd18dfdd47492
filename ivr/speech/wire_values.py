"""Recognitions and grammars as JSON values and back, for the worker socket."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from ivr.events import Accept, Cause, Hypothesis, Manner, Recognition
from ivr.ports import DigitRun, SpeechGrammar


def pack_recognition(recognition: Recognition) -> dict[str, Any]:
    manner = recognition.manner
    return {
        "cause": recognition.cause.value,
        "nbest": [[h.text, h.confidence, h.phrase, h.verdict.value] for h in recognition.nbest],
        "transcript": recognition.transcript,
        "duration_s": recognition.duration_s,
        "took_s": recognition.took_s,
        "engine": recognition.engine,
        "manner": [manner.loudness_db, manner.words_per_second, manner.pitch_hz, manner.snr_db],
    }


def unpack_recognition(value: Mapping[str, Any]) -> Recognition:
    return Recognition(
        cause=Cause(value["cause"]),
        nbest=tuple(Hypothesis(text, conf, phrase, Accept(verdict)) for text, conf, phrase, verdict in value["nbest"]),
        transcript=value["transcript"],
        duration_s=value["duration_s"],
        took_s=value["took_s"],
        engine=value["engine"],
        manner=Manner(*value["manner"]),
    )


def pack_grammar(grammar: SpeechGrammar) -> tuple[dict[str, Any], bytes]:
    """Head and blob. The blob holds lines, so that a worker which knows the key need not parse them: phrases, then
    templates, then the values of each slot; the head says how many of each."""
    digits = [grammar.digits.minimum, grammar.digits.maximum] if grammar.digits else None
    head = {
        "key": grammar.key,
        "language": grammar.language,
        "digits": digits,
        "phrases": len(grammar.phrases),
        "templates": len(grammar.templates),
        "slots": [[name, len(values)] for name, values in grammar.slots],
        "counted": sorted(grammar.counted),
    }
    lines = [*grammar.phrases, *(" ".join(template) for template in grammar.templates)]
    for _, values in grammar.slots:
        lines.extend(values)
    return head, "\n".join(lines).encode()


def unpack_grammar(head: Mapping[str, Any], blob: bytes) -> SpeechGrammar:
    lines = iter(blob.decode().split("\n"))
    phrases = tuple(islice(lines, head["phrases"]))
    templates = tuple(tuple(line.split(" ")) for line in islice(lines, head["templates"]))
    slots = tuple((name, tuple(islice(lines, count))) for name, count in head["slots"])
    digits = DigitRun(*head["digits"]) if head["digits"] else None
    return SpeechGrammar(head["key"], head["language"], phrases, digits, templates, slots, frozenset(head["counted"]))
