"""[speech.second_ear] and [[speech.prompt_voices]]: what is refused at the edge, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.config import Config, load_config
from ivr.errors import ConfigError

EAR = 'kind = "openai"\nurl = "https://asr.example.com/v1"\nmodel = "whisper-1"\n'
VOSK = 'kind = "vosk_server"\nurl = "ws://127.0.0.1:2700"\n'
VOICE = 'url = "http://127.0.0.1:8000/v1"\nmodel = "tts-1"\nvoice = "alloy"\n'


def loaded(folder: Path, text: str) -> Config:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def test_nothing_is_asked_elsewhere_unless_it_is_configured(tmp_path: Path) -> None:
    assert not list(loaded(tmp_path, "").speech.endpoints)


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    speech = loaded(tmp_path, f"[speech.second_ear]\n{EAR}[[speech.prompt_voices]]\n{VOICE}").speech
    ear, (voice,) = speech.second_ear, speech.prompt_voices
    assert ear is not None and (ear.timeout_s, ear.at_once, ear.languages) == (0.7, 4, ("en",))
    assert (voice.timeout_s, voice.response_format, voice.languages) == (15.0, "wav", ("en",))
    assert [name for name, _ in speech.endpoints] == ["speech.second_ear", "speech.prompt_voices"]
    assert loaded(tmp_path, f"[speech.second_ear]\n{VOSK}vocabulary = true").speech.second_ear is not None


@pytest.mark.parametrize(
    ("section", "text", "match"),
    [
        ("second_ear", VOSK.replace("ws:", "http:"), r"kind = \"vosk_server\" is asked by ws or wss, not http://"),
        ("second_ear", EAR.replace("https:", "wss:"), r"kind = \"openai\" is asked by http or https"),
        ("second_ear", EAR.replace("whisper-1", ""), "model: name the one"),
        ("second_ear", VOSK + 'model = "x"\nprompt = "y"', "model, prompt: a Vosk server has its model"),
        ("second_ear", EAR + "vocabulary = true", 'vocabulary is for kind = "vosk_server"'),
        ("second_ear", EAR.replace("openai", "whisper"), "second_ear.kind: Input should be"),
        ("second_ear", EAR.replace("asr.example.com", "user:secret@asr.example.com"), "without key or password"),
        ("second_ear", EAR.replace("https://asr.example.com/v1", "/v1"), r"is not http\(s\)://"),
        ("second_ear", EAR.replace("/v1", "/v1?key=secret"), r"is not http\(s\)://"),
        ("second_ear", EAR + "timeout_s = 30", "timeout_s: Input should be less than"),
        ("second_ear", EAR + "timeout_s = 0", "timeout_s: Input should be greater than"),
        *(
            ("second_ear", f"{EAR}languages = {odd}", "name the languages")
            for odd in ("[]", '"en"', '["english"]', "[7]")
        ),
        ("second_ear", EAR.replace("/v1", "/v1/audio/transcriptions"), "leave the end out, the API's base is wanted"),
        ("prompt_voices", VOICE.replace("/v1", "/v1/audio/speech/"), "leave the end out, the API's base is wanted"),
        (
            "prompt_voices",
            f'{VOICE}[[speech.prompt_voices]]\n{VOICE}languages = ["en-GB"]',
            "en-GB: two voices for one",
        ),
        ("second_ear", EAR + 'api_key = "sk-123"', "secrets do not belong in this file"),
        ("second_ear", EAR + 'key = "env:X"', "unknown key speech.second_ear.key"),
        ("second_ear", EAR.replace("kind", "sort"), "second_ear.kind: Field required"),
        ("prompt_voices", VOICE.replace("http:", "ws:"), r"is not http\(s\)://HOST:PORT/v1"),
        ("prompt_voices", VOICE.replace("alloy", ""), "voice: String should have at least 1 character"),
        ("prompt_voices", VOICE + 'response_format = "mp3"', "response_format: Input should be 'wav' or 'pcm'"),
    ],
)
def test_a_fault_is_told_with_its_place(tmp_path: Path, section: str, text: str, match: str) -> None:
    head = f"[[speech.{section}]]" if section == "prompt_voices" else f"[speech.{section}]"
    with pytest.raises(ConfigError, match=match) as told:
        loaded(tmp_path, f"{head}\n{text}")
    assert "speech." in str(told.value) and "sk-123" not in str(told.value)
    assert "secret@" not in str(told.value) and "key=secret" not in str(told.value)


def test_a_key_that_is_not_there_is_told_before_the_line_starts(tmp_path: Path) -> None:
    text = f'[speech.second_ear]\n{EAR}api_key = "env:NOT_SET_EAR"\n[[speech.prompt_voices]]\n{VOICE}'
    config = loaded(tmp_path, text + 'api_key = "file:/nowhere/key"')
    with pytest.raises(ConfigError) as told:
        config.check_secrets()
    assert "speech.second_ear.api_key: the environment variable NOT_SET_EAR is not set" in str(told.value)
    assert "speech.prompt_voices.api_key: secret file /nowhere/key" in str(told.value)
