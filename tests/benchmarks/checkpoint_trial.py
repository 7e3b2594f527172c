"""Checkpoints of so many phones in a process of its own, measured from within.

The phones are served as har-stream does it, message by message, tick by tick, up to their windows,
infos and activities; their messages come evenly over each half second. Between two checkpoints a
second of messages comes. While one is written, the main thread wakes up every two milliseconds, as
a tick would; how late it wakes up is for how long the writing thread kept it from working.

It prints what was measured as one JSON document. Run it by `checkpoint_scale`.
"""

import argparse
import gc
import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.commands.stream.settings import StreamSettings
from pipeline.messages import Message
from pipeline.models.classifier import Classifier, find_models
from pipeline.recognition.placement.placements import Placements
from pipeline.recognition.recognizer import Recognizer
from pipeline.serving.phone import Phone
from pipeline.serving.service import Service
from pipeline.state.acknowledgements import Keeper
from pipeline.state.checkpoint import StateFolder
from pipeline.subscriptions import subscriptions_of
from pipeline.vocabulary import AUTO, SAMPLING_RATE_HZ
from tests.benchmarks.commands import memory_mib
from tests.benchmarks.state_arrays import in_memory

FEW: Final = 100
"""Phones from which the growth of memory is counted"""
ROWS: Final = 25
INTERVAL_S: Final = ROWS / SAMPLING_RATE_HZ
TICKS: Final = 25
"""In the time between two messages of a phone"""
WARM_UP: Final = 20
"""Messages of each phone before the first checkpoint: it has windows, and decisions, behind it"""
BETWEEN: Final = 2
"""Messages of each phone between two checkpoints"""
PHASES: Final = 64
"""Rows from one window to the next"""
ROUNDS: Final = 7
WAKE_S: Final = 0.002
EPOCH: Final = 1.7e9


class Measured(msgspec.Struct):
    """What was measured of a number of phones; the lists have an item a checkpoint."""

    phones: int
    held_up_s: list[float]
    """For so long the main thread takes and hands over the state"""
    main_cpu_s: list[float]
    """Processor time of that"""
    writer_cpu_s: list[float]
    """That of all other threads until the checkpoint is on the disk"""
    written_s: list[float]
    """From the beginning of a checkpoint until it is on the disk"""
    pause_s: list[float]
    """The longest that the main thread was kept from working meanwhile"""
    n_bytes: int
    resident_kib: float
    """Memory a phone, by the growth of the process from `FEW` phones on"""
    arrays_kib: float
    """Of that, the arrays over slots"""
    keeping_kib: float
    """Growth of the process by keeping the state, a phone"""


class _Clock:
    """The time of the messages; no phone is silent in it."""

    def now(self, phone: Phone) -> float:
        """Return when a phone's last message came."""
        return phone.last_message

    def silent_s(self, phone: Phone, since: float, until: float) -> float:
        """Return 0."""
        return 0.0

    def confirm(self) -> None:
        """Learn nothing new."""

    def is_known_wrong_at(self, time_s: float) -> bool:
        """Return False."""
        return False


class _Phones:
    """Phones that send, and the service that takes what they send."""

    def __init__(self, recordings: NDArray[np.float64]) -> None:
        """Begin without phones; they send ``recordings`` ``(n, n_samples, 6)``."""
        settings = StreamSettings.model_construct()
        clock = _Clock()
        classifiers = [Classifier(path) for path in find_models(AUTO)]
        self.recognizer = Recognizer(
            classifiers[0],
            model_elsewhere=classifiers[1],
            hop=settings.hop,
            max_devices=settings.max_devices,
        )
        self.service = Service(
            settings.rules(),
            classifiers,
            self.recognizer,
            Placements(max_devices=settings.max_devices),
            subscriptions_of([], with_defaults=True),
            silence=clock,
            clock=clock,
        )
        self._recordings = recordings
        self._bodies = [
            [_body(samples[i : i + ROWS]) for i in range(0, len(samples) - ROWS, ROWS)]
            for samples in recordings
        ]
        self._begun: set[int] = set()
        self.n_sent = 0
        """Messages so far"""

    def send(self, n_phones: int, number: int, keeper: Keeper | None = None) -> None:
        """Let the phones send their messages of this number, tick by tick."""
        for tick in range(TICKS):
            for phone in range(tick, n_phones, TICKS):
                start_s = EPOCH + (number + phone % TICKS / TICKS) * INTERVAL_S
                bodies = self._bodies[phone % len(self._bodies)]
                came_s = start_s + INTERVAL_S
                body = bodies[(number + phone) % len(bodies)]
                if phone not in self._begun:  # more at first: windows end at all times
                    self._begun.add(phone)
                    n_more = phone // TICKS % PHASES
                    start_s -= n_more / SAMPLING_RATE_HZ
                    body = _body(self._recordings[phone % len(self._recordings), : ROWS + n_more])
                payload = b'{"start":%.3f,' % start_s + body
                topic = f"har/phone-{phone}/samples"
                self.n_sent += 1
                message = Message(topic, payload, came_s, self.n_sent % 0xFFFF + 1)
                assert self.service.receiver.take(message, 0.0) is None
                if keeper is not None:
                    keeper.note(message)
            self.service.deliveries.recognise()
            self.service.deliveries.take_predicted()
            self.service.outgoing.clear()
        self.service.upkeep.keep()
        self.service.outgoing.clear()

    def state(self) -> dict[str, object]:
        """Return what har-stream keeps."""
        return {"time": time.time(), **self.service.phones.state(), "unconfirmed": []}


