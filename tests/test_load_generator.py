import importlib
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.formats import native
from pipeline.models.classifier import Classifier, find_model
from pipeline.readings import Delivery, Readings
from pipeline.recognition.recognizer import Recognizer
from pipeline.recordings import simulated
from tests.client import TIMEOUT_S, MqttClient, Received

if TYPE_CHECKING:
    from tests.benchmarks.load import Arrivals, Trial
    from tests.benchmarks.load_generator import Load
    from tests.conftest import Broker

ROOT: Final = Path(__file__).parent.parent
BENCHMARKS: Final = ROOT / "tests" / "benchmarks"


@pytest.fixture(autouse=True)
def _benchmarks_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture
def generator() -> ModuleType:
    """The load generator's module."""
    return importlib.import_module("load_generator")


@pytest.fixture
def load() -> ModuleType:
    """The load test's module."""
    return importlib.import_module("load")


@pytest.fixture
def stage_times() -> ModuleType:
    """The module that puts timers on stages."""
    return importlib.import_module("stage_times")


@pytest.fixture(scope="module")
def motion_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two simulated recordings of 15 s."""
    found = simulated.recordings(2, seconds=15.0)
    file = tmp_path_factory.mktemp("motion") / "motion.npy"
    np.save(file, np.stack([one.stretches[0].samples for one in found]))
    return file


@pytest.fixture
def start_generator(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """A function that starts the generator, whose report is ``sent.npz``."""
    processes = []

    def start(port: int, motion: Path, **flags: float) -> subprocess.Popen[bytes]:
        named = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
        arguments = ["--port", str(port), "--motion", str(motion), *named]
        processes.append(
            subprocess.Popen(
                [
                    *(sys.executable, str(BENCHMARKS / "load_generator.py"), *arguments),
                    *("--report", str(tmp_path / "sent.npz")),
                ],
                stdout=subprocess.PIPE,
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


class Ears(MqttClient):
    """A subscriber that keeps the samples of the generator's phones."""

    def __init__(self, broker: "Broker") -> None:
        """Connect and subscribe."""
        self.payloads: defaultdict[str, list[bytes]] = defaultdict(list)
        super().__init__(broker, "har/+/samples")

    def keep(self, message: Received) -> None:
        """Keep a phone's samples."""
        self.payloads[message.topic.split("/")[1]].append(message.payload)

    def await_messages(self, n: int) -> None:
        """Return when so many have come."""
        self.await_that(lambda: sum(map(len, self.payloads.values())) >= n)


@pytest.fixture
def ears(broker: "Broker") -> Iterator[Ears]:
    """A subscriber at the shared broker."""
    with Ears(broker) as ears:
        yield ears


@pytest.mark.broker
@pytest.mark.parametrize("qos", [0, 1])
def test_phones_send_the_recordings_as_of_now_without_a_gap(
    broker: "Broker",
    ears: Ears,
    generator: ModuleType,
    start_generator: Callable[..., subprocess.Popen[bytes]],
    motion_file: Path,
    tmp_path: Path,
    qos: int,
) -> None:
    """Every message of the load arrives, on one grid a phone, its last sample just measured."""
    load = generator.Load(3, qos, 1.0, 0.5)
    process = start_generator(broker.port, motion_file, phones=3, qos=qos, hold=1.0, ramp=0.5)
    assert process.wait(TIMEOUT_S) == 0
    ears.await_messages(int(load.n_messages.sum()))

    sent = np.load(tmp_path / "sent.npz")
    recordings = np.round(np.load(motion_file), generator.DECIMALS)
    assert [generator.device(phone) for phone in range(3)] == sorted(ears.payloads)
    for phone, (name, payloads) in enumerate(sorted(ears.payloads.items())):
        assert len(payloads) == load.n_messages[phone]
        readings = [one for payload in payloads for one in native.decode(payload, name)]
        assert all(isinstance(one, Readings) and len(one.times) == 25 for one in readings)
        times = np.concatenate([one.times for one in readings])
        values = np.concatenate([one.values for one in readings])
        grid = sent["first_samples_ms"][phone] / 1000 + np.arange(len(times)) / 50
        assert times == pytest.approx(grid, abs=1e-6)
        first = phone // 2 * generator.OFFSET * 25 % 750
        np.testing.assert_array_equal(values, recordings[phone % 2, first : first + len(times)])
        last_of_first = sent["due"][sent["phone"] == phone][0] + time.time() - time.monotonic()
        assert times[24] == pytest.approx(last_of_first, abs=0.05)
    assert (sent["sent"] >= sent["due"]).all()
    assert sent["acknowledged"] == (load.n_messages.sum() if qos else 0)


