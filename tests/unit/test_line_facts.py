"""What is known of a line: nothing is made up, and what isn't known is said."""

from __future__ import annotations

from pathlib import Path

from ivr.cli.flow.check import facts_of
from ivr.config import Agent, Config, DeskConfig, FlowsConfig, HttpService, NumberPlan, SpeechConfig, StoreConfig
from ivr.line_facts import line_facts
from tests.films import films_on, films_store


def config(folder: Path) -> Config:
    (folder / "audio" / "en-US").mkdir(parents=True)
    (folder / "audio" / "en-US" / "greeting.wav").write_bytes(b"")
    return Config(
        speech=SpeechConfig(recordings=folder / "audio", vosk_models=folder / "models"),
        flows=FlowsConfig(
            numbers=(NumberPlan(called="1", entry="sales"), NumberPlan(called="2")),
            services=(HttpService(name="deliveries", url="http://127.0.0.1/"),),
        ),
        desk=DeskConfig(agents=(Agent(name="a", target="sip:a@127.0.0.1", skills=("general", "discs")),)),
        store=StoreConfig(url=f"sqlite+aiosqlite:///{folder / 'ivr.sqlite3'}"),
    )


def test_the_configuration_says_most(tmp_path: Path) -> None:
    facts = line_facts(config(tmp_path))
    assert facts.skills == ("general", "discs")
    assert facts.services == ("deliveries",)
    assert facts.entries == ("main", "sales")
    assert facts.recognised is not None and "en" in facts.recognised and "es-ES" not in facts.recognised
    assert facts.spoken is not None and "en" in facts.spoken
    assert facts.signatures["callback.request"].promises == "callback"
    assert list(facts.unknown()) == ["whether titles of the catalogue sound alike"]
    assert list(facts.unknown([])) == []


def test_a_named_recording_is_there_or_not(tmp_path: Path) -> None:
    recorded = line_facts(config(tmp_path)).recorded
    assert recorded is not None
    assert recorded("greeting", "en-US") and recorded("greeting", "en-GB")
    assert not recorded("farewell", "en-US") and not recorded("greeting", "es-ES")


def test_without_a_configuration_only_the_actions_are_known() -> None:
    facts = line_facts(None)
    assert facts.signatures
    assert len(list(facts.unknown())) == 7


async def test_the_catalogue_comes_from_the_database_where_there_is_one(tmp_path: Path) -> None:
    line = config(tmp_path)
    assert (await facts_of(line)).vocabularies is None
    assert not (tmp_path / "ivr.sqlite3").exists(), "asking must not make one"
    store = films_store(line.store.url)
    await store.upgrade()
    await films_on(store).seed()
    await store.close()
    vocabularies = (await facts_of(line)).vocabularies
    assert vocabularies is not None and len(vocabularies["catalogue"]) > 10


async def test_an_empty_database_tells_nothing(tmp_path: Path) -> None:
    line = config(tmp_path)
    (tmp_path / "ivr.sqlite3").write_bytes(b"")
    assert (await facts_of(line)).vocabularies is None
