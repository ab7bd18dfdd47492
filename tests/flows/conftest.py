from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import pytest

from ivr.dialogue.understanding.classifier import LearningClassifiers
from ivr.embedding.installation import installed
from ivr.embedding.loading import rehearsing
from ivr.workshop.simulate.sandbox import Sandbox
from tests.flows.line import Line, called

Begin = Callable[..., Awaitable[Line]]


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    """The demonstration data, for all tests: each call begins on it anew."""
    return Sandbox()


@pytest.fixture(scope="module")
def classifiers() -> LearningClassifiers:
    """As the line has them, with the sentence embedding."""
    found = installed()
    assert found.key, f"the sentence embedding is {found.trouble}: run make, or ivr models get sentence-embedding"
    classifiers = rehearsing()
    assert classifiers is not None
    return classifiers


@pytest.fixture
def begin(sandbox: Sandbox) -> Begin:
    """Begins a call of the script given, on fresh demonstration data."""

    async def call(script: Mapping[str, Any], at: datetime, answers: Mapping[str, str] | None = None) -> Line:
        return await called(sandbox, script, at, answers)

    return call
