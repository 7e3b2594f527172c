"""The command har-timeline: recordings in, what was done out, for people or for programs.

Rules: a file that cannot be used is a line on the error output, the others go on, and the exit code
is 1. Whoever closes the output early has seen enough: the command ends without a word.
"""

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.commands import log
from pipeline.commands.display.legend import Legend
from pipeline.commands.display.terminal import Terminal
from pipeline.commands.idle_settings import idle_settings
from pipeline.commands.one_line import one_line
from pipeline.commands.timeline import picture
from pipeline.commands.timeline.agreement import Agreement
from pipeline.commands.timeline.machine_output import CsvTable, JsonArray, as_json
from pipeline.commands.timeline.recorded_file import RecordedFile
from pipeline.commands.timeline.recorded_timeline import RecordedTimeline, RecordedTimelines
from pipeline.commands.timeline.report import one_line_remarks, report
from pipeline.commands.timeline.settings import TimelineSettings
from pipeline.commands.timeline.sources import Sources
from pipeline.event_log import EventLog
from pipeline.models.card import ModelError
from pipeline.models.classifier import Classifier, find_models
from pipeline.recognition.placement.by_device import PlacementError
from pipeline.recognition.placement.sign import Conventions
from pipeline.recordings.recording import DataError
from pipeline.settings import from_command_line

logger = EventLog(__name__)


class Outputs:
    """Where timelines go: to people or programs, and into pictures."""

    def __init__(
        self, settings: TimelineSettings, timelines: RecordedTimelines, n_models: int
    ) -> None:
        """Begin the output."""
        self._settings = settings
        self._activities = timelines.activities
        self._is_one_model = n_models == 1
        self._console = Terminal(settings.color)
        self._json = JsonArray(sys.stdout) if settings.json_ else None
        self._csv = CsvTable(sys.stdout) if settings.csv else None
        self._n = 0

    def write(
        self, recorded: RecordedFile, timeline: RecordedTimeline, agreement: Agreement | None
    ) -> None:
        """Write the timeline of a recording.

        Raises:
            DataError: its picture cannot be written.
        """
        self._n += 1
        windows = self._settings.windows
        legend = Legend([*self._activities, *recorded.recording.activities])
        if self._json is not None:
            self._json.write(as_json(recorded, timeline, agreement, windows=windows))
        elif self._csv is not None:
            self._csv.write(recorded, timeline, windows=windows)
            for line in one_line_remarks(recorded, timeline):
                logger.warning("timeline-remark", "%(note)s", note=one_line(line))
        else:
            if self._n > 1:
                self._console.print()
            for text in report(
                recorded,
                timeline,
                agreement,
                legend,
                is_one_model=self._is_one_model,
                width=self._console.width,
                coloured=self._console.is_coloured,
            ):
                self._console.print(text)
        if self._settings.plot is not None:
            self._draw(self._settings.plot, recorded, timeline, legend)

    def close(self) -> None:
        """End the output."""
        if self._json is not None:
            self._json.close()
        sys.stdout.flush()

    def _draw(
        self, path: Path, recorded: RecordedFile, timeline: RecordedTimeline, legend: Legend
    ) -> None:
        """Draw a picture; those of further recordings are numbered."""
        if self._n > 1:
            path = path.with_name(f"{path.stem}-{self._n}{path.suffix}")
        try:
            picture.draw(path, recorded, timeline, legend)
        except OSError as error:
            raise DataError(f"plot = {str(path)!r}: {error.strerror}") from error
        if self._json is None and self._csv is None:
            self._console.print(f"  drawn into {one_line(str(path))}")


def run(settings: TimelineSettings, classifiers: Sequence[Classifier]) -> int:
    """Show all recordings and return how many files failed.

    Raises:
        PlacementError: a setting has a value that it cannot have.
    """
    timelines = RecordedTimelines(settings, classifiers)
    sources = Sources(Conventions(settings.convention))
    outputs = Outputs(settings, timelines, len(classifiers))
    keeps_predictions = settings.windows or settings.plot is not None
    n_failures = 0
    for found in sources.read(settings.files):
        try:
            if isinstance(found, DataError):
                raise found
            agreement = Agreement(found.recording) if found.has_labels else None
            timeline = timelines.make(
                found,
                keeps_predictions=keeps_predictions,
                note=(lambda predictions: None) if agreement is None else agreement.note,
            )
            outputs.write(found, timeline, agreement)
        except DataError as error:
            n_failures += 1
            logger.error("recording-unusable", "%(error)s", error=one_line(str(error)))
    outputs.close()
    return n_failures


@log.command
def main() -> None:
    """Run the command."""
    settings = from_command_line(TimelineSettings)
    log.configure(
        settings.log_format, logging.WARNING, "har-timeline: %(message)s", is_bounded=False
    )
    if sys.stdout is None:
        sys.exit("har-timeline: the standard output is closed")
    try:
        if settings.plot is not None:
            picture.require()
        classifiers = [Classifier(path) for path in find_models(settings.model)]
        for classifier in classifiers:
            classifier.check_answers()
        for sentence in idle_settings(settings, classifiers):
            logger.warning("setting-idle", "%(note)s", note=sentence)
        n_failures = run(settings, classifiers)
    except (DataError, ModelError, PlacementError) as error:
        sys.exit(f"har-timeline: {error}")
    except BrokenPipeError:
        _leave_output()
        return
    except OSError as error:  # only writing raises it: of files that cannot be read there are lines
        _leave_output()
        sys.exit(f"har-timeline: the output cannot be written: {error.strerror}")
    except KeyboardInterrupt:
        sys.exit("har-timeline: interrupted")
    sys.exit(1 if n_failures else 0)


def _leave_output() -> None:
    """Let what is still to be written go nowhere, so that the flush at the end does not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
