from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.commands.timeline.recorded_file import RecordedFile
from pipeline.commands.timeline.recorded_timeline import RecordedTimelines
from pipeline.commands.timeline.settings import TimelineSettings
from pipeline.commands.timeline.sources import Sources
from pipeline.models.classifier import Classifier, find_models
from pipeline.recognition.placement.sign import Conventions
from pipeline.recordings.recording import DataError

Timelines = Callable[..., RecordedTimelines]


@pytest.fixture(scope="session")
def classifiers() -> list[Classifier]:
    """The two models that har-timeline has if none is named."""
    return [Classifier(path) for path in find_models("auto")]


@pytest.fixture
def timelines(classifiers: list[Classifier], own_settings: None) -> Timelines:
    """A function that makes timelines with some settings."""

    def make(**settings: object) -> RecordedTimelines:
        values = {"files": [Path("any")], **settings}
        return RecordedTimelines(TimelineSettings.model_validate(values), classifiers)

    return make


@pytest.fixture
def read_files() -> Callable[..., list[RecordedFile]]:
    """A function that reads recordings, all of which must be good."""

    def read(*paths: Path, convention: str = "auto") -> list[RecordedFile]:
        recordings = []
        for found in Sources(Conventions([convention])).read(paths):
            assert not isinstance(found, DataError), found
            recordings.append(found)
        return recordings

    return read
