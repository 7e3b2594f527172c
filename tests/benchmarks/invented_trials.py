"""Trials of loads that nobody had: what a consumer of a known capacity would come to."""

from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.benchmarks.arrivals import Arrivals, windows_per_s
from tests.benchmarks.load_consumers import HAR_STREAM, PLAIN, QUICK, TIMED, Consumer
from tests.benchmarks.load_plan import COMPACT, Load
from tests.benchmarks.load_trial import Trial
from tests.benchmarks.stage_times import STAGES

MESSAGE_US: Final = {"plain consumer": 250.0, "quick consumer": 150.0, "floor": 5.0}
"""Of har-stream and all others 40"""


def invented_trial(load: Load, **changes: Any) -> Trial:  # noqa: ANN401  fields of a trial
    """Return the trial of a load that was held with a latency of 30 ms, but for ``changes``."""
    n_messages = round(load.phones * load.hold_s / load.interval_s)
    n_expected = round(windows_per_s(load) * load.hold_s)
    fields: dict[str, Any] = {
        "arrived": arrived(n_expected, latency_ms=30.0),
        "late_ms": 1.0,
        "seconds": load.hold_s,
        "consumer_cpu_s": n_messages * 40e-6,
        "broker_cpu_s": 1.0,
        "generator_cpu_s": 0.5,
        "probe_cpu_s": 0.1,
        "others_cpu_s": 0.0,
        "resident_mib": 100 + load.phones / 128,
        "n_messages": n_messages,
        "message_bytes": 450.0 if load.form == COMPACT else 1330.0,
        "notes": None,
    }
    return Trial(load, **{**fields, **changes})


def arrived(n_expected: int, *, latency_ms: float, n_lost: int = 0) -> Arrivals:
    """Return predictions that all came after the same time, but for those lost."""
    latencies_ms = np.full(n_expected, latency_ms)
    latencies_ms[:n_lost] = np.inf
    return Arrivals(n_expected, n_lost, 0, 0, latencies_ms)


class Machine:
    """Stands for `load_trial.run` on a machine where each consumer serves so many phones."""

    def __init__(self, phones: dict[str, int]) -> None:
        """Begin with the capacities by the consumers' names."""
        self._phones = phones
        self.loads: list[tuple[str, Load]] = []
        """What was tried, by the consumer's name"""

    def run(self, consumer: Consumer, model: Path, load: Load, motion: Path) -> Trial:
        """Return what a load comes to."""
        self.loads.append((consumer.name, load))
        n_messages = round(load.phones * load.hold_s / load.interval_s)
        cpu_s = n_messages * MESSAGE_US.get(consumer.name, 40.0) * 1e-6
        changes: dict[str, Any] = {"consumer_cpu_s": cpu_s, "notes": self._notes(consumer, load)}
        if load.phones * load.speed > self._phones.get(consumer.name, load.phones):
            n_expected = round(windows_per_s(load) * load.hold_s)
            changes["arrived"] = arrived(n_expected, latency_ms=2000.0)
        return invented_trial(load, **changes)

    def _notes(self, consumer: Consumer, load: Load) -> object:
        if consumer in (HAR_STREAM, PLAIN, QUICK):
            return None
        if consumer is TIMED:
            note = {"seconds": {}, "calls": {}, "left": {}, "entry": 0.0, "main": 0.0}
            calls = dict.fromkeys(STAGES, 100)
            seconds = dict.fromkeys(STAGES, 1.0)
            later = {**note, "seconds": seconds, "calls": calls, "main": 12.0, "process": 13.0}
            return [{**note, "process": 0.0}, later]
        if consumer.name == "floor":
            return {"messages": int(load.n_messages.sum()), "peak_flops_per_s": 1e11}
        n_windows = windows_per_s(load) * load.duration_s
        cpu_s = n_windows * 30e-6
        return {"windows": n_windows, "inference_cpu_s": cpu_s, "seconds": load.duration_s}