@pytest.mark.broker
def test_generator_ends_at_once_on_sigterm(
    broker: "Broker",
    ears: Ears,
    start_generator: Callable[..., subprocess.Popen[bytes]],
    motion_file: Path,
) -> None:
    """A load of a minute that is under way stops when it is told to."""
    process = start_generator(broker.port, motion_file, phones=20, qos=1, hold=60.0)
    ears.await_messages(10)
    process.terminate()
    assert process.wait(5.0) == 128 + signal.SIGTERM


def test_messages_are_spread_evenly_and_their_number_fits_the_time(generator: ModuleType) -> None:
    """Every message is within the duration, and the next would not be; no two at one moment."""
    load = generator.Load(phones=70, qos=0, hold_s=3.0, ramp_s=2.5)
    plan = generator.schedule(load)
    assert len(plan.due_s) == load.n_messages.sum()
    assert plan.due_s.max() < load.duration_s
    assert (load.joins_s + load.n_messages * 0.5 >= load.duration_s - 1e-9).all()
    in_hold = plan.due_s[plan.due_s >= load.ramp_s]
    assert np.diff(in_hold) == pytest.approx(0.5 / 70)


@given(
    bodies=st.lists(st.binary(max_size=300), max_size=8),
    cuts=st.lists(st.integers(1, 200), min_size=1, max_size=8),
)
@settings(max_examples=50)
def test_packets_come_out_whole_however_they_were_cut(bodies: list[bytes], cuts: list[int]) -> None:
    """First bytes and bodies are those that went in, in their order."""
    mqtt_packets = importlib.import_module("mqtt_packets")
    stream = b"".join(
        bytes([mqtt_packets.PUBLISH]) + mqtt_packets.remaining_length(len(body)) + body
        for body in bodies
    )
    buffer, found, position = bytearray(), [], 0
    while position < len(stream):
        size = cuts[len(found) % len(cuts)]
        buffer += stream[position : position + size]
        position += size
        found += mqtt_packets.packets(buffer)
    assert found == [(mqtt_packets.PUBLISH, body) for body in bodies]
    assert buffer == b""


