"""What is replayed: the recordings that the settings name, shortened as they ask.

Recordings of data sets and simulated phones lie on one grid of 50 Hz; those of files are what
phones sent, message by message. How either becomes messages is decided in `batches`.
"""

from dataclasses import replace
from pathlib import Path

from pipeline.commands.replay.settings import DATA_SETS, ReplaySettings
from pipeline.recordings import hapt, simulated, uci_har
from pipeline.recordings.labelled import LabelledRecording
from pipeline.recordings.recording import DataError, Recording, Stretch
from pipeline.vocabulary import SAMPLING_RATE_HZ


def read(settings: ReplaySettings) -> list[Recording] | list[LabelledRecording]:
    """Return the recordings that the settings name.

    Raises:
        DataError: one is missing or damaged, or the settings ask for what is in none.
    """
    if settings.recording in DATA_SETS:
        return read_recordings(settings)
    return read_files(settings)


def read_recordings(settings: ReplaySettings) -> list[Recording]:
    """Return the recordings that the settings name, of a data set or simulated.

    Raises:
        DataError: the data is missing or damaged, or has no such subject or activity.
    """
    if settings.activity is not None and settings.recording != "simulated":
        raise DataError("--activity is for --recording simulated")
    if settings.recording == "uci-har":
        data = uci_har.load(settings.data)
        recordings = uci_har.recordings(getattr(data, settings.split))
    elif settings.recording == "hapt":
        recordings = hapt.recordings(settings.data)
    else:
        try:
            recordings = simulated.recordings(seed=settings.seed, activity=settings.activity)
        except ValueError as error:
            raise DataError(str(error)) from error
    if settings.subjects:
        by_number = {int(one.device.rpartition("-")[2]): one for one in recordings}
        missing = [str(number) for number in settings.subjects if number not in by_number]
        if missing:
            raise DataError(
                f"{settings.recording} has no subject {', '.join(missing)}; "
                f"it has {', '.join(map(str, by_number))}"
            )
        recordings = [by_number[number] for number in dict.fromkeys(settings.subjects)]
    if settings.duration is not None:
        recordings = [_shortened(recording, settings.duration) for recording in recordings]
    return recordings


def read_files(settings: ReplaySettings) -> list[LabelledRecording]:
    """Return the recordings in the file or folder that the settings name.

    Raises:
        DataError: one is missing or damaged, or the settings ask for what is in none.
    """
    from pipeline.recordings import parquet  # pyarrow takes its time

    parquet.require()
    if settings.subjects or settings.activity is not None:
        raise DataError("--subjects and --activity are for data sets and simulated phones")
    recordings = [parquet.read(path) for path in parquet.find([Path(settings.recording)])]
    if settings.duration is not None:
        recordings = [_shortened_file(recording, settings.duration) for recording in recordings]
    return recordings


def _shortened_file(recording: LabelledRecording, seconds: float) -> LabelledRecording:
    """Return the messages whose samples are all of the first ``seconds``, at least one."""
    last = min(part.readings.times.min() for part in recording.messages[0]) + seconds
    n = sum(
        max(part.readings.times.max() for part in message) <= last for message in recording.messages
    )
    return replace(recording, messages=recording.messages[: max(n, 1)])


def _shortened(recording: Recording, seconds: float) -> Recording:
    stretches = []
    for stretch in recording.stretches:
        n = round((seconds - stretch.start) * SAMPLING_RATE_HZ)
        if n > 0:
            stretches.append(Stretch(stretch.start, stretch.samples[:n], stretch.labels[:n]))
    return Recording(recording.device, tuple(stretches))
