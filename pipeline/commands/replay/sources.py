"""What is replayed: the recordings that the settings name, shortened as they ask.

How they become messages is decided in `outgoing_messages`.
"""

from dataclasses import replace
from itertools import chain
from pathlib import Path

from pipeline.commands.replay.settings import DATA_SETS, ReplaySettings
from pipeline.recordings import hapt, person_file, placement_sets, simulated, uci_har
from pipeline.recordings.recording import DataError, Recording


def read(settings: ReplaySettings) -> list[Recording]:
    """Return the recordings that the settings name.

    Raises:
        DataError: one is missing or damaged, or the settings ask for what is in none.
    """
    if settings.recording in DATA_SETS:
        recordings = _from_data_set(settings)
    else:
        recordings = _from_files(settings)
    if settings.duration is not None:
        recordings = [_shortened(recording, settings.duration) for recording in recordings]
    return [recording for recording in recordings if recording.stretches]


def _from_data_set(settings: ReplaySettings) -> list[Recording]:
    """Return recordings of a data set, or of simulated phones."""
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
    if not settings.subjects:
        return recordings
    by_number = {int(recording.person): recording for recording in recordings}
    missing = [str(number) for number in settings.subjects if number not in by_number]
    if missing:
        raise DataError(
            f"{settings.recording} has no subject {', '.join(missing)}; "
            f"it has {', '.join(map(str, by_number))}"
        )
    return [by_number[number] for number in dict.fromkeys(settings.subjects)]


def _from_files(settings: ReplaySettings) -> list[Recording]:
    """Return the recordings in a file or folder of har-record, or of placement sets."""
    path = Path(settings.recording).expanduser()
    if placement_sets.holds_sets(path) and not any(path.glob("*.parquet")):
        _refuse_choices(settings)
        people = (one.recordings() for one in placement_sets.find(path))
        return _of_people(settings, list(chain.from_iterable(chain.from_iterable(people))))
    if path.suffix == person_file.SUFFIX and not path.is_dir():
        _refuse_choices(settings)
        return _of_people(settings, person_file.read(path))
    if path.is_dir() and not any([*path.glob("*.parquet"), *path.glob("*/*.parquet")]):
        raise DataError(
            f"{path}: holds no recordings (*.parquet), and no placement set "
            f"(*{person_file.SUFFIX}, or folders with these)"
        )
    from pipeline.recordings import parquet  # pyarrow takes its time

    parquet.require()
    _refuse_choices(settings)
    return [parquet.read(file) for file in parquet.find([path])]


def _of_people(settings: ReplaySettings, recordings: list[Recording]) -> list[Recording]:
    """Return the recordings of a placement set's people, if there are any and they can be played.

    Raises:
        DataError: all are marked to be left out, or they are to have times that they have not.
    """
    if settings.original_times:
        raise DataError("--original-times is for files of har-record: placement sets have no dates")
    if not recordings:
        raise DataError(
            f"{settings.recording}: has nothing to play: rec_ok marks every recording as to be "
            "left out, or they hold no samples"
        )
    return recordings


def _refuse_choices(settings: ReplaySettings) -> None:
    if settings.subjects or settings.activity is not None:
        raise DataError("--subjects and --activity are for data sets and simulated phones")


def _shortened(recording: Recording, seconds: float) -> Recording:
    """Return the first ``seconds`` of a recording; of one that came in messages, whole ones."""
    if recording.header is not None:
        last = recording.start + seconds
        messages = recording.by_message()
        n = sum(max(part.times.max() for part in message) <= last for message in messages)
        kept = [part for message in messages[: max(n, 1)] for part in message]
    else:
        kept = []
        for stretch in recording.stretches:
            if recording.rate_hz is None:
                n_samples = int(stretch.times.searchsorted(recording.start + seconds))
            else:
                n_samples = round((seconds - stretch.start) * recording.rate_hz)
            if n_samples > 0:
                kept.append(stretch.part(0, n_samples))
    return replace(recording, stretches=tuple(kept))
