"""What it costs to keep the state: processor time and size of a checkpoint of 1,000 phones.

What har-stream keeps beside signals, and more phones, are in `checkpoint_scale`.

The phones are some minutes into their recordings, so that their windows, filters and decisions are
all under way, and all that is remembered of messages is full. Each begins at a time of its own, so
that their windows do not end together. Half a second's messages come between two checkpoints, as
they do live.
"""

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np

from pipeline.commands.stream.settings import StreamSettings
from pipeline.messages import Message
from pipeline.models.card import ModelError
from pipeline.models.classifier import Classifier, find_models
from pipeline.readings import Delivery, Readings
from pipeline.recognition.recognizer import Recognizer
from pipeline.state.acknowledgements import Keeper
from pipeline.state.checkpoint import StateFolder
from pipeline.vocabulary import AUTO, SAMPLING_RATE_HZ
from tests.benchmarks import checkpoint_scale
from tests.benchmarks.figures import Figure, NotMeasuredError, Options, run_alone
from tests.benchmarks.load import recorded_motion
from tests.benchmarks.state_arrays import in_checkpoint, in_memory

PHONES: Final = 1000
ROWS: Final = 25
LATEST: Final = 64
"""Messages of the first phones before the last ones begin: then they are in all phases of a window
"""
MESSAGES: Final = LATEST + 260
"""Of the first phones before the first checkpoint, so that of the others there are 256 and more"""
MOST_BYTES: Final = 6400
"""A phone's, in a checkpoint"""
LARGEST: Final = 12
"""Arrays that are named"""
ROUNDS: Final = 9
EPOCH: Final = 1.7e9
PERIOD_S: Final = float(StreamSettings.model_fields["checkpoint"].default)
CORE_LIMIT: Final = 0.05
"""Share of a core that checkpoints may take"""


def measure(options: Options) -> list[Figure]:
    """Return what a checkpoint costs, how large it is, and how long it takes to go on from one.

    Raises:
        NotMeasuredError: the model cannot be loaded.
    """
    try:
        at_waist, elsewhere = map(Classifier, find_models(AUTO))
    except ModelError as error:
        raise NotMeasuredError(str(error)) from error
    recordings = recorded_motion(options.data)

    def new_recognizer() -> Recognizer:
        return Recognizer(at_waist, model_elsewhere=elsewhere, hop=64, max_devices=PHONES)

    recognizer = new_recognizer()
    for number in range(MESSAGES):
        push(recognizer, recordings, number)
    cpu_s, n_bytes = [], 0
    with tempfile.TemporaryDirectory() as name, StateFolder(Path(name)) as folder:
        keeper = Keeper(folder, period_s=PERIOD_S)
        for round_number in range(ROUNDS):
            push(recognizer, recordings, MESSAGES + round_number)
            for phone in range(2 * PHONES):  # as many as there are in a second
                keeper.note(Message("t", b"", 0.0, phone + 1))
            before = time.process_time()
            keeper.begin(recognizer.state(), 0.0)
            keeper.saved(0.0, wait=True)
            cpu_s.append(time.process_time() - before)
        n_bytes = folder.checkpoint.stat().st_size
        before = time.monotonic()
        state = folder.load()
        assert state is not None
        new_recognizer().restore(state)
        restored_s = time.monotonic() - before
    of_checkpoint, of_memory = in_checkpoint(state), in_memory(recognizer, PHONES)
    return [
        Figure(
            "checkpoint",
            f"checkpoints of {PHONES:,} phones",
            median(cpu_s) / PERIOD_S,
            "of a core",
            limit=CORE_LIMIT,
            detail=f"one every {PERIOD_S:g} s; {min(cpu_s) * 1e3:.0f} to {max(cpu_s) * 1e3:.0f} ms",
        ),
        Figure(
            "checkpoint",
            "size",
            n_bytes / 2**20,
            "MiB",
            detail=f"{n_bytes / PHONES:,.0f} bytes a phone",
        ),
        Figure("checkpoint", "read and restored", restored_s, "s"),
        *_by_array("in a checkpoint", of_checkpoint, limit=MOST_BYTES),
        *_by_array("in memory", of_memory, limit=None),
        *checkpoint_scale.figures(recordings),
    ]


def _by_array(where: str, sizes: dict[str, float], *, limit: float | None) -> list[Figure]:
    """Return the bytes a phone of all arrays, and of the largest by name."""
    largest = list(sizes.items())[:LARGEST]
    rest = sum(sizes.values()) - sum(n_bytes for _, n_bytes in largest)
    return [
        Figure("checkpoint", f"a phone {where}", sum(sizes.values()), "bytes", limit=limit),
        *(Figure("checkpoint", f"  {path}", n_bytes, "bytes") for path, n_bytes in largest),
        Figure("checkpoint", f"  {len(sizes) - len(largest)} others", rest, "bytes"),
    ]


def push(recognizer: Recognizer, recordings: np.ndarray, number: int) -> None:
    """Give each phone's message of this number, if it has begun, to the recognizer, in one tick."""
    tick: list[Delivery] = []
    for phone in range(PHONES):
        if number < phone % LATEST:
            continue
        samples = recordings[phone % len(recordings)]
        first = (phone + number) * ROWS % (len(samples) - ROWS)
        start = round(EPOCH + 0.013 * phone + number * ROWS / SAMPLING_RATE_HZ, 3)
        times = start + np.arange(ROWS) / SAMPLING_RATE_HZ
        device = f"phone-{phone}"
        recognizer.admit(device)
        tick.append(Delivery([Readings(device, times, samples[first : first + ROWS], "motion")]))
    recognizer.push(tick)


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "what it costs to keep the state of phones")


if __name__ == "__main__":
    main()