def measure(n_phones: int, recordings: NDArray[np.float64], folder: Path) -> Measured:
    """Return what checkpoints of so many phones cost; the state is kept in ``folder``."""
    phones = _Phones(recordings)
    gc.freeze()  # as the command does
    for number in range(WARM_UP):
        phones.send(FEW, number)
    few_mib = _resident_mib()
    for number in range(WARM_UP, 2 * WARM_UP):
        phones.send(n_phones, number)
    many_mib = _resident_mib()
    n_slots = StreamSettings.model_fields["max_devices"].default
    arrays = sum(in_memory(phones.recognizer, n_slots).values())
    measured = Measured(n_phones, [], [], [], [], [], 0, 0.0, arrays / 1024, 0.0)
    measured.resident_kib = (many_mib - few_mib) * 1024 / (n_phones - FEW)
    with StateFolder(folder) as state_folder:
        keeper = Keeper(state_folder, period_s=0.0)
        number = 2 * WARM_UP
        phones.state()  # as when the phones came, or after they were restored
        for _ in range(ROUNDS):
            for _ in range(BETWEEN):
                phones.send(n_phones, number, keeper)
                number += 1
            _checkpoint(phones, keeper, measured)
        measured.n_bytes = keeper.last_bytes
    measured.keeping_kib = (_resident_mib() - many_mib) * 1024 / n_phones
    return measured


def _checkpoint(phones: _Phones, keeper: Keeper, measured: Measured) -> None:
    """Write a checkpoint, and add what it costs."""
    all_before, main_before = time.process_time(), time.thread_time()
    begun = time.monotonic()
    keeper.begin(phones.state(), begun)
    held_up = time.monotonic()
    measured.held_up_s.append(held_up - begun)
    measured.main_cpu_s.append(time.thread_time() - main_before)
    pause_s, before = 0.0, held_up
    n_written = keeper.n_written
    while keeper.n_written == n_written:
        time.sleep(WAKE_S)
        keeper.saved(before)
        now = time.monotonic()
        pause_s, before = max(pause_s, now - before - WAKE_S), now
    measured.written_s.append(before - begun)
    measured.pause_s.append(pause_s)
    of_main_s = time.thread_time() - main_before
    measured.writer_cpu_s.append(time.process_time() - all_before - of_main_s)


def _body(rows: NDArray[np.float64]) -> bytes:
    """Return what follows the start time in the message of these rows, ``(n, 6)``."""
    numbers = np.round(rows, 4)
    content = {
        "rate": SAMPLING_RATE_HZ,
        "acc": numbers[:, :3].tolist(),
        "gyro": numbers[:, 3:].tolist(),
        "acc_unit": "m/s2",
        "gyro_unit": "rad/s",
    }
    return msgspec.json.encode(content)[1:]


def _resident_mib() -> float:
    gc.collect()
    return memory_mib(os.getpid())[0]


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description="checkpoints of so many phones")
    parser.add_argument("phones", type=int)
    parser.add_argument("recordings", type=Path, help="what the phones send, (n, n_samples, 6)")
    parser.add_argument("--folder", type=Path, help="where the state is kept")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        measured = measure(options.phones, np.load(options.recordings), Path(folder))
    sys.stdout.write(json.dumps(msgspec.to_builtins(measured)) + "\n")


if __name__ == "__main__":
    main()
