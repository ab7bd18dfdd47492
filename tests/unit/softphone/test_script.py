import argparse

import pytest

from ivr.softphone.script import Step, TranscriptLine, add_arguments


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(["sip:line@127.0.0.1", *arguments])


def test_steps_keep_the_order_of_the_command_line() -> None:
    options = parsed("--say", "hello", "--press", "1#", "--interrupt", "--press", "0", "--wait", "--say", "bye")
    assert options.steps == [
        Step("wait"),
        Step("say", "hello"),
        Step("wait"),
        Step("press", "1#"),
        Step("interrupt"),
        Step("press", "0"),
        Step("wait"),
        Step("say", "bye"),
    ]


def test_two_command_lines_do_not_share_steps() -> None:
    assert len(parsed("--say", "a").steps) == len(parsed("--say", "b").steps) == 2
    assert not hasattr(parsed(), "steps")


def test_a_key_that_no_phone_has_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("--press", "0x")
    assert "--press 0x" in capsys.readouterr().err


def test_transcript_lines_read_well() -> None:
    assert str(TranscriptLine(1.5, "caller", "presses 0")) == "   1.50 s  caller  presses 0"
