"""Recognitions and grammars as JSON values and back, for the worker socket."""

from __future__ import annotations

from collections.abc import Mapping
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
    """Head and blob; the phrases go as lines, so that a worker which knows the key need not parse them."""
    digits = [grammar.digits.minimum, grammar.digits.maximum] if grammar.digits else None
    head = {"key": grammar.key, "language": grammar.language, "digits": digits, "count": len(grammar.phrases)}
    return head, "\n".join(grammar.phrases).encode()


def unpack_grammar(head: Mapping[str, Any], blob: bytes) -> SpeechGrammar:
    phrases = tuple(blob.decode().split("\n")) if head["count"] else ()
    digits = DigitRun(*head["digits"]) if head["digits"] else None
    return SpeechGrammar(head["key"], head["language"], phrases, digits)
