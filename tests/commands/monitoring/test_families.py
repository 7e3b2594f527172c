import bisect
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from pipeline.commands.monitoring import families
from pipeline.commands.monitoring.families import Family, Histogram

BOUNDS = (0.1, 1.0, 10.0)


def text_of(family: Family) -> list[str]:
    """Return the samples of a family, a line each."""

    class Collector:
        def collect(self) -> list[Family]:
            return [family]

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector())  # type: ignore[arg-type]
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if not line.startswith("#")]


@given(
    st.lists(
        st.lists(st.one_of(st.sampled_from(BOUNDS), st.floats(0, 1e6)), max_size=8), max_size=6
    )
)
def test_a_histogram_counts_each_value_once(groups: list[list[float]]) -> None:
    """However values are grouped, each is in the first bin whose upper end it does not exceed."""
    histogram = Histogram(BOUNDS)
    for group in groups:
        histogram.add(group)
    values = sorted(value for group in groups for value in group)
    family = histogram.family("har_x_seconds", "X")
    expected = [bisect.bisect_right(values, bound) for bound in (*BOUNDS, math.inf)]
    assert expected == [s.value for s in family.samples if s.name.endswith("_bucket")]
    [n] = [sample.value for sample in family.samples if sample.name.endswith("_count")]
    [total] = [sample.value for sample in family.samples if sample.name.endswith("_sum")]
    assert len(values) == n
    assert pytest.approx(sum(values)) == total


def test_values_that_came_several_times() -> None:
    """Values can be given with how often each came."""
    at_once, singly = Histogram(BOUNDS), Histogram(BOUNDS)
    at_once.add([0.5, 20.0], [3, 1])
    singly.add([0.5, 0.5, 20.0, 0.5])
    assert text_of(singly.family("har_x", "X")) == text_of(at_once.family("har_x", "X"))


def test_published_families_do_not_change() -> None:
    """What was made of a histogram stays when more is counted: another thread reads it."""
    histogram = Histogram(BOUNDS)
    before = histogram.family("har_x", "X")
    lines = text_of(before)
    histogram.add([0.5])
    assert lines == text_of(before)


def test_counts_and_quantities_with_and_without_a_label() -> None:
    """They come out under the name that they were given."""
    counts = families.counter("har_messages_total", "M", {"native": 3, "browser": 0}, "format")
    assert [
        'har_messages_total{format="native"} 3.0',
        'har_messages_total{format="browser"} 0.0',
    ] == text_of(counts)
    assert ["har_gaps_total 2.0"] == text_of(families.counter("har_gaps_total", "G", 2))
    assert ["har_overloaded 1.0"] == text_of(families.gauge("har_overloaded", "O", 1))
    described = families.info("har_model_info", "M", {"waist": "a@1"})
    assert ['har_model_info{waist="a@1"} 1.0'] == text_of(described)
    durations = families.summary("har_d_seconds", "D", 2, 0.5)
    assert ["har_d_seconds_count 2.0", "har_d_seconds_sum 0.5"] == text_of(durations)
