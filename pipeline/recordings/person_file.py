"""A person's file in a set of another placement: its arrays, checked, and the recordings in them.

Such a file is an ``.npz`` without pickles. Of its ``n`` samples, in the order of time in each
recording, it holds

* ``t`` ``(n,)``: seconds from the start of the sample's recording; a jump of more than
  `LONGEST_PAUSE_S` is a gap
* ``acc``, ``gyro`` ``(n, 3)``: m/s² with gravity, in Android's sign, and rad/s
* ``label`` ``(n,)``: index into ``label_names``, the data set's own names; ``label6_names`` beside
  them are the same activities by our names, empty for those that are none of ours
* ``rec`` ``(n,)``: index into ``rec_names`` and ``rec_ok``, which is 0 for recordings to leave out

and the texts ``subject``, ``placement``, ``device`` and ``dataset``. Rules:

* One recording each that is to be used, with the times that it has.
* A set is named after the study that it is of, and after an underscore perhaps the place. Subjects
  of one name are one person within a study, and never across studies.
* What the data set calls jogging or running is `RUNNING`.

Where such files are found is decided by `placement_sets`.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import MessageError, check_device
from pipeline.recordings import bounded
from pipeline.recordings.recording import DataError, Recording, Stretch
from pipeline.vocabulary import ACTIVITIES

SUFFIX: Final = ".npz"

RUNNING: Final = "RUNNING"
PLACEMENT_ACTIVITIES: Final = (*ACTIVITIES, RUNNING)
"""The activities that labels of these sets can stand for."""

LONGEST_PAUSE_S: Final = 0.2
"""A longer one between two samples is a gap: its samples were taken out of the set."""

UNKNOWN: Final = "unknown"
"""What a subject's name holds if nobody knows who it was; a study's unknowns count as one person,
because they may be"""

_RUNNING_WORDS: Final = ("jogging", "running")
"""With one of these the data sets' names for it begin."""
_MOST_ARRAY_BYTES: Final = 256 << 20
"""Of an array that is read: accelerations of a hundred hours at 50 Hz"""
_CHECKED_ROWS: Final = 1_000
"""Samples that are checked at once; of more, BLAS makes threads that cost more than the work."""
_TEXTS: Final = ("subject", "placement", "device", "dataset")
_DIMENSIONS: Final = {
    **dict.fromkeys(("t", "label", "rec", "label_names", "label6_names", "rec_names", "rec_ok"), 1),
    **dict.fromkeys(("acc", "gyro"), 2),
    **dict.fromkeys(_TEXTS, 0),
}
_KINDS: Final = {
    **dict.fromkeys(("t", "acc", "gyro"), ("f", "floating-point numbers")),
    **dict.fromkeys(("label", "rec", "rec_ok"), ("biu", "integers")),
    **dict.fromkeys((*_TEXTS, "label_names", "label6_names", "rec_names"), ("U", "texts")),
}
"""Of each array: letters of numpy's kinds of numbers and texts, and their name"""


@dataclass(frozen=True)
class Wearer:
    """A person who wore a device, as a file tells."""

    data_set: str
    person: str
    """The subject's name in the file, behind the study's: ``PDIoT/pdiot_s10``"""
    worn_at: str
    """Where on the body"""
    device: str
    """Name of the sender: the set's and the file's"""
    hardware: str
    """What the device was, such as ``Apple iPhone 6s``"""

    @property
    def study(self) -> str:
        """Name of the study that the data set is of, ``PDIoT`` of ``PDIoT_pocket``."""
        return self.data_set.partition("_")[0]


def wearer_in(path: Path) -> Wearer:
    """Return who wore what in a person's file, at little cost.

    Raises:
        DataError: the file is missing, damaged, or no person's file.
    """
    return _wearer(path, _read(path, _TEXTS))


def read(path: Path, *, original_names: bool = False) -> list[Recording]:
    """Return the recordings in a person's file, without those to leave out.

    Samples are ``(n_samples, 6)`` float32 in m/s² and rad/s; each run without a gap is a stretch.

    Args:
        path: the file.
        original_names: label samples with the data set's names, in place of
            `PLACEMENT_ACTIVITIES` and nothing for all others.

    Raises:
        DataError: the file is missing or damaged, or an array is missing or not as it should be.
    """
    arrays = _read(path, tuple(_DIMENSIONS))
    _check(path, arrays)
    wearer = _wearer(path, arrays)
    original = tuple(arrays["label_names"].tolist())
    labels = arrays["label"].astype(np.int16)
    if not original_names:
        activities = zip(original, arrays["label6_names"].tolist(), strict=True)
        labels = np.array([_label(*names) for names in activities], np.int16)[labels]
    samples = np.hstack([arrays["acc"], arrays["gyro"]]).astype(np.float32, copy=False)
    recordings = []
    for number in np.flatnonzero(arrays["rec_ok"]).tolist():
        rows = np.flatnonzero(arrays["rec"] == number)
        gaps = np.flatnonzero(np.diff(arrays["t"][rows]) > LONGEST_PAUSE_S) + 1
        runs = np.split(rows, gaps) if len(rows) else []
        recording = Recording(
            device=wearer.device,
            stretches=tuple(Stretch(arrays["t"][run], samples[run], labels[run]) for run in runs),
            activities=original if original_names else PLACEMENT_ACTIVITIES,
            person=wearer.person,
            worn_at=wearer.worn_at,
            data_set=wearer.data_set,
        )
        try:
            _ = recording.cut(_CHECKED_ROWS).messages  # refuses what no phone can have measured
        except MessageError as error:
            name = arrays["rec_names"][number]
            raise DataError(f"{path}: the recording {name!s}: {error}") from error
        if recording.stretches:
            recordings.append(recording)
    return recordings


