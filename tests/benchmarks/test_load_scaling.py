from pathlib import Path

import pytest

from tests.benchmarks import load_scaling, load_search
from tests.benchmarks.invented_trials import Machine, invented_trial
from tests.benchmarks.load_search import SHORT, Bench


@pytest.mark.parametrize(
    ("capacity", "intervals_s"),
    [(20_000, [0.5] * 3), (6000, [0.5, 0.5, 1.111]), (2000, [0.5, 1.0, 3.333])],
)
def test_more_phones_than_are_served_send_more_seldom(
    monkeypatch: pytest.MonkeyPatch, capacity: int, intervals_s: list[float]
) -> None:
    """No load is one that overloads; how often each phone sends is told."""
    machine = Machine({"har-stream": capacity})
    monkeypatch.setattr(load_search, "run", machine.run)
    bench = Bench("cnn-lstm", Path("model"), Path("motion"), 1, "compact", SHORT)
    held, few = (invented_trial(bench.load(phones)) for phones in (capacity, 100))
    *figures, growth = load_scaling.scaling_figures(bench, held, few)
    expected = [f"scaling, cnn-lstm, QoS 1, compact: {n} phones" for n in _NAMES]
    assert expected == [figure.name for figure in figures]
    assert pytest.approx(40.0) == figures[-1].value
    assert pytest.approx(1.0) == growth.value
    loads = [load for _, load in machine.loads]
    assert [1000, 3000, 10_000] == [load.phones for load in loads]
    assert pytest.approx(intervals_s, abs=0.001) == [load.interval_s for load in loads]
    for load in loads:
        n_intervals = load.ramp_s / load.interval_s
        assert pytest.approx(round(n_intervals)) == n_intervals
        assert 5.0 <= load.ramp_s + 1e-9 < 9.0


_NAMES = ("100", "1,000", "3,000", "10,000")