def test_expected_windows_are_those_that_the_core_completes(
    load: ModuleType, tiny_model: Path, motion_file: Path
) -> None:
    """How many windows a phone's messages complete, and which message does, is no guess."""
    recognizer = Recognizer(Classifier(tiny_model), hop=load.HOP, max_devices=1)
    recognizer.admit("phone")
    samples = np.load(motion_file)[0]
    completed_by = []
    for number in range(len(samples) // 25):
        rows = np.arange(number * 25, number * 25 + 25)
        tick = recognizer.push([Delivery([Readings("phone", 1.7e9 + rows / 50, samples[rows])])])
        completed_by += [number] * len(tick.predictions)
        assert load.n_windows(np.array([number + 1])).tolist() == [len(completed_by)]
    windows = np.arange(len(completed_by))
    assert load.completing_message(windows).tolist() == completed_by


@pytest.mark.parametrize("known", [0, 100])
@pytest.mark.parametrize("capacity", [0, 7, 130, 480, 1999, 2000, 2700, 5000, 8000, 20_000])
def test_largest_load_is_found_closely_and_quickly(
    load: ModuleType, capacity: int, known: int
) -> None:
    """It is held, and one that is not much larger was tried and not held; few are tried."""
    tried = []

    def held(phones: int) -> bool:
        tried.append(phones)
        return phones <= capacity

    known = min(known, capacity)
    found = load.largest_held(held, first=2000, growth=1.25, precision=1.1, known=known)
    assert found <= capacity
    assert found in {*tried, known}
    missed = [phones for phones in tried if phones > capacity]
    assert found == load.MOST or min(missed) <= max(found * 1.1, found + 20)
    assert len(tried) <= 14


class Received:
    """What a generator and a probe would report of a load that a perfect consumer served."""

    def __init__(self, load: ModuleType, generator: ModuleType, *, latency_s: float) -> None:
        """Answer every window of 40 phones so long after its last message."""
        self.load = generator.Load(phones=40, qos=1, hold_s=8.0, ramp_s=1.0)
        plan = generator.schedule(self.load)
        first_ms = generator.first_samples_ms(self.load, 1.7e9)
        self.sent: dict[str, NDArray[Any]] = {
            "phone": plan.phone,
            "number": plan.number,
            "due": plan.due_s + 1000.0,
            "sent": plan.due_s + 1000.01,
            "first_samples_ms": first_ms,
        }
        counts = load.n_windows(self.load.n_messages)
        phone = np.repeat(np.arange(40), counts)
        window = np.concatenate([np.arange(count) for count in counts])
        completed = self.load.joins_s[phone] + load.completing_message(window) * 0.5
        self.came: dict[str, NDArray[Any]] = {
            "device": np.array([generator.device(number) for number in phone]),
            "start": np.round(first_ms[phone] / 1000 + window * load.HOP / 50, 6),
            "received": completed + 1000.01 + latency_s,
        }

    def arrivals(self, load: ModuleType, keep: NDArray[np.intp] | None = None) -> "Arrivals":
        """Return what the load test makes of it, of some predictions alone."""
        kept = {n: v if keep is None else v[keep] for n, v in self.came.items()}
        return load.arrivals(self.load, self.sent, kept)


def test_latency_counts_from_the_message_that_completed_the_window(
    load: ModuleType, generator: ModuleType
) -> None:
    """Every prediction is matched with its message, and with nothing else."""
    arrived = Received(load, generator, latency_s=0.03).arrivals(load)
    assert (arrived.n_lost, arrived.n_repeated, arrived.n_strange) == (0, 0, 0)
    assert arrived.n_expected > 0
    assert arrived.latencies_ms == pytest.approx(30.0)
    assert len(arrived.latencies_ms) <= arrived.n_expected


def test_lost_repeated_and_strange_predictions_are_told(
    load: ModuleType, generator: ModuleType
) -> None:
    """A load of which one prediction is missing has no finite worst latency and was not held."""
    received = Received(load, generator, latency_s=0.03)
    n = len(received.came["start"])
    lost = received.arrivals(load, np.arange(1, n))
    assert (lost.n_lost, lost.n_repeated, lost.n_strange) == (1, 0, 0)
    assert _trial(load, received.load, lost).shortfall == f"1 of {n} lost"
    assert lost.percentile_ms(100) == math.inf
    repeated = received.arrivals(load, np.append(np.arange(n), [3, 3]))
    assert (repeated.n_lost, repeated.n_repeated, repeated.n_strange) == (0, 2, 0)
    assert _trial(load, received.load, repeated).shortfall == ""
    received.came["start"][5] += 0.02
    strange = received.arrivals(load)
    assert (strange.n_lost, strange.n_repeated, strange.n_strange) == (1, 0, 1)


@pytest.mark.parametrize(
    ("latency_s", "late_ms", "shortfall", "again"),
    [
        (0.249, 0.0, "", True),
        (0.251, 0.0, "p99 251 ms", True),
        (0.501, 0.0, "p99 501 ms", False),
        (0.900, 150.0, "the generator itself was 150", True),
    ],
)
def test_load_is_held_only_within_the_latency_and_with_a_generator_in_time(
    load: ModuleType,
    generator: ModuleType,
    latency_s: float,
    late_ms: float,
    shortfall: str,
    again: bool,
) -> None:
    """What is missed is named; what may be chance, or the generator's fault, is tried again."""
    received = Received(load, generator, latency_s=latency_s)
    trial = _trial(load, received.load, received.arrivals(load), late_ms=late_ms)
    assert trial.shortfall.startswith(shortfall)
    assert bool(trial.shortfall) == bool(shortfall)
    assert trial.near == again


def _trial(load: ModuleType, what: "Load", arrived: "Arrivals", *, late_ms: float = 0.0) -> "Trial":
    return load.Trial(
        what,
        arrived,
        late_ms=late_ms,
        seconds=1.0,
        consumer_cpu_s=1.0,
        broker_cpu_s=1.0,
        beside_cpu_s=1.0,
        resident_mib=1.0,
        n_messages=1,
        notes=None,
    )


@pytest.mark.broker
@pytest.mark.parametrize("name", ["TIMED", "PLAIN"])
def test_every_prediction_of_a_small_load_comes(
    load: ModuleType,
    generator: ModuleType,
    stage_times: ModuleType,
    motion_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """The whole tool with a real broker, har-stream with timers, and the plain consumer."""
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    small = generator.Load(phones=20, qos=1, hold_s=3.0, ramp_s=0.5)
    try:
        trial = load.run(getattr(load, name), find_model("cnn-lstm"), small, motion_file)
    except load.NotMeasuredError as error:
        if "Mosquitto is not installed" in str(error):
            pytest.skip(str(error))
        raise
    assert trial.arrived.n_expected == load.n_windows(small.n_messages).sum() > 0
    assert (trial.arrived.n_lost, trial.arrived.n_strange) == (0, 0)
    assert 0 < trial.arrived.percentile_ms(50) < math.inf
    assert trial.consumer_cpu_s > 0
    assert trial.resident_mib > 1
    if name == "TIMED":
        seconds = stage_times.between(*trial.notes)
        assert min(seconds[stage] for stage in stage_times.STAGES) > 0
        spent = trial.notes[1]["process"] - trial.notes[0]["process"]
        assert sum(seconds.values()) == pytest.approx(spent)


def _burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_stage_is_not_charged_for_the_stages_within_it(stage_times: ModuleType) -> None:
    """Time goes to the innermost stage, also after an error and for a stage within itself."""
    clock = stage_times.StageClock()
    inner = clock.timed("inner", lambda: _burn(0.03))

    def whole() -> None:
        _burn(0.01)
        inner()
        inner()
        raise ValueError("wrong")

    outer = clock.timed("outer", whole)
    with pytest.raises(ValueError, match="wrong"):
        outer()
    _burn(0.02)  # nobody's
    assert clock.calls == {"outer": 1, "inner": 2}
    assert clock.seconds["inner"] == pytest.approx(0.06, abs=0.005)
    assert clock.seconds["outer"] == pytest.approx(0.01, abs=0.005)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        (("pipeline.gone", "Resampler"), "No module named 'pipeline.gone'"),
        (("pipeline.recognition.preparation.windows", "Gone"), "has no attribute 'Gone'"),
        (("pipeline.recognition.preparation.windows", "Cut"), "has no method like"),
    ],
)
def test_stage_that_is_gone_is_named(
    stage_times: ModuleType, place: tuple[str, str], says: str
) -> None:
    """A stage that was renamed is not silently taken for one that costs nothing."""
    stages = {"window": [stage_times.Place(*place)]}
    with pytest.raises(stage_times.StageError, match=f"^window: .*{re.escape(says)}"):
        stage_times.install(stage_times.StageClock(), stages)


def test_stage_that_was_never_entered_is_named(stage_times: ModuleType) -> None:
    """Nor is one whose methods are no longer called."""
    note = {"seconds": {}, "calls": {}, "main": 0.0, "process": 0.0}
    with pytest.raises(stage_times.StageError, match=r"^decode: what is timed was never called"):
        stage_times.between(note, note, ["decode"])


@pytest.mark.parametrize(("value", "met"), [(2999.0, False), (3000.0, True), (3001.0, True)])
def test_figure_of_which_more_is_better_is_met_from_its_limit_on(value: float, met: bool) -> None:
    """``at_least`` turns the sense of the limit, and the line says so."""
    figures = importlib.import_module("figures")
    figure = figures.Figure("load", "phones", value, "phones", limit=3000.0, at_least=True)
    assert figure.met == met
    assert figure.as_json()["at_least"]
    assert "at least 3000 phones" in str(figure)
    assert str(figure).endswith(" ok" if met else " BELOW THE LIMIT")