def _label(original: str, ours: str) -> int:
    """Return the label of an activity, from the data set's name and ours; -1 of any other."""
    if original.lower().startswith(_RUNNING_WORDS):
        return PLACEMENT_ACTIVITIES.index(RUNNING)
    return PLACEMENT_ACTIVITIES.index(ours) if ours else -1


def _wearer(path: Path, arrays: dict[str, NDArray[Any]]) -> Wearer:
    subject, placement, hardware, data_set = (str(arrays[name]) for name in _TEXTS)
    if not (subject and data_set):
        raise DataError(f"{path}: its subject or its dataset is an empty text")
    device = f"{data_set}-{path.stem}"
    try:
        check_device(device)
    except MessageError as error:
        raise DataError(f"{path}: as phones they are named {device!r}, but {error}") from error
    study = data_set.partition("_")[0]
    who = UNKNOWN if UNKNOWN in subject else subject
    return Wearer(data_set, f"{study}/{who}", placement, device, hardware)


def _read(path: Path, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Return these arrays of a file, each with its number of dimensions and kind of values."""
    arrays = {}
    try:
        with bounded.Zip(bounded.open_file(path)) as archive:
            for name in names:
                if f"{name}.npy" not in archive.namelist():
                    raise DataError(f"{path}: lacks the array {name}")
                with bounded.open_member(archive, archive.getinfo(f"{name}.npy")) as member:
                    where = f"{path}: {name}"
                    content = bounded.read_all(member, where, most_bytes=_MOST_ARRAY_BYTES)
                arrays[name] = _array(where, content)
    except bounded.ZIP_ERRORS as error:
        raise DataError(f"{path}: cannot be read as .npz: {error}") from error
    for name, array in arrays.items():
        letters, kind = _KINDS[name]
        if array.dtype.kind not in letters:
            raise DataError(f"{path}: {name}: holds values of type {array.dtype}, not {kind}")
        if array.ndim != _DIMENSIONS[name]:
            raise DataError(
                f"{path}: {name}: has {array.ndim} dimensions, not {_DIMENSIONS[name]}: "
                f"{array.shape}"
            )
    return arrays


def _array(where: str, content: bytes) -> NDArray[Any]:
    try:
        return np.asarray(np.lib.format.read_array(io.BytesIO(content), allow_pickle=False))
    except (ValueError, MemoryError) as error:  # of a header that claims anything
        raise DataError(f"{where}: is no array of numbers or texts: {error}") from error


def _check(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Refuse arrays that do not fit each other, and values that cannot be.

    Raises:
        DataError: which array is wrong, and where.
    """
    n = len(arrays["t"])
    shapes = {"acc": (n, 3), "gyro": (n, 3), "label": (n,), "rec": (n,)}
    shapes["label6_names"] = arrays["label_names"].shape
    shapes["rec_ok"] = arrays["rec_names"].shape
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise DataError(f"{path}: {name}: has the shape {arrays[name].shape}, not {shape}")
    if not n:
        raise DataError(f"{path}: holds no samples")
    for name in ("t", "acc", "gyro"):
        finite = np.isfinite(arrays[name].reshape(n, -1)).all(axis=1)
        if not finite.all():
            raise DataError(
                f"{path}: {name}: row {np.argmin(finite) + 1} holds a number that is not finite"
            )
    for name, names in (("label", "label_names"), ("rec", "rec_names")):
        n_names = len(arrays[names])
        known = (arrays[name] >= 0) & (arrays[name] < n_names)
        if not known.all():
            row = np.argmin(known)
            raise DataError(
                f"{path}: {name}: row {row + 1} holds {arrays[name][row]}, but there are "
                f"{n_names} {names}, counted from 0"
            )
    wrong = sorted(set(arrays["label6_names"].tolist()) - {"", *PLACEMENT_ACTIVITIES})
    if wrong:
        raise DataError(
            f"{path}: label6_names: {wrong[0]!r} is none of {', '.join(PLACEMENT_ACTIVITIES)}"
        )
    order = np.argsort(arrays["rec"], kind="stable")
    numbers, times = arrays["rec"][order], arrays["t"][order]
    back = np.flatnonzero((numbers[1:] == numbers[:-1]) & (times[1:] < times[:-1]))
    if len(back):
        row = order[back[0] + 1]
        name = arrays["rec_names"][arrays["rec"][row]]
        raise DataError(f"{path}: t: goes back at row {row + 1}, within the recording {name!s}")
