from pathlib import Path

import pytest

from tests.benchmarks import load_plan, load_search
from tests.benchmarks.invented_trials import Machine, arrived, invented_trial
from tests.benchmarks.load_consumers import HAR_STREAM, Consumer
from tests.benchmarks.load_plan import Load
from tests.benchmarks.load_search import SHORT, Bench
from tests.benchmarks.load_trial import Trial


@pytest.mark.parametrize("first", [1500, 6000])
@pytest.mark.parametrize("known", [0, 100])
@pytest.mark.parametrize(
    "capacity", [0, 7, 130, 480, 1999, 2000, 2700, 5000, 8000, 9300, 14_000, 20_000, 30_000]
)
def test_largest_load_is_found_closely_and_quickly(capacity: int, known: int, first: int) -> None:
    """It is held, and one that is not much larger was tried and not held; few are tried."""
    tried = []

    def held(phones: int) -> bool:
        tried.append(phones)
        return phones <= capacity

    known = min(known, capacity)
    found = load_search.largest_held(held, first=first, precision=1.1, known=known)
    assert found <= capacity
    assert found in {*tried, known}
    missed = [phones for phones in tried if phones > capacity]
    assert found == load_plan.MOST_PHONES or min(missed) <= max(found * 1.1, found + 20)
    assert len(tried) <= 14


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What is waited for others to rest, in seconds, on a machine on which they never do."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    monkeypatch.setattr("time.monotonic", lambda: sum(slept))
    monkeypatch.setattr(load_search, "machine_cpu_s", lambda: 2.0 * sum(slept))
    return slept


def _bench() -> Bench:
    return Bench("cnn-lstm", Path("model"), Path("motion"), 1, "json", SHORT)


def test_what_fails_by_chance_does_not_bound_the_search(
    monkeypatch: pytest.MonkeyPatch, waited: list[float]
) -> None:
    """While others are busy a miss is tried again, at most twice; a plain miss is not."""
    machine = Machine({"har-stream": 9000})
    n_disturbed = 2
    tried: list[int] = []

    def run(consumer: Consumer, model: Path, load: Load, motion: Path) -> Trial:
        nonlocal n_disturbed
        tried.append(load.phones)
        if n_disturbed:
            n_disturbed -= 1
            late = arrived(1000, latency_ms=3000.0)
            return invented_trial(load, arrived=late, others_cpu_s=5.0)
        return machine.run(consumer, model, load, motion)

    monkeypatch.setattr(load_search, "run", run)
    found = load_search.search(_bench(), HAR_STREAM)
    assert [6000] * 3 == tried[:3]
    assert len(tried) - 2 == len(set(tried))
    assert found.held is not None
    assert 8150 <= found.held.load.phones <= 9000
    assert f"{min(found.misses):,} not: p99 2000 ms" == found.why_no_more
    assert 2 * load_search.QUIET_TIMEOUT_S == sum(waited)


def test_a_machine_that_is_always_disturbed_holds_nothing(
    monkeypatch: pytest.MonkeyPatch, waited: list[float]
) -> None:
    """The search ends all the same, and says so."""

    def run(consumer: Consumer, model: Path, load: Load, motion: Path) -> Trial:
        late = arrived(1000, latency_ms=3000.0, n_lost=1)
        return invented_trial(load, arrived=late, others_cpu_s=5.0)

    monkeypatch.setattr(load_search, "run", run)
    found = load_search.search(_bench(), HAR_STREAM, first=1500)
    assert found.held is None
    assert "1 of 1,000 lost while others took 0.50 of a core" in found.why_no_more
