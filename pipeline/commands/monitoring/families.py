"""Metric families: what a command has counted, in the form in which Prometheus reads it.

Names are by Prometheus' guide, https://prometheus.io/docs/practices/naming/: they begin with
``har_``, name their unit, a base unit, and end in ``_total`` where they only grow. The values of a
label are of a small set that the program knows, never a device, a topic or anything else that
senders choose.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version

import numpy as np
from numpy.typing import ArrayLike
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.metrics_core import Metric

Family = Metric
"""The samples of one name"""

Values = float | Mapping[str, float]
"""A value, or one for each value of a label"""


def counter(name: str, meaning: str, values: Values, label: str = "") -> Family:
    """Return a count that never goes down; its name ends in ``_total``."""
    family = CounterMetricFamily(name, meaning, labels=[label] if label else [])
    _add(family, values)
    return family


def gauge(name: str, meaning: str, values: Values, label: str = "") -> Family:
    """Return a quantity that goes up and down."""
    family = GaugeMetricFamily(name, meaning, labels=[label] if label else [])
    _add(family, values)
    return family


def info(name: str, meaning: str, texts: Mapping[str, str]) -> Family:
    """Return a 1 with texts as labels; its name ends in ``_info``."""
    return InfoMetricFamily(name.removesuffix("_info"), meaning, value=dict(texts))


def summary(name: str, meaning: str, n: int, total: float) -> Family:
    """Return how often something was measured, and the sum of what was."""
    return SummaryMetricFamily(name, meaning, count_value=n, sum_value=total)


def build_info(command: str) -> Family:
    """Return which command of which version runs."""
    texts = {"command": command, "version": version("har-stream")}
    return info("har_build_info", "Command and version that runs", texts)


class Histogram:
    """Counts of measured values by size; many are added at once."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """Begin without values; ``bounds`` are the inclusive upper ends of all bins but the last.

        They ascend.
        """
        self._bounds = np.asarray(bounds, np.float64)
        self._counts = np.zeros(len(bounds) + 1, np.int64)
        self._sum = 0.0

    def add(self, values: ArrayLike, n_each: ArrayLike = 1) -> None:
        """Add values ``(n,)``, none of them negative, each so many times."""
        values = np.asarray(values, np.float64)
        if not values.size:
            return
        times = np.broadcast_to(n_each, values.shape)
        bins = self._bounds.searchsorted(values)
        self._counts += np.bincount(bins, times, len(self._counts)).astype(np.int64)
        self._sum += float(values @ times)

    def family(self, name: str, meaning: str) -> Family:
        """Return what was counted so far."""
        ends = [*(f"{bound:g}" for bound in self._bounds.tolist()), "+Inf"]
        counts = self._counts.cumsum().tolist()
        buckets = list(zip(ends, counts, strict=True))
        return HistogramMetricFamily(name, meaning, buckets=buckets, sum_value=self._sum)


def _add(family: CounterMetricFamily | GaugeMetricFamily, values: Values) -> None:
    if isinstance(values, Mapping):
        for value_of_label, value in values.items():
            family.add_metric([value_of_label], value)
    else:
        family.add_metric([], values)
