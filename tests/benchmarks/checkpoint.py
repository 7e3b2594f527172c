"""What it costs to keep the state: processor time and size of a checkpoint of 1,000 phones.

The phones are some seconds into their recordings, so that their windows, filters and decisions are
all under way; half a second's messages come between two checkpoints, as they do live.
"""

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np

from pipeline.commands.stream.settings import StreamSettings
from pipeline.messages import Message
from pipeline.models.classifier import Classifier, ModelError
from pipeline.readings import Delivery, Readings
from pipeline.recognition.recognizer import Recognizer
from pipeline.state.acknowledgements import Keeper
from pipeline.state.checkpoint import StateFolder
from pipeline.vocabulary import AUTO_FAMILY, SAMPLING_RATE_HZ
from tests.benchmarks.figures import Figure, NotMeasuredError, Options, present_models, run_alone
from tests.benchmarks.load import recorded_motion

PHONES: Final = 1000
ROWS: Final = 25
MESSAGES: Final = 30
"""Of each phone before the first checkpoint: 15 s"""
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
    [(_, path)] = present_models([AUTO_FAMILY])
    try:
        classifier = Classifier(path)
    except ModelError as error:
        raise NotMeasuredError(str(error)) from error
    recordings = recorded_motion(options.data)
    recognizer = Recognizer(classifier, hop=64)
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
        Recognizer(classifier, hop=64).restore(state)
        restored_s = time.monotonic() - before
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
            detail=f"{n_bytes / 1024 / PHONES:.1f} KiB a phone",
        ),
        Figure("checkpoint", "read and restored", restored_s, "s"),
    ]


def push(recognizer: Recognizer, recordings: np.ndarray, number: int) -> None:
    """Give each phone's message of this number to the recognizer, in one tick."""
    tick: list[Delivery] = []
    for phone in range(PHONES):
        samples = recordings[phone % len(recordings)]
        first = (phone + number) * ROWS % (len(samples) - ROWS)
        times = EPOCH + (number * ROWS + np.arange(ROWS)) / SAMPLING_RATE_HZ
        device = f"phone-{phone}"
        recognizer.admit(device)
        tick.append(Delivery([Readings(device, times, samples[first : first + ROWS], "motion")]))
    recognizer.push(tick)


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "what it costs to keep the state of 1,000 phones")


if __name__ == "__main__":
    main()
